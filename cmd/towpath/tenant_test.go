package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/demo"
	"towpath/pkg/secret"
)

func Test_A_tenant_is_created_with_a_key_that_is_shown_once(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var made map[string]json.RawMessage
	d.mustJSON(t, &made, "tenant", "create", "--name", "Books & Co", "--magento-url", "https://shop.example")
	d.requireColumns(t, made, "tenants", "api_key")
	var id, key string
	decode(t, made["id"], &id)
	decode(t, made["api_key"], &key)
	require.NoError(t, uuid.Validate(id))
	require.Regexp(t, `^[0-9a-f]{64}$`, key)

	var sealed []byte
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT api_key_sealed FROM tenants WHERE id = $1", id).Scan(&sealed))
	require.NotContains(t, string(sealed), key)
	box, err := secret.ParseKeys(testKey)
	require.NoError(t, err)
	opened, err := box.Open(sealed, secret.Place(secret.TenantAPIKey, id))
	require.NoError(t, err)
	require.Equal(t, key, string(opened))

	var list []map[string]json.RawMessage
	d.mustJSON(t, &list, "tenant", "list")
	require.Len(t, list, 1)
	d.requireColumns(t, list[0], "tenants")
	require.JSONEq(t, `"Books & Co"`, string(list[0]["name"]))
	require.NotContains(t, d.must(t, "tenant", "list")+d.must(t, "tenant", "list", "--json"), key)
}

func Test_A_tenant_may_bring_its_id_and_key(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const id, key = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	create := []string{"tenant", "create", "--name", "A", "--magento-url", "https://shop.example", "--id", id, "--api-key", key}
	out := d.must(t, create...)
	require.Contains(t, out, "tenant "+id+" created")
	require.NotContains(t, out, key, "whoever gave it has it")

	again := d.run(t, create...)
	require.Equal(t, exitFailed, again.code)
	require.Contains(t, again.err, "tenant "+id+" exists already")
	require.Contains(t, d.must(t, "tenant", "list"), id)
}

func Test_No_tenants_are_an_empty_list(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.JSONEq(t, "[]", d.must(t, "tenant", "list", "--json"))
	require.JSONEq(t, "[]", d.must(t, "binding", "list", "--json"))
	require.JSONEq(t, "[]", d.must(t, "runs", "list", "--json"))
}

func Test_A_shop_that_moved_is_changed_and_its_runs_look_again(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var changed map[string]any
	d.mustJSON(t, &changed, "tenant", "change", d.tenant, "--name", "Moved", "--magento-url", "http://127.0.0.1:2/shop")
	require.Equal(t, "Moved", changed["name"])
	require.Equal(t, "http://127.0.0.1:2/shop", changed["magento_url"])
	require.Contains(t, d.must(t, "tenant", "list"), "http://127.0.0.1:2/shop")
	for _, wrong := range [][]string{{d.tenant}, {d.tenant, "--magento-url", "shop.example"}, {d.tenant, "--magento-url", "http://127.0.0.1:2/rest"}} {
		require.Equal(t, exitUsage, d.run(t, append([]string{"tenant", "change"}, wrong...)...).code, wrong)
	}
	require.Equal(t, exitFailed, d.run(t, "tenant", "change", "00000000-0000-4000-8000-000000000000", "--name", "y").code)
	require.Equal(t, exitUsage, d.run(t, "tenant", "change", "x", "--name", "y").code)
}

func Test_A_key_that_does_not_open_what_is_stored_seals_nothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	other := d.with(map[string]string{"TOWPATH_SECRET_KEY": "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="})
	refused := other.run(t, "tenant", "create", "--name", "Second", "--magento-url", "http://127.0.0.1:2")
	require.Equal(t, exitFailed, refused.code)
	require.Contains(t, refused.err, "TOWPATH_SECRET_KEY")
	require.NotContains(t, d.must(t, "tenant", "list"), "Second")
}

func Test_A_twin_of_a_shop_is_not_made_by_mistake(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	create := func(name, url string, more ...string) said {
		return d.run(t, append([]string{"tenant", "create", "--name", name, "--magento-url", url}, more...)...)
	}
	first := create("Books", "https://shop.example")
	require.Zero(t, first.code)
	require.Empty(t, first.err)
	twin := create("books", "https://SHOP.example/")
	require.Equal(t, exitFailed, twin.code)
	require.Contains(t, twin.err, "has this name and address already (Books at https://shop.example)")
	require.Contains(t, twin.err, "--force")
	require.Empty(t, twin.out)
	for _, similar := range []said{create("Books", "https://other.example"), create("Toys", "https://shop.example"), create("Books", "https://shop.example", "--force")} {
		require.Zero(t, similar.code, similar.err)
		require.Contains(t, similar.err, "Books at https://shop.example; where names or addresses are alike, commands want the id")
	}
}

func Test_A_shop_is_deleted_only_where_nothing_was_accepted(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	unasked := d.run(t, "tenant", "delete", "shop")
	require.Equal(t, exitFailed, unasked.code)
	require.Contains(t, unasked.err, "its key would be forgotten, with 1 binding; what the shop sends from then on is refused")
	require.Contains(t, unasked.err, "--yes")
	require.Contains(t, d.answering(t, "no\n", "tenant", "delete", "shop").err, "not deleted")

	d.serve(t, "ingress")
	d.shop.RaiseInvoice(demo.Cart())
	run := d.send(t)
	used := d.run(t, "tenant", "delete", "shop", "--yes")
	require.Equal(t, exitFailed, used.code)
	require.Contains(t, used.err, "tenant "+d.tenant+" is not deleted: it has runs (1), whose history is kept")
	require.Equal(t, "queued", d.status(t, run))

	other := newDesk(t).connect(t)
	// An app of its own, with a consent under way.
	other.must(t, "binding", "change", "shop", "--client-id", "app", "--client-secret-file", file(t, "secret", "s"), "--grant", "authorization_code")
	other.must(t, "binding", "connect", "shop", "--base-url", "http://localhost:8080")
	var deleted struct {
		ID       string
		Bindings []string `json:"binding_ids"`
	}
	other.mustJSON(t, &deleted, "tenant", "delete", "shop", "--yes")
	require.Equal(t, other.tenant, deleted.ID)
	require.Equal(t, []string{other.binding}, deleted.Bindings)
	for _, table := range []string{"tenants", "bindings", "policies", "oauth_grants", "oauth_states", "spent_jtis"} {
		var rows int
		require.NoError(t, other.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows))
		require.Zero(t, rows, table)
	}
	require.Equal(t, exitFailed, other.run(t, "tenant", "delete", other.tenant, "--yes").code, "it is gone")
	other.serve(t, "ingress")
	other.shop.RaiseInvoice(demo.Cart())
	_, err := other.shop.Drain(t.Context())
	require.NoError(t, err)
	require.Contains(t, other.shop.Outbox()[0].LastError, "401")
}

func Test_A_name_that_lines_and_terminals_cannot_show_is_refused(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]string{"a\nb": "line breaks", "a\x1b[2J": "control", "a\u202eb": "invisible", strings.Repeat("é", 201): "more than 200 characters"} {
		for _, args := range [][]string{
			{"tenant", "create", "--magento-url", "https://shop.example"},
			{"tenant", "change", "A"},
			{"tenant", "pair", "--magento-url", "https://shop.example", "--code", "c", "--provider", "xero", "--base-url", "https://towpath.example"},
		} {
			var said bytes.Buffer
			require.Equal(t, exitUsage, run(t.Context(), append(args, "--name", name), consoleOf(nil, io.Discard, &said)), "%q %q", args, name)
			require.Contains(t, said.String(), why)
		}
	}
}
