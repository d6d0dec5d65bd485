package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"towpath/pkg/bulk"
	"towpath/pkg/demo"
	"towpath/pkg/magento/magentosim"
	"towpath/riverjobs"
)

// fates are runs that ended, or wait, in each way; their ids by status.
type fates map[string]string

// send lets the shop send what is in its outbox and answers the last run's id.
func (d *desk) send(t *testing.T) string {
	t.Helper()
	_, err := d.shop.Drain(t.Context())
	require.NoError(t, err)
	rows := d.shop.Outbox()
	last := rows[len(rows)-1]
	require.Equal(t, magentosim.RowSucceeded, last.Status, last.LastError)
	return last.SyncRunID
}

// unmappedCart bears a tax rate that the policy does not map.
func unmappedCart() magentosim.Cart {
	cart := demo.Cart()
	cart.Items[0].TaxPercent = decimal.NewFromInt(5)
	return cart
}

// work lets one run of every fate come about, then stops the workers.
func (d *desk) work(t *testing.T) fates {
	t.Helper()
	s := d.serve(t)
	f := fates{}
	for status, raise := range map[string]func(){
		"succeeded": func() { d.shop.RaiseInvoice(demo.Cart()) },
		"held":      func() { d.shop.RaiseInvoice(unmappedCart()) },
		"failed":    func() { require.True(t, d.shop.Enqueue("invoice.created", 4242, nil)) }, // the shop does not know it
		"skipped_by_policy": func() {
			_, err := d.shop.RaiseCanonical(sample(t, "zero_value"))
			require.NoError(t, err)
		},
	} {
		raise()
		f[status] = d.send(t)
		until(t, status, func() bool { return d.status(t, f[status]) == status })
	}
	until(t, "the shop is told", func() bool {
		var open int
		err := d.pool.QueryRow(t.Context(), "SELECT count(*) FROM sync_runs WHERE stage = 'push'").Scan(&open)
		return err == nil && open == 0
	})
	s.Stop()
	d.serve(t, "ingress")
	d.shop.RaiseInvoice(demo.Cart())
	f["queued"] = d.send(t)
	return f
}

type listed struct {
	ID, Status, Event string
}

func ids(list []listed) []string {
	found := []string{}
	for _, run := range list {
		found = append(found, run.ID)
	}
	return found
}

func Test_Runs_are_listed_shown_retried_and_cancelled(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	f := d.work(t)
	// In this order: each leaves to the next what it needs.
	t.Run("listed_by_every_filter", func(t *testing.T) { d.filters(t, f) })
	t.Run("shown_with_their_history", func(t *testing.T) { d.shown(t, f) })
	t.Run("shown_by_their_number", func(t *testing.T) { d.shownByNumber(t, f) })
	t.Run("shown_without_what_a_terminal_obeys", func(t *testing.T) { d.shownHarmless(t, f) })
	t.Run("retried_dry", func(t *testing.T) { d.retriedDry(t, f) })
	t.Run("not_retried_when_done", func(t *testing.T) { d.notRetried(t, f) })
	t.Run("one_by_its_number", func(t *testing.T) { d.oneByNumber(t, f) })
	t.Run("all_that_need_it", func(t *testing.T) { d.allThatNeedIt(t) })
	t.Run("retried_by_filter", func(t *testing.T) { d.retriedByFilter(t, f) })
	t.Run("retried_by_id", func(t *testing.T) { d.retriedByID(t, f) })
	t.Run("cancelled", func(t *testing.T) { d.cancelled(t, f) })
	t.Run("told_in_the_audit", func(t *testing.T) {
		said := d.must(t, "audit", "list")
		require.Regexp(t, `run\.cancelled .*status: "\w+" -> "cancelled"`, said)
		require.Regexp(t, `run\.retried .*status: "failed" -> "queued"`, said)
		require.NotContains(t, said, "-> nothing")
	})
	t.Run("sound_all_the_while", func(t *testing.T) { d.must(t, "verify") })
}

func (d *desk) filters(t *testing.T, f fates) {
	all := []string{}
	for _, id := range f {
		all = append(all, id)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"all":              {nil, all},
		"status":           {[]string{"--status", "failed"}, []string{f["failed"]}},
		"status_held":      {[]string{"--status", "held"}, []string{f["held"]}},
		"status_twice":     {[]string{"--status", "failed", "--status", "Held"}, []string{f["failed"], f["held"]}},
		"status_comma":     {[]string{"--status", "FAILED, held,queued"}, []string{f["failed"], f["held"], f["queued"]}},
		"event_case":       {[]string{"--event", "Invoice.Created,invoice.paid"}, all},
		"tenant_by_name":   {[]string{"--tenant", "shop"}, all},
		"two_errors":       {[]string{"--error", "NOT_FOUND", "--error", "tax_rate_not_mapped"}, []string{f["failed"], f["held"]}},
		"event":            {[]string{"--event", "invoice.created"}, all},
		"another_event":    {[]string{"--event", "invoice.paid"}, nil},
		"tenant":           {[]string{"--tenant", d.tenant}, all},
		"error":            {[]string{"--error", "not_found"}, []string{f["failed"]}},
		"since_a_duration": {[]string{"--since", "1h"}, all},
		"since_a_day":      {[]string{"--since", time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)}, nil},
		"since_a_moment":   {[]string{"--since", time.Now().Add(time.Hour).Format(time.RFC3339)}, nil},
		"until_a_duration": {[]string{"--until", "1h"}, nil},
		"invoice":          {[]string{"--invoice", d.number(t, f["succeeded"])}, []string{f["succeeded"]}},
		"another_invoice":  {[]string{"--invoice", "no such number"}, nil},
		"limit":            {[]string{"--limit", "1"}, []string{f["queued"]}},
		"two_of_them":      {[]string{"--status", "failed", "--error", "http"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var list []listed
			d.mustJSON(t, &list, append([]string{"runs", "list"}, c.args...)...)
			require.ElementsMatch(t, c.want, ids(list))
		})
	}
	unknown := d.run(t, "runs", "list", "--tenant", d.binding)
	require.Equal(t, exitFailed, unknown.code)
	require.Contains(t, unknown.err, "there is no tenant "+d.binding)
	var raw []map[string]json.RawMessage
	d.mustJSON(t, &raw, "runs", "list")
	d.requireColumns(t, raw[0], "sync_runs", "tenant", "provider", "number", "customer", "amount", "currency")
	table := d.must(t, "runs", "list")
	require.Contains(t, table, "RECEIVED_AT")
	for status, id := range f {
		require.Regexp(t, id+`.*\b`+status, table)
	}
	require.Contains(t, table, "tax_rate_not_mapped")
	require.Contains(t, d.run(t, "runs", "list", "--limit", "1").err, "--limit takes more")
}

// number is the invoice's, as the list tells it.
func (d *desk) number(t *testing.T, id string) string {
	t.Helper()
	var number string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT number FROM run_search WHERE run_id = $1", id).Scan(&number))
	require.NotEmpty(t, number)
	return number
}

func (d *desk) shownByNumber(t *testing.T, f fates) {
	number := d.number(t, f["succeeded"])
	require.Contains(t, d.must(t, "runs", "show", number), "run "+f["succeeded"])
	none := d.run(t, "runs", "show", "no-such-number")
	require.Equal(t, exitFailed, none.code)
	require.Contains(t, none.err, `no run has the id or number "no-such-number"`)
	_, err := d.pool.Exec(t.Context(), "INSERT INTO run_search SELECT $1, now(), number, customer, amount, currency, terms FROM run_search WHERE run_id = $2",
		f["failed"], f["succeeded"])
	require.NoError(t, err)
	var several []listed
	d.mustJSON(t, &several, "runs", "show", number)
	require.ElementsMatch(t, []string{f["failed"], f["succeeded"]}, ids(several))
	_, err = d.pool.Exec(t.Context(), "DELETE FROM run_search WHERE run_id = $1", f["failed"])
	require.NoError(t, err)
}

func (d *desk) shown(t *testing.T, f fates) {
	var run struct {
		Status, Stage     string
		Number, Customer  string
		Amount, Currency  string
		ProviderReference string          `json:"provider_reference"`
		ShopTold          string          `json:"shop_told"`
		Canonical         json.RawMessage `json:"canonical"`
		Document          json.RawMessage `json:"document"`
		Events            []struct {
			Step, Who string
			Calls     []string
		}
	}
	d.mustJSON(t, &run, "runs", "show", f["succeeded"])
	require.Equal(t, "succeeded", run.Status)
	require.Equal(t, d.number(t, f["succeeded"]), run.Number)
	require.NotEmpty(t, run.Customer)
	require.NotEmpty(t, run.Amount)
	require.Equal(t, "GBP", run.Currency)
	require.Equal(t, "done", run.Stage)
	require.Equal(t, "told", run.ShopTold)
	require.NotEmpty(t, run.ProviderReference)
	require.Contains(t, string(run.Canonical), "Mooring rope")
	require.Contains(t, string(run.Document), "ACCREC")
	require.Equal(t, "accept", run.Events[0].Step)
	require.Equal(t, "push", run.Events[len(run.Events)-1].Step)
	calls := run.Events[len(run.Events)-2].Calls
	require.NotEmpty(t, calls)

	text := d.must(t, "runs", "show", f["succeeded"])
	require.Contains(t, text, "status succeeded")
	require.Contains(t, text, "xero document "+run.ProviderReference)
	require.Contains(t, text, "the shop was told")
	require.Contains(t, text, "\nxero's ids of the calls of attempt 1, for its support:\n  "+strings.Join(calls, " ")+"\n")
	held := d.must(t, "runs", "show", f["held"])
	require.Contains(t, held, "status held\nreason: tax_rate_not_mapped (a tax rate of this document has no tax type in the settings)\nerror: validation\nsays: ")
	require.Contains(t, held, "\nto do: Add the rate that the run's message names to tax_rate_map in the settings.\n")
	failed := d.must(t, "runs", "show", f["failed"])
	require.Contains(t, failed, "status failed\nerror: not_found (The shop has no such document)\nsays: ")
	require.Contains(t, failed, "\nthe shop's words: ")
	require.Contains(t, failed, "Then: towpath runs retry "+f["failed"]+"\n")
	require.Contains(t, held, "next attempt at")
	require.Contains(t, d.must(t, "runs", "show", f["skipped_by_policy"]), "zero_value_invoice")
	require.NotContains(t, text+held, "a-token")
}

// shownHarmless prints a row as an older version may have stored it.
func (d *desk) shownHarmless(t *testing.T, f fates) {
	const marks = "\x1b[31mred\u202egnp\u2028\u009b\r\x07"
	for _, statement := range []string{
		"UPDATE sync_runs SET error_message = $2, error_detail = $2, provider_reference = $2, provider_url = $2 WHERE id = $1",
		"UPDATE sync_run_events SET why = $2 || E'\nnext' WHERE run_id = $1",
		"UPDATE tenants SET name = $2 WHERE id = (SELECT tenant_id FROM sync_runs WHERE id = $1)",
	} {
		_, err := d.pool.Exec(t.Context(), statement, f["failed"], marks)
		require.NoError(t, err)
	}
	for _, args := range [][]string{{"runs", "list"}, {"runs", "list", "--json"}, {"runs", "show", f["failed"]}, {"runs", "show", f["failed"], "--json"}, {"tenant", "list"}} {
		said := d.must(t, args...)
		require.Contains(t, said, "red", args)
		require.NotContains(t, said, "\nnext", args)
		for _, r := range said {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028', "%U by %v", r, args)
		}
	}
	_, err := d.pool.Exec(t.Context(), "UPDATE tenants SET name = 'Shop' WHERE id = (SELECT tenant_id FROM sync_runs WHERE id = $1)", f["failed"])
	require.NoError(t, err)
}

func (d *desk) retriedDry(t *testing.T, f fates) {
	before := d.must(t, "runs", "list", "--json")
	const failed = "EVENT            STATUS  RUNS\ninvoice.created  failed  1\n1 run would be retried\n"
	require.Equal(t, failed, d.must(t, "runs", "retry", "--status", "failed", "--dry-run"))
	require.Equal(t, failed, d.must(t, "runs", "retry", f["failed"], "--dry-run"))
	everything := d.must(t, "runs", "retry", "--since", "1h", "--dry-run")
	require.Contains(t, everything, "4 runs would be retried")
	require.NotContains(t, everything, "succeeded")
	var counts []struct {
		Event, Status string
		Runs          int
	}
	d.mustJSON(t, &counts, "runs", "cancel", "--event", "invoice.created", "--dry-run")
	require.Len(t, counts, 2, "what has ended cannot be cancelled: %v", counts)
	require.Equal(t, before, d.must(t, "runs", "list", "--json"))
}

func (d *desk) oneByNumber(t *testing.T, f fates) {
	number := d.number(t, f["held"])
	require.Contains(t, d.must(t, "runs", "retry", number, "--dry-run"), "held    1\n1 run would be retried\n")
	require.Contains(t, d.must(t, "explain", "--run", number), "tax_rate_not_mapped")
	for _, text := range []string{number[:len(number)-1], d.customer(t, f["held"])} { // what show finds it by
		none := d.run(t, "runs", "cancel", text)
		require.Equal(t, exitFailed, none.code)
		require.Contains(t, none.err, "no run has the id or number")
	}
	restore := d.alsoNumbered(t, f["skipped_by_policy"], number)
	defer restore()
	several := d.run(t, "runs", "cancel", number)
	require.Equal(t, exitUsage, several.code)
	require.Contains(t, several.err, f["held"]+" (invoice.created of Shop, held)")
	require.Contains(t, several.err, f["skipped_by_policy"])
	require.Equal(t, "held", d.status(t, f["held"]))
}

// alsoNumbered gives a run another number, for a while.
func (d *desk) alsoNumbered(t *testing.T, id, number string) (restore func()) {
	t.Helper()
	before := d.number(t, id)
	set := func(n string) {
		_, err := d.pool.Exec(t.Context(), "UPDATE run_search SET number = $2, terms = terms || to_tsvector('simple', $2) WHERE run_id = $1", id, n)
		require.NoError(t, err)
	}
	set(number)
	return func() { set(before) }
}

func (d *desk) customer(t *testing.T, id string) string {
	t.Helper()
	var name string
	require.NoError(t, d.pool.QueryRow(t.Context(), "SELECT customer FROM run_search WHERE run_id = $1", id).Scan(&name))
	return name
}

func (d *desk) allThatNeedIt(t *testing.T) {
	said := d.must(t, "runs", "retry", "--all", "--dry-run")
	require.Contains(t, said, "2 runs would be retried")
	require.Regexp(t, "failed +1\ninvoice.created +held +1\n", said)
}

func (d *desk) notRetried(t *testing.T, f fates) {
	for _, word := range []string{"retry", "cancel"} {
		s := d.run(t, "runs", word, f["succeeded"])
		require.Equal(t, exitFailed, s.code)
		require.Contains(t, s.out, "nothing to do: it")
	}
	var done []struct{ ID, Outcome, Error string }
	s := d.run(t, "runs", "cancel", f["failed"], "--json")
	require.Equal(t, exitFailed, s.code)
	requireSnakeCase(t, []byte(s.out))
	decode(t, []byte(s.out), &done)
	require.Len(t, done, 1)
	require.Equal(t, f["failed"], done[0].ID)
	require.Equal(t, "error", done[0].Outcome)
	require.Contains(t, done[0].Error, "nothing to do")
}

func (d *desk) retriedByFilter(t *testing.T, f fates) {
	var done []struct{ ID, Outcome string }
	d.mustJSON(t, &done, "runs", "retry", "--error", "not_found")
	require.Len(t, done, 1)
	require.Equal(t, f["failed"], done[0].ID)
	require.Equal(t, "retried", done[0].Outcome)
	require.Equal(t, "queued", d.status(t, f["failed"]))
	require.Regexp(t, `retry\s+failed\s+queued\s+0\s+cli:ada`, d.must(t, "runs", "show", f["failed"]))
}

func (d *desk) retriedByID(t *testing.T, f fates) {
	for _, status := range []string{"held", "skipped_by_policy"} {
		require.Equal(t, f[status]+" retried\n1 run\n", d.must(t, "runs", "retry", f[status]))
		require.Equal(t, "queued", d.status(t, f[status]), status)
	}
}

func (d *desk) cancelled(t *testing.T, f fates) {
	require.Contains(t, d.must(t, "runs", "cancel", f["queued"]), "cancelled")
	require.Equal(t, "cancelled", d.status(t, f["queued"]))
	require.Regexp(t, `queued\s+cancelled\s+\d+\s+cli:ada`, d.must(t, "runs", "show", f["queued"]))
	require.Contains(t, d.must(t, "runs", "retry", f["queued"]), "retried")
	require.Equal(t, "queued", d.status(t, f["queued"]))
}

// What ended or went on by itself since the filters found it is no failure; a run that was
// named is.
func Test_Nothing_to_do_is_a_failure_of_a_named_run_only(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	gone := func(context.Context, uuid.UUID) error {
		return fmt.Errorf("retry run %s: %w: it is running", id, riverjobs.ErrNothingToDo)
	}
	var out strings.Builder
	io := console{out: &out, err: &out}
	require.NoError(t, chosen{}.each(t.Context(), io, []bulk.Run{{ID: id}}, "retried", gone))
	require.Equal(t, id.String()+" unchanged: nothing to do: it is running\n1 run\n", out.String())
	require.Error(t, chosen{ID: id.String()}.each(t.Context(), io, []bulk.Run{{ID: id}}, "retried", gone))
	require.Error(t, chosen{}.each(t.Context(), io, []bulk.Run{{ID: id}}, "retried", func(context.Context, uuid.UUID) error { return errSilent }))
}

func Test_More_runs_than_the_limit_are_not_forgotten_in_silence(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.serve(t, "ingress")
	for range 3 {
		d.shop.RaiseInvoice(demo.Cart())
	}
	d.send(t)
	s := d.run(t, "runs", "retry", "--status", "queued", "--limit", "2")
	require.Zero(t, s.code, s.err)
	require.Equal(t, 2, strings.Count(s.out, " retried\n"))
	require.Contains(t, s.out, "2 runs")
	require.Contains(t, s.err, fmt.Sprintf("only the newest %d are taken", 2))
	require.Equal(t, exitUsage, d.run(t, "runs", "cancel", "--all").code, "all of what?")
	s = d.run(t, "runs", "cancel", "--status", "queued", "--limit", "2", "--all")
	require.Equal(t, 3, strings.Count(s.out, " cancelled\n"), s.err)
	require.Empty(t, s.err)
}

func Test_All_goes_beyond_a_page(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "backfill", "--binding", d.binding, "--event", "invoice.created", "--ids", fmt.Sprintf("1-%d", bulk.PageSize+1))
	_, err := d.pool.Exec(t.Context(), "UPDATE sync_runs SET received_at = '2026-05-04T09:00:00Z'") // many at one moment
	require.NoError(t, err)
	require.Contains(t, d.must(t, "runs", "cancel", "--status", "queued", "--all", "--dry-run"), fmt.Sprintf("%d runs would be cancelled", bulk.PageSize+1))
	require.Contains(t, d.must(t, "runs", "cancel", "--status", "queued", "--dry-run"), "100 runs would be cancelled")
}
