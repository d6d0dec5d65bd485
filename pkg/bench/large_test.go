package bench

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/server"
)

// What asks for a few runs reads a few rows of each table, also where nothing fits and
// however many ended runs there are.
func Test_Ended_runs_are_copied_soundly_and_are_not_read_by_who_asks_for_few(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	s, _ := connectedTo(t, true)
	require.NoError(t, s.serve(t.Context(), server.Roles{Ingress: true, Worker: true}))
	require.NoError(t, s.models(t.Context()))
	s.server.Stop()
	const ended = 4000
	var made int64
	require.NoError(t, multiply(t.Context(), s.pool, time.Now(), ended, func(n int64) { made = n }))
	require.InDelta(t, ended, made, 200)
	s.requirePromises(t)

	run, err := s.middle(t.Context())
	require.NoError(t, err)
	queries, one := dbsqlc.New(), func(s string) *string { return &s }
	newest := dbsqlc.DashboardRunListParams{BeforeAt: time.Now().Add(time.Hour), BeforeID: uuid.Max, MaxRows: 51}
	list := func(change func(p *dbsqlc.DashboardRunListParams)) func(ctx context.Context, tx pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			p := newest
			change(&p)
			_, err := queries.DashboardRunList(ctx, tx, p)
			return err
		}
	}
	for what, ask := range map[string]func(ctx context.Context, tx pgx.Tx) error{
		"cancelled runs, of which there is none":     list(func(p *dbsqlc.DashboardRunListParams) { p.Status = one("cancelled") }),
		"held runs, of which there is none":          list(func(p *dbsqlc.DashboardRunListParams) { p.Status = one("held") }),
		"runs that were rate limited, there is none": list(func(p *dbsqlc.DashboardRunListParams) { p.ErrorCode = one("rate_limited") }),
		"the newest runs":                            list(func(*dbsqlc.DashboardRunListParams) {}),
		"the runs of a day": list(func(p *dbsqlc.DashboardRunListParams) {
			day := run.ReceivedAt
			until := day.Add(time.Hour)
			p.Since, p.Until = &day, &until
		}),
		"cancelled runs on the command line, none there": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.SyncRunList(ctx, tx, dbsqlc.SyncRunListParams{MaxRows: 100, Statuses: []string{"cancelled"}})
			return err
		},
		"a number that was never read": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.RunSearchUnread(ctx, tx, run.Number)
			return err
		},
		"twenty runs, for a person to be forgotten": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.ForgetScan(ctx, tx, dbsqlc.ForgetScanParams{MaxRows: 20, Email: "a@example.com", Pattern: "x", Escaped: "a@example.com", EscapedPattern: "x"})
			return err
		},
		"a run's way back to what waits for it": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.SyncRunWake(ctx, tx, []uuid.UUID{run.ID})
			return err
		},
		"the heartbeat": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.QueueKeepShares(ctx, tx)
			return err
		},
		"a summary of the last day": func(ctx context.Context, tx pgx.Tx) error {
			_, err := queries.NotificationDayList(ctx, tx, dbsqlc.NotificationDayListParams{Since: time.Now().AddDate(0, 0, -1).Add(time.Hour), Until: time.Now()})
			return err
		},
	} {
		rows, of := s.rowsRead(t, ask)
		require.Less(t, rows, 400, "%s reads %s", what, of)
	}
}

// rowsRead is how many rows of the table that it reads most something reads.
func (s *site) rowsRead(t *testing.T, ask func(ctx context.Context, tx pgx.Tx) error) (rows int, of string) {
	t.Helper()
	tx, err := s.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	return pgtest.RowsRead(t, tx, func() error { return ask(t.Context(), tx) })
}
