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
