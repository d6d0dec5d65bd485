package verify_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/verify"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func always(context.Context) (bool, error) { return true, nil }

func Test_Each_promise_is_checked_once_a_round_and_what_breaks_it_is_stored(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	// A job that waits for a run that is not there.
	_, err := pool.Exec(t.Context(), `INSERT INTO river.river_job (kind, args, max_attempts, queue)
		VALUES ('post_invoice', '{"run_id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}', 3, 'post_invoice')`)
	require.NoError(t, err)
	rounds := &verify.Rounds{Pool: pool, Leads: always, Logger: slog.New(slog.DiscardHandler)}
	seen := map[string]bool{}
	for range verify.Promises() {
		name, first, err := rounds.Next(t.Context())
		require.NoError(t, err)
		require.True(t, first)
		require.False(t, seen[name], "%s again before the others", name)
		seen[name] = true
	}
	require.Len(t, seen, len(verify.Promises()))
	name, _, err := rounds.Next(t.Context())
	require.NoError(t, err)
	require.Empty(t, name, "an hour has not passed")

	stored, err := dbsqlc.New().VerifyCheckList(t.Context(), pool)
	require.NoError(t, err)
	for _, check := range stored {
		if check.Name == "queue_state" {
			require.EqualValues(t, 1, check.Broken)
			require.Len(t, check.Samples, 1)
			continue
		}
		require.Zero(t, check.Broken, check.Name)
		require.Empty(t, check.Error)
	}

	_, err = pool.Exec(t.Context(), `UPDATE verify_checks SET checked_at = checked_at - interval '2 hours' WHERE name IN ('told', 'xref')`)
	require.NoError(t, err)
	name, _, err = rounds.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "told", name)
}

func Test_A_process_that_does_not_lead_checks_nothing(t *testing.T) {
	t.Parallel()
	rounds := &verify.Rounds{Pool: pgtest.New(t), Leads: func(context.Context) (bool, error) { return false, nil }, Logger: slog.New(slog.DiscardHandler)}
	name, _, err := rounds.Next(t.Context())
	require.NoError(t, err)
	require.Empty(t, name)
}

func Test_A_check_that_takes_too_long_is_broken_off_and_looks_half_as_far_back_next(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	queries := dbsqlc.New()
	since := time.Now().Add(-8 * 24 * time.Hour)
	require.NoError(t, queries.VerifyCheckPut(t.Context(), pool, dbsqlc.VerifyCheckPutParams{Name: "queue_state", Broken: 3, Samples: []string{"x"}, Since: since}))
	// Whoever looks waits for this.
	hold, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = hold.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = hold.Exec(t.Context(), `LOCK TABLE river.river_job`)
	require.NoError(t, err)
	rounds := &verify.Rounds{Pool: pool, Leads: always, Logger: slog.New(slog.DiscardHandler), Every: time.Nanosecond}
	for _, name := range []string{"told", "one_document", "one_customer", "own_contact", "one_number", "xref", "exact_totals", "intents"} {
		checked, _, err := rounds.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, name, checked)
	}
	rounds.Budget = 100 * time.Millisecond
	checked, _, err := rounds.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "queue_state", checked)
	of := func() dbsqlc.VerifyCheck {
		stored, err := queries.VerifyCheckList(t.Context(), pool)
		require.NoError(t, err)
		for _, check := range stored {
			if check.Name == "queue_state" {
				return check
			}
		}
		return dbsqlc.VerifyCheck{}
	}
	broken := of()
	require.Contains(t, broken.Error, "timeout")
	require.EqualValues(t, 3, broken.Broken, "what was known before")

	require.NoError(t, hold.Rollback(t.Context()))
	rounds.Budget = 0
	_, err = pool.Exec(t.Context(), `UPDATE verify_checks SET checked_at = checked_at - interval '1 day', since = since - interval '1 day' WHERE name = 'queue_state'`)
	require.NoError(t, err)
	checked, _, err = rounds.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "queue_state", checked)
	again := of()
	require.Empty(t, again.Error)
	require.Zero(t, again.Broken)
	require.InDelta(t, 8*24, again.CheckedAt.Sub(again.Since).Hours(), 1, "half of the sixteen days that took too long")
}
