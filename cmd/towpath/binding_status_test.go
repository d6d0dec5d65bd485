package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Status_shows_the_calls_and_what_waits(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	var list []statusView
	d.mustJSON(t, &list, "binding", "status")
	require.Len(t, list, 1)
	require.Equal(t, d.binding, list[0].ID.String())
	require.Equal(t, 60, list[0].CallsPerMinute)
	require.Positive(t, list[0].CallsUsed, "the reference data were read")
	require.Zero(t, list[0].Seconds, "nothing waits")
	require.Contains(t, d.must(t, "binding", "status"), d.binding)
}

func Test_Status_says_who_does_not_answer(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	_, err := d.pool.Exec(t.Context(), `INSERT INTO circuits (key, reason, failures, message, opened_at, probes, probe_at)
		SELECT tenant_id::text, 'shop_no_answer', 3, 'The shop did not answer in time', '2026-04-29 10:01:12Z', 2, '2026-04-29 10:13Z' FROM bindings`)
	require.NoError(t, err)
	var list []statusView
	d.mustJSON(t, &list, "binding", "status")
	require.Len(t, list[0].NoAnswer, 1)
	require.Equal(t, "shop_no_answer", list[0].NoAnswer[0].Reason)
	require.EqualValues(t, 2, list[0].NoAnswer[0].Probes)
	said := d.run(t, "binding", "status")
	require.Contains(t, said.out+said.err, "shop_no_answer since 2026-04-29T10:01:12Z: The shop did not answer in time; what waits for it is held")
	require.Contains(t, said.out+said.err, "the next from 2026-04-29T10:13:00Z on")

	d.must(t, "backfill", "--binding", d.binding, "--event", "invoice.created", "--ids", "7")
	_, err = d.pool.Exec(t.Context(), `UPDATE sync_runs SET status = 'held', hold_reason = 'shop_no_answer'`)
	require.NoError(t, err)
	require.Contains(t, d.must(t, "runs", "show", d.lastRun(t)), "the next from 2026-04-29T10:13:00Z on")
	_, err = d.pool.Exec(t.Context(), `DELETE FROM circuits`)
	require.NoError(t, err)
	require.NotContains(t, d.must(t, "runs", "show", d.lastRun(t)), "the next from")
}

func Test_Refresh_names_settings_that_refer_to_what_is_gone(t *testing.T) {
	t.Parallel()
	d := newDesk(t).connect(t)
	d.must(t, "binding", "policy", "set", d.binding, "--file", file(t, "policy.json", goodPolicy))
	d.must(t, "binding", "refresh", d.binding)
	_, err := d.pool.Exec(t.Context(), `UPDATE policies SET policy = policy || '{"default_xero_revenue_account_code":"999"}'`)
	require.NoError(t, err)
	said := d.run(t, "binding", "refresh", d.binding, "--json")
	require.Equal(t, exitFailed, said.code)
	var done refreshed
	require.NoError(t, json.Unmarshal([]byte(said.out), &done))
	require.Equal(t, "default_xero_revenue_account_code", done.SettingsFaults[0].Field)
	require.Equal(t, "not_in_reference", string(done.SettingsFaults[0].Code))
}
