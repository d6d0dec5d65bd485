package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/policy"
)

func Test_A_policy_is_replaced_as_a_whole(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	first := d.must(t, "binding", "policy", "get", d.binding)
	got, faults, err := policy.Parse([]byte(first))
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Equal(t, "200", got.RevenueAccountCode)
	require.False(t, got.SyncZeroValueInvoices)
	require.JSONEq(t, first, d.must(t, "binding", "policy", "get", d.binding, "--json"))
	require.Less(t, strings.Index(first, "sync_unpaid_invoices"), strings.Index(first, "default_xero_revenue_account_code"), "in the order of the reference")
	require.Less(t, strings.Index(first, "default_xero_revenue_account_code"), strings.Index(first, "b2c_consolidation"))

	var saved struct {
		ID       string `json:"id"`
		Version  int    `json:"policy_version"`
		Released *int   `json:"held_runs_released"`
	}
	d.mustJSON(t, &saved, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json", `{"invoice_number_prefix":"M-"}`))
	require.Equal(t, d.binding, saved.ID)
	require.Equal(t, 3, saved.Version)
	require.NotNil(t, saved.Released)
	second, _, err := policy.Parse([]byte(d.must(t, "binding", "policy", "get", d.binding)))
	require.NoError(t, err)
	require.Empty(t, second.RevenueAccountCode, "an absent field has its default")
	require.Equal(t, "M-", *second.InvoiceNumberPrefix)

	// What get printed can be set.
	require.Contains(t, d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", first)), "policy version 4 saved")
	require.JSONEq(t, first, d.must(t, "binding", "policy", "get", d.binding))
}

func Test_Faults_of_a_policy_are_named_by_field_and_nothing_is_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	before := d.must(t, "binding", "policy", "get", d.binding)
	bad := file(t, "bad.json", `{"sync_everything":true,"tax_rate_map":{"20":"OUTPUT2"},"default_xero_payment_terms_days":366,
		"default_xero_revenue_account_code":"9999"}`)
	want := map[string]string{
		"sync_everything": policy.UnknownField, "tax_rate_map.20": policy.InvalidFormat,
		"default_xero_payment_terms_days": policy.OutOfRange, "default_xero_revenue_account_code": policy.NotInReference,
	}

	asked := d.xero.AllCalls()
	s := d.run(t, "binding", "policy", "set", d.binding, "--file", bad)
	require.Equal(t, exitFailed, s.code)
	for field, code := range want {
		require.Contains(t, s.err, field+": "+code+": ")
	}
	require.Contains(t, s.err, "nothing was saved; policy version 2 stays in force")
	require.Equal(t, asked, d.xero.AllCalls(), "the form is wrong: nobody is asked for the rest")

	asJSON := d.run(t, "binding", "policy", "set", d.binding, "--file", bad, "--json")
	require.Equal(t, exitFailed, asJSON.code)
	requireSnakeCase(t, []byte(asJSON.out))
	var answer struct {
		Version int `json:"policy_version"`
		Errors  []policy.FieldError
	}
	decode(t, []byte(asJSON.out), &answer)
	got := map[string]string{}
	for _, fault := range answer.Errors {
		require.NotEmpty(t, fault.Message)
		got[fault.Field] = fault.Code
	}
	require.Equal(t, want, got)
	require.Equal(t, 2, answer.Version)

	require.Equal(t, before, d.must(t, "binding", "policy", "get", d.binding))
	var versions int
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT count(*) FROM policies").Scan(&versions))
	require.Equal(t, 2, versions)
}

func Test_What_settings_do_to_what_is_there_is_said_before_they_are_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t)
	d.shop.RaiseInvoice(unmappedCart())
	run := d.send(t)
	until(t, "held", func() bool { return d.status(t, run) == "held" })
	settings := file(t, "p.json", `{"invoice_number_prefix":"M-"}`)
	s := d.run(t, "binding", "policy", "set", d.binding, "--file", settings, "--dry-run")
	require.Zero(t, s.code, s.err)
	require.Contains(t, s.out, "nothing was saved; policy version 2 stays in force")
	require.Contains(t, s.err, "1 held run will be tried again under these settings")
	require.Contains(t, s.err, "back to the default: default_xero_revenue_account_code, sync_zero_value_invoices, tax_rate_map")
	require.Contains(t, s.err, "default_xero_revenue_account_code is not set")
	require.Contains(t, d.must(t, "binding", "policy", "get", d.binding), `"200"`)
}

func Test_What_is_no_JSON_is_named_by_its_place(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	for name, c := range map[string]struct {
		content string
		code    int
		want    string
	}{
		"a missing comma": {"{\n  \"sync_products\": true\n  \"sync_customers\": true}", exitUsage, "line 3, column 3"},
		"nothing":         {" \n", exitUsage, "line 1, column 1: there is nothing"},
		"a comment":       {"{\n  // all\n}", exitUsage, "line 2, column 3: JSON has no comments"},
		"UK":              {`{"default_xero_revenue_account_code":"200","tax_rate_map":{"UK:20.00":"OUTPUT2"}}`, exitFailed, "the United Kingdom is GB"},
		"XX":              {`{"default_xero_revenue_account_code":"200","tax_rate_map":{"XX:20.00":"OUTPUT2"}}`, exitFailed, "XX is no country code"},
	} {
		s := d.run(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", c.content))
		require.Equal(t, c.code, s.code, name)
		require.Contains(t, s.err, c.want, name)
	}
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "p.json", "\ufeff"+goodPolicy))
}

func Test_What_a_file_changes_is_said_before_it_is_saved(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	changed := file(t, "p.json", `{"default_xero_revenue_account_code":"200","sync_zero_value_invoices":true,
		"tax_rate_map":{"20.00":"OUTPUT2","5.00":"RROUTPUT"},"sync_products":true}`)
	const want = `against policy version 2:
  sync_products: false -> true
  sync_zero_value_invoices: false -> true
  tax_rate_map.0.00: "ZERORATEDOUTPUT" -> none
  tax_rate_map.5.00: none -> "RROUTPUT"
`
	require.Equal(t, want, d.must(t, "binding", "policy", "diff", d.binding, "--file", changed))
	require.Equal(t, want+"policy version 3 saved; held runs released: 0\n", d.must(t, "binding", "policy", "set", d.binding, "--file", changed))
	require.Equal(t, "no setting differs from policy version 3\nnothing was saved; policy version 3 stays in force\n",
		d.must(t, "binding", "policy", "set", d.binding, "--file", changed))

	var differs struct {
		Version int `json:"policy_version"`
		Changes []policy.Change
		Reset   []string `json:"reset_to_default"`
	}
	d.mustJSON(t, &differs, "binding", "policy", "diff", d.binding, "1")
	require.Equal(t, 3, differs.Version)
	require.Len(t, differs.Changes, 4)
	require.Empty(t, differs.Reset, "an older version says all of them")
	require.Equal(t, exitUsage, d.run(t, "binding", "policy", "diff", d.binding).code, "with what?")
}

func Test_A_file_that_drops_settings_asks_first(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	less := file(t, "p.json", `{"default_xero_revenue_account_code":"200"}`)
	set := []string{"binding", "policy", "set", d.binding, "--file", less}
	unasked := d.run(t, set...)
	require.Equal(t, exitFailed, unasked.code)
	require.Contains(t, unasked.err, "nothing was saved: settings that are in force and not in the file would go back to their defaults: sync_zero_value_invoices, tax_rate_map")
	require.Contains(t, unasked.err, "--yes")
	for _, typed := range []string{"no\n", "\n", ""} {
		refused := d.answering(t, typed, set...)
		require.Equal(t, exitFailed, refused.code)
		require.Contains(t, refused.err, "Save it? Type yes: towpath: nothing was saved\n")
	}
	require.Contains(t, d.must(t, "binding", "policy", "get", d.binding), "OUTPUT2")

	agreed := d.answering(t, "yes\n", set...)
	require.Zero(t, agreed.code, agreed.err)
	require.Contains(t, agreed.out, "policy version 3 saved")
	require.Contains(t, d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json", "{}")), "policy version 4 saved")
}

func Test_Every_version_is_told_and_can_be_restored(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	before := d.must(t, "binding", "policy", "get", d.binding)
	d.must(t, "binding", "policy", "set", d.binding, "--yes", "--file", file(t, "p.json", `{"invoice_number_prefix":"M-"}`))
	require.JSONEq(t, before, d.must(t, "binding", "policy", "get", d.binding, "2"))
	require.Equal(t, exitFailed, d.run(t, "binding", "policy", "restore", d.binding, "9").code)

	dry := d.must(t, "binding", "policy", "restore", d.binding, "2", "--dry-run")
	require.Contains(t, dry, `invoice_number_prefix: "M-" -> null`)
	require.Contains(t, dry, "policy version 3 stays in force")
	require.Contains(t, d.must(t, "binding", "policy", "restore", d.binding, "2"), "policy version 4 saved")
	require.JSONEq(t, before, d.must(t, "binding", "policy", "get", d.binding))

	var history []struct {
		Version   int
		CreatedAt time.Time `json:"created_at"`
		Who       *string
		InForce   bool `json:"in_force"`
		Changes   []policy.Change
	}
	d.mustJSON(t, &history, "binding", "policy", "history", d.binding)
	require.Len(t, history, 4)
	for i, v := range history {
		require.Equal(t, 4-i, v.Version)
		require.Equal(t, i == 0, v.InForce)
		require.WithinDuration(t, time.Now(), v.CreatedAt, 10*time.Minute)
	}
	require.Equal(t, "cli:ada", *history[0].Who)
	require.Nil(t, history[3].Who, "nobody saved the defaults")
	require.Empty(t, history[3].Changes)
	require.Regexp(t, `(?m)^4 .*cli:ada +yes +.*invoice_number_prefix: "M-" -> null`, d.must(t, "binding", "policy", "history", d.binding))
}

func Test_Old_settings_that_the_ledger_would_refuse_now_are_not_restored(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	_, err := d.pool.Exec(t.Context(), `UPDATE policies SET policy = policy || '{"default_xero_revenue_account_code":"9999"}' WHERE version = 1`)
	require.NoError(t, err)
	s := d.run(t, "binding", "policy", "restore", d.binding, "1")
	require.Equal(t, exitFailed, s.code)
	require.Contains(t, s.err, "default_xero_revenue_account_code: not_in_reference")
	require.Contains(t, s.err, "policy version 2 stays in force")
}

// editor is one that does a step each time it is opened.
func (d *desk) editor(t *testing.T, steps ...string) *desk {
	t.Helper()
	script := "set -eu\nn=$(cat \"$0.n\" 2>/dev/null || echo 0)\necho $((n + 1)) >\"$0.n\"\ncase $n in\n"
	for i, step := range steps {
		script += fmt.Sprintf("%d) %s ;;\n", i, step)
	}
	return d.with(map[string]string{"EDITOR": "sh " + file(t, "editor", script+"*) echo opened too often >&2; exit 1 ;;\nesac\n")})
}

func Test_Settings_are_edited(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	edit := []string{"binding", "policy", "edit", d.binding}
	for name, steps := range map[string][]string{"unchanged": {":"}, "emptied": {`: >"$1"`}} {
		s := d.editor(t, steps...).run(t, edit...)
		require.Zero(t, s.code, "%s: %s", name, s.err)
		require.Equal(t, "nothing was saved; policy version 2 stays in force\n", s.out, name)
	}
	const right, wrong = `sed -i 's/"sync_products": .*,/"sync_products": true,/' "$1"`, `sed -i 's/"sync_products": .*,/"sync_products": maybe,/' "$1"`
	mended := d.editor(t, wrong, `sed -i 's/maybe/"perhaps"/' "$1"`, right).run(t, edit...)
	require.Zero(t, mended.code, mended.err)
	require.Equal(t, "against policy version 2:\n  sync_products: false -> true\npolicy version 3 saved; held runs released: 0\n", mended.out)
	require.Contains(t, mended.err, "column")
	require.Contains(t, mended.err, "sync_products: invalid_format: write true or false")
	require.NotContains(t, mended.err, "kept in")

	left := d.editor(t, wrong, ":").run(t, edit...)
	require.Equal(t, exitFailed, left.code)
	require.Contains(t, left.err, "the mistake is still there")
	kept := regexp.MustCompile(`kept in (\S+)`).FindStringSubmatch(left.err)
	require.Len(t, kept, 2, left.err)
	require.Contains(t, read(t, kept[1]), "maybe")
	require.NoError(t, os.Remove(kept[1]))

	require.Equal(t, exitFailed, d.editor(t).run(t, edit...).code, "the editor fails")
	none := d.with(map[string]string{"EDITOR": ""}).run(t, edit...)
	require.Equal(t, exitUsage, none.code)
	require.Contains(t, none.err, "set EDITOR")
}

// What somebody saves while a person edits is not undone in silence.
func Test_An_edit_does_not_overwrite_what_was_saved_meanwhile(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	saved := make(chan struct{})
	gate := filepath.Join(t.TempDir(), "gate")
	require.NoError(t, syscall.Mkfifo(gate, 0o600))
	go func() {
		defer close(saved)
		if err := os.WriteFile(gate, nil, 0); err != nil { // the editor is open
			t.Error(err)
		}
		d.runContext(t.Context(), "binding", "policy", "restore", d.binding, "1")
		if err := os.WriteFile(gate, nil, 0); err != nil {
			t.Error(err)
		}
	}()
	s := d.editor(t, fmt.Sprintf(`cat %[1]s; cat %[1]s; sed -i 's/"sync_products": .*,/"sync_products": true,/' "$1"`, gate)).run(t, "binding", "policy", "edit", d.binding)
	<-saved
	require.Equal(t, exitFailed, s.code, s.out)
	require.Contains(t, s.err, "changed by somebody else meanwhile")
	kept := regexp.MustCompile(`kept in (\S+)`).FindStringSubmatch(s.err)
	require.Len(t, kept, 2, s.err)
	require.NoError(t, os.Remove(kept[1]))
	require.NotContains(t, d.must(t, "binding", "policy", "get", d.binding), `"sync_products": true`)
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(raw)
}
