package riverjobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/pgdb/pgtest"
)

func Test_Jobs_that_are_due_and_not_begun_are_noticed(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	now := time.Now()
	p := &Progress{Pool: pool, Now: func() time.Time { return now }}
	look := func(after time.Duration) error { now = now.Add(after); return p.Stuck(t.Context()) }
	change := func(statement string) {
		_, err := pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	require.NoError(t, look(0))
	require.NoError(t, look(2*idleFor), "nothing to do is no fault")

	change(`INSERT INTO river.river_job (kind, queue, max_attempts, args, scheduled_at)
		VALUES ('push_sync_state', 'push_sync_state', 25, '{}', clock_timestamp() - interval '1 hour')`)
	require.ErrorContains(t, look(0), "jobs are due and this process has begun none")
	p.begins()
	require.NoError(t, look(time.Second), "it has begun one")
	require.NoError(t, look(idleFor/2), "not for long")
	require.Error(t, look(idleFor))

	change(`INSERT INTO river.river_queue (name, paused_at, updated_at) VALUES ('push_sync_state', now(), now())`)
	require.NoError(t, look(idleFor), "somebody paused the queue")
	change(`UPDATE river.river_queue SET paused_at = NULL`)
	require.Error(t, look(0))
	change(`UPDATE river.river_job SET queue = 'of_a_newer_version'`)
	require.NoError(t, look(0), "it is not ours to do")
}
