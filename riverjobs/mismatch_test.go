package riverjobs_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb/pgtest"
	"towpath/pkg/syncrun"
)

// Test_Mismatch_is_empty_in_every_snapshot sends 160 runs and more through everything
// that can go wrong, with two worker processes that come and go and hands in
// River's tables, and looks at promise 1 all the while (storm_test.go has the
// weather).
func Test_Mismatch_is_empty_in_every_snapshot(t *testing.T) {
	pgtest.Long(t)
	t.Parallel()
	const events = 160
	b := setup(t)
	s := newStorm(b)
	samples := b.sampleEvery(t, 0)
	s.faults()
	workers := [2]worker{s.work(t, 0), s.work(t, 1)}
	began := time.Now()
	for n := 0; n < events || !s.enough(); n++ {
		require.Less(t, time.Since(began), 8*time.Minute, "the hands found too little to do: %v", s.did)
		if n < events || n%4 == 0 { // there is always something to get hold of
			s.raise(t, n)
		} else {
			pause(t)
		}
		s.hand(t, n)
		if n%8 == 7 {
			s.reconnect(t)
		}
		if n%50 == 49 {
			which := n / 50 % 2
			workers[which].stop() // what it worked on is given back
			workers[which] = s.work(t, which)
		}
	}
	for deadline := time.Now().Add(5 * time.Minute); !s.settled(t); pause(t) { // whoever does not answer is asked one at a time
		require.False(t, time.Now().After(deadline), "every run ends or is held")
	}
	taken, busy := samples()
	t.Logf("%d snapshots, %d of them with running jobs; hands: %v; ends: %v", taken, busy, s.did, s.ends(t))
	require.Greater(t, taken, 300)
	require.Greater(t, busy, 100)
	s.check(t)
}

// sample asks a hundred times a second: the storm asks without a pause.
func (b *bundle) sample(t *testing.T) (stop func() (taken, busy int)) {
	t.Helper()
	return b.sampleEvery(t, 10*time.Millisecond)
}

// sampleEvery asks the view in one snapshot after another until the returned
// function stops it; a row fails the test. busy are the snapshots in which jobs
// were running.
func (b *bundle) sampleEvery(t *testing.T, pace time.Duration) (stop func() (taken, busy int)) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.url)
	require.NoError(t, err)
	type counted struct {
		taken, busy int
		found       []string
		err         error
	}
	stopped, result := make(chan struct{}), make(chan counted, 1)
	go func() {
		var c counted
		defer func() { result <- c }()
		defer conn.Close(t.Context())
		for took := time.Duration(0); ; {
			select {
			case <-stopped:
				return
			case <-t.Context().Done():
				return
			case <-time.After(max(pace, 2*took)): // those who are looked at need the processors, too
			}
			var found []string
			var running int
			began := time.Now()
			if found, running, c.err = snapshot(t, conn); c.err != nil {
				return
			}
			took = time.Since(began)
			c.found = append(c.found, found...)
			c.taken++
			if running > 0 {
				c.busy++
			}
		}
	}()
	return func() (int, int) {
		close(stopped)
		c := <-result
		require.NoError(t, c.err)
		require.Empty(t, c.found)
		return c.taken, c.busy
	}
}

// snapshot asks both in one statement, which sees one snapshot.
func snapshot(t *testing.T, conn *pgx.Conn) (found []string, running int, err error) {
	err = conn.QueryRow(t.Context(), `
		SELECT ARRAY (SELECT run_queue_mismatch::text FROM run_queue_mismatch),
			(SELECT count(*) FROM river.river_job WHERE state = 'running')`).Scan(&found, &running)
	return found, running, err
}

// check asserts what must hold once the storm is over.
func (s *storm) check(t *testing.T) {
	t.Helper()
	s.b.noMismatch(t)
	documents := map[string]int{}
	for _, d := range s.b.ledger.documents() {
		documents[d.number]++
		require.Equal(t, 1, documents[d.number], "invoice number %s twice", d.number)
	}
	chips := map[string]string{syncrun.Succeeded: "synced", syncrun.Skipped: "skipped", syncrun.Failed: "failed", syncrun.Cancelled: "failed"}
	for id, inv := range s.raised {
		run := s.b.run(t, id)
		about := fmt.Sprintf("run %s, %s, %v", id, run.Status, s.b.steps(t, id))
		switch text(run.ShopTold) {
		case "":
			require.Equal(t, syncrun.Held, run.Status, about)
		case "told":
			require.Equal(t, chips[run.Status], s.b.shop.Chip(run.EntityType, run.MagentoEntityID).Status, about)
		case "given_up":
			require.Contains(t, s.silenced, id, about)
		default:
			require.Fail(t, "not settled", about)
		}
		if run.Status == syncrun.Succeeded {
			require.Equal(t, 1, documents[inv], about)
		}
	}
}

// ends counts the runs by status.
func (s *storm) ends(t *testing.T) map[string]int64 {
	t.Helper()
	rows, err := dbsqlc.New().SyncRunCountByStatus(t.Context(), s.b.pool)
	require.NoError(t, err)
	ends := map[string]int64{}
	for _, row := range rows {
		ends[row.Status] = row.Runs
	}
	return ends
}

// settled reports whether every run is told, given up or held for good. What would only
// be tried again in a long while, by River or by the probe of who does not answer, is
// hurried, as an operator would.
func (s *storm) settled(t *testing.T) bool {
	t.Helper()
	s.reconnect(t)
	rows, err := s.b.pool.Query(t.Context(), `
		SELECT river_job_id
		FROM sync_runs
		WHERE river_job_id IS NOT NULL AND (status <> 'held' OR hold_reason = 'auth' OR hold_reason LIKE '%\_no\_answer')`)
	require.NoError(t, err)
	jobs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	for _, id := range jobs {
		job, err := s.b.insert.JobGet(t.Context(), id)
		waits := err == nil && (time.Until(job.ScheduledAt) > time.Second || job.State == rivertype.JobStatePending)
		if waits && rand.IntN(20) == 0 {
			_, _ = s.b.insert.JobRetry(t.Context(), id)
		}
	}
	return len(jobs) == 0
}
