package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/verify"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// soundRun is a run that was posted and told, as the pipeline leaves it.
const soundRun = `
	INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ('TENANT', 'Shop', 'https://shop.example', '');
	INSERT INTO bindings (id, tenant_id, provider, wire, api_url, org_id) VALUES ('BINDING', 'TENANT', 'xero', 'accounting', 'https://xero.example', 'org');
	INSERT INTO policies (binding_id, version, policy) VALUES ('BINDING', 1, '{}');
	INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key, dedupe_key,
		lane, occurred_at, body, status, stage, canonical, document, provider_entity_id, provider_reference, finished_at, shop_told, told_at)
	VALUES ('RUN', 'TENANT', 'BINDING', 1, 'invoice.created', 'invoice', 42, 'invoice.created:42', 'invoice.created:42',
		'invoice:42', now(), '{}', 'succeeded', 'done', '{"grand_total": 10.00}', '{"body": {}, "total": "10.00"}', 'doc-42', 'M-42', now(), 'told', now());
	INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, run_id)
	VALUES ('TENANT', 'xero', 'org', 'invoice', '42', 'doc-42', 'RUN');`

// otherShop is a second shop on the same organisation, which it spells otherwise.
const otherShop = `
	INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ('00000000-0000-4000-8000-00000000000a', 'Other', 'https://other.example', '');
	INSERT INTO bindings (id, tenant_id, provider, wire, api_url, org_id)
	VALUES ('00000000-0000-4000-8000-00000000000b', '00000000-0000-4000-8000-00000000000a', 'xero', 'accounting', 'https://other.example', '{ORG}');
	INSERT INTO policies (binding_id, version, policy) VALUES ('00000000-0000-4000-8000-00000000000b', 1, '{}');`

// contact is what one shop knows of a customer's contact.
func contact(tenant, shopID, run string) string {
	return "; INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id, run_id) " +
		"SELECT '" + tenant + "', 'xero', 'org', 'contact', '" + shopID + "', 'c-1', id FROM sync_runs WHERE " + run
}

// another inserts the sound run's twin; what differs comes first.
func another(columns, values string) string {
	names := strings.Split(columns, ", ")
	rest := slices.DeleteFunc([]string{"tenant_id", "binding_id", "policy_version", "event", "entity_type", "magento_entity_id", "idempotency_key",
		"dedupe_key", "lane", "occurred_at", "body", "status", "stage", "canonical", "document", "provider_entity_id", "provider_reference",
		"finished_at", "shop_told", "told_at"}, func(name string) bool { return slices.Contains(names, name) })
	return "INSERT INTO sync_runs (id, " + columns + ", " + strings.Join(rest, ", ") + ") SELECT gen_random_uuid(), " + values + ", " +
		strings.Join(rest, ", ") + " FROM sync_runs WHERE id = 'RUN'"
}

// soundDesk has one sound run; statements may name it by RUN, TENANT, BINDING.
func soundDesk(t *testing.T) (*desk, func(statement string)) {
	t.Helper()
	d := newDesk(t)
	fill := strings.NewReplacer("TENANT", uuid.NewString(), "BINDING", uuid.NewString(), "RUN", uuid.NewString())
	exec := func(statement string) {
		_, err := d.pool.Exec(t.Context(), fill.Replace(statement))
		require.NoError(t, err)
	}
	exec(soundRun)
	return d, exec
}

// A shop's amounts may have more decimals than a ledger's, and the noise of floats.
func Test_Totals_are_compared_as_the_ledger_rounds_them(t *testing.T) {
	t.Parallel()
	d, exec := soundDesk(t)
	for shop, ledger := range map[string]string{"59.9699": "59.97", "108.875": "108.88", "3745.6499999999996": "3745.65", "12.0049999999999": "12.01"} {
		exec(`UPDATE sync_runs SET canonical = '{"grand_total": ` + shop + `}', document = '{"body": {}, "total": "` + ledger + `"}'`)
		require.NotContains(t, d.must(t, "verify"), "BROKEN", shop)
	}
}

func Test_A_sound_database_is_verified(t *testing.T) {
	t.Parallel()
	d, _ := soundDesk(t)
	require.NotContains(t, d.must(t, "verify"), "BROKEN")
	var findings []struct {
		Name, Text string
		Broken     int
		Samples    []string
	}
	d.mustJSON(t, &findings, "verify")
	require.Len(t, findings, len(verify.Promises())+1, "and whether the secrets open")
	for _, f := range findings {
		require.NotEmpty(t, f.Text)
		require.Zero(t, f.Broken, f.Name)
		require.NotNil(t, f.Samples)
	}
}

func Test_Verify_names_the_promise_that_is_broken(t *testing.T) {
	t.Parallel()
	broken := map[string]map[string]string{
		"queue_state": {
			"a_job_nobody_waits_for": `INSERT INTO river.river_job (kind, args, queue, max_attempts)
				VALUES ('fetch_canonical', '{"run_id": "RUN"}', 'fetch_canonical', 180)`,
			"a_run_without_a_job": another("status, stage, river_job_id, finished_at, shop_told, magento_entity_id, dedupe_key",
				"'queued', 'fetch', 99, NULL, NULL, 43, 'invoice.created:43'"),
		},
		"told": {"an_end_untold": `UPDATE sync_runs SET shop_told = NULL, told_at = NULL`},
		"one_document": {
			"two_invoices_one_document": another("magento_entity_id, dedupe_key", "43, 'invoice.created:43'"),
			"two_shops_one_document": otherShop + another("tenant_id, binding_id",
				"'00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'"),
		},
		"one_customer": {
			"two_customers_one_contact": another("magento_entity_id, dedupe_key, provider_entity_id, canonical",
				`43, 'invoice.created:43', 'doc-43', '{"grand_total": 10.00, "customer": {"email": "bo@example.com", "first_name": "Bo"}}'`) +
				contact("TENANT", "17", "id = 'RUN'") + contact("TENANT", "18", "magento_entity_id = 43"),
			"customers_of_two_shops_one_contact": otherShop + another("tenant_id, binding_id, provider_entity_id, canonical",
				`'00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b', 'doc-43',
				 '{"grand_total": 10.00, "customer": {"email": "bo@example.com", "first_name": "Bo"}}'`) +
				contact("TENANT", "17", "id = 'RUN'") + contact("00000000-0000-4000-8000-00000000000a", "17", "id <> 'RUN'"),
		},
		"own_contact": {
			"a_contact_of_another_shop": otherShop + `UPDATE sync_runs SET document = document || '{"contact_id": "c-1"}'` +
				contact("00000000-0000-4000-8000-00000000000a", "17", "id = 'RUN'"),
		},
		"one_number": {"an_invoice_under_two_numbers": `INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash, settled_at)
			VALUES ('RUN', 'invoice', '42', 'BINDING', 'hash', now()), ('RUN', 'invoice', 'M-42', 'BINDING', 'hash', now())`},
		"xref": {"an_xref_lost": `DELETE FROM entity_xref`, "an_xref_of_another": `UPDATE entity_xref SET provider_id = 'doc-43'`},
		"exact_totals": {
			"a_penny_off":         `UPDATE sync_runs SET document = '{"body": {}, "total": "9.99"}'`,
			"rounded_wrongly":     `UPDATE sync_runs SET canonical = '{"grand_total": 10.0051}'`,
			"by_their_own_answer": `UPDATE sync_runs SET variance = '{"total": ["10.00", "9.99"]}'`,
		},
		"intents": {"a_write_left_open": `INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash)
			VALUES ('RUN', 'invoice', 'M-42', 'BINDING', 'hash')`},
	}
	names := []string{}
	for _, p := range verify.Promises() {
		names = append(names, p.Name)
	}
	require.ElementsMatch(t, names, slices.Collect(maps.Keys(broken)), "every promise is broken by a case")
	for name, cases := range broken {
		for how, statement := range cases {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				d, exec := soundDesk(t)
				exec(statement)
				s := d.run(t, "verify")
				require.Equal(t, exitFailed, s.code)
				require.Regexp(t, `(?m)^BROKEN  `+name+` `, s.out)
				require.Contains(t, s.out, "1 found, for instance:")

				asJSON := d.run(t, "verify", "--json")
				require.Equal(t, exitFailed, asJSON.code)
				requireSnakeCase(t, []byte(asJSON.out))
				var findings []verify.Finding
				decode(t, []byte(asJSON.out), &findings)
				at := slices.IndexFunc(findings, func(f verify.Finding) bool { return f.Name == name })
				require.EqualValues(t, 1, findings[at].Broken)
				require.Len(t, findings[at].Samples, 1)
			})
		}
	}
}

func Test_Verify_tells_that_it_could_not_look_from_broken(t *testing.T) {
	t.Parallel()
	d, exec := soundDesk(t)
	exec(`UPDATE sync_runs SET canonical = '{"grand_total": "ten"}'`)
	unseen := d.run(t, "verify")
	require.Equal(t, exitUnseen, unseen.code)
	require.Regexp(t, `(?m)^ERROR   exact_totals .*\n +could not be checked: .*invalid input syntax`, unseen.out)
	require.NotContains(t, unseen.out, "BROKEN")
	var findings []verify.Finding
	decode(t, []byte(d.run(t, "verify", "--json").out), &findings)
	at := slices.IndexFunc(findings, func(f verify.Finding) bool { return f.Name == "exact_totals" })
	require.Contains(t, findings[at].Error, "invalid input syntax")
	require.Zero(t, findings[at].Broken)

	exec(`DELETE FROM entity_xref`)
	both := d.run(t, "verify")
	require.Equal(t, exitFailed, both.code, "what is broken goes first")
	require.Contains(t, both.out, "BROKEN  xref")
	require.Contains(t, both.out, "ERROR   exact_totals")
}

func Test_Verify_that_cannot_be_read_has_not_said_that_all_is_well(t *testing.T) {
	t.Parallel()
	d, exec := soundDesk(t)
	full := writerFunc(func([]byte) (int, error) { return 0, errors.New("no space left on device") })
	for _, args := range [][]string{{"verify"}, {"verify", "--json"}} {
		var said bytes.Buffer
		require.Equal(t, exitUnseen, run(t.Context(), args, consoleOf(d.env, full, &said)))
		require.Contains(t, said.String(), "no space left on device")
	}
	exec(`DELETE FROM entity_xref`)
	require.Equal(t, exitFailed, run(t.Context(), []string{"verify"}, consoleOf(d.env, full, io.Discard)), "what is broken goes first")
}

func Test_Verify_since_leaves_out_what_came_before(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]string{
		"told":         `UPDATE sync_runs SET shop_told = NULL, told_at = NULL`,
		"xref":         `DELETE FROM entity_xref`,
		"exact_totals": `UPDATE sync_runs SET document = '{"body": {}, "total": "9.99"}'`,
		"one_document": another("magento_entity_id, dedupe_key", "43, 'invoice.created:43'"),
		"one_customer": another("magento_entity_id, dedupe_key, provider_entity_id, canonical",
			`43, 'invoice.created:43', 'doc-43', '{"grand_total": 10.00, "customer": {"email": "bo@example.com", "first_name": "Bo"}}'`) +
			contact("TENANT", "17", "id = 'RUN'") + contact("TENANT", "18", "magento_entity_id = 43"),
		"intents": `INSERT INTO provider_intents (run_id, operation, object_key, binding_id, body_hash) VALUES ('RUN', 'invoice', 'M-42', 'BINDING', 'hash')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, exec := soundDesk(t)
			exec(broken)
			require.Contains(t, d.run(t, "verify", "--since", "1h").out, "BROKEN  "+name)
			exec(`UPDATE sync_runs SET received_at = now() - interval '2 hours'`)
			require.NotContains(t, d.must(t, "verify", "--since", "1h"), "BROKEN")
			require.Contains(t, d.run(t, "verify", "--since", "3h").out, "BROKEN  "+name)
		})
	}
}

func Test_Verify_says_on_a_terminal_how_far_it_is(t *testing.T) {
	t.Parallel()
	d, _ := soundDesk(t)
	var out, errs, watched bytes.Buffer
	io := consoleOf(d.env, &out, &errs)
	io.terminal = &watched
	require.Zero(t, run(t.Context(), []string{"verify"}, io), errs.String())
	for i, p := range verify.Promises() {
		require.Contains(t, watched.String(), fmt.Sprintf("%d of %d: %s", i+1, len(verify.Promises()), p.Text))
	}
	require.True(t, strings.HasSuffix(watched.String(), "\r\x1b[K"), "the line is taken away")
	require.NotContains(t, out.String(), " of 9")
}

// What is on record as applied and was dropped by hand comes back by what verify says.
func Test_Verify_says_how_a_dropped_view_comes_back(t *testing.T) {
	t.Parallel()
	d := deskAt(t, pgtest.EmptyURL(t))
	d.must(t, "migrate", "up")
	exec := func(statement string) {
		_, err := d.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	exec("DROP VIEW run_queue_mismatch")
	s := d.run(t, "verify")
	require.Equal(t, exitUnseen, s.code)
	require.NotContains(t, s.err, "brings it up")
	require.NotRegexp(t, `(?m)\spending\s*$`, d.must(t, "migrate", "status"))
	advice := "DELETE FROM schema_functions WHERE name = 'run_queue_mismatch'"
	require.Contains(t, s.err, advice+", and then towpath migrate up")
	exec(advice)
	d.must(t, "migrate", "up")
	d.must(t, "verify")
	exec("DROP TABLE run_search CASCADE")
	require.NotContains(t, d.run(t, "verify").err, "brings it up")
	exec("DROP TABLE provider_intents CASCADE")
	require.Contains(t, d.run(t, "verify").err, "restore the database from a backup")
}
