package riverjobs_test

import (
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

func Test_A_process(t *testing.T) {
	t.Parallel()

	t.Run("Out_of_touch_begins_no_write", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var alive atomic.Bool
		b.work(t, func(c *riverjobs.Config) { c.Alive = alive.Load })
		_, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool {
			return r.Status == syncrun.Queued && r.Stage == "post" && r.ErrorMessage != nil
		})
		require.Zero(t, b.xero.Calls("PUT /Contacts")+b.xero.Calls("PUT /Invoices"))
		alive.Store(true)
		require.Equal(t, syncrun.Succeeded, b.until(t, id, told).Status)
	})

	t.Run("Is_alive_from_the_moment_it_has_joined", func(t *testing.T) {
		t.Parallel()
		url := pgtest.URL(t)
		process, err := riverjobs.Join(t.Context(), pgdb.Config{URL: url}, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		require.True(t, process.Alive())
		pool, err := pgxpool.New(t.Context(), url)
		require.NoError(t, err)
		defer pool.Close()
		var lives bool
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT bool_and(NOT towpath_process_dead(p, '4 s', '1 min')) FROM worker_processes AS p").Scan(&lives))
		require.True(t, lives)
	})
}
