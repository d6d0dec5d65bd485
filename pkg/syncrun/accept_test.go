package syncrun_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/syncrun"
)

func Test_Accept(t *testing.T) {
	t.Parallel()

	t.Run("A_set_makes_a_run_and_a_job_each", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		accepted := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2"),
			b.event("customer.upserted", 2, "customer.upserted:2"))
		require.Len(t, accepted, 3)
		require.Equal(t, 3, b.count(t, "SELECT count(*) FROM sync_runs JOIN river.river_job ON river_job.id = river_job_id WHERE status = 'queued'"))
		require.Equal(t, 3, b.count(t, "SELECT count(*) FROM sync_run_events WHERE step = 'accept'"))
		require.Zero(t, b.count(t, "SELECT count(*) FROM run_queue_mismatch"))
	})

	t.Run("A_known_event_in_a_set_is_answered_as_a_repeat", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0]
		accepted := b.mustAccept(t, b.event("invoice.created", 2, "invoice.created:2"), b.event("invoice.created", 1, "invoice.created:1"))
		require.False(t, accepted[0].Replayed)
		require.Equal(t, syncrun.Accepted{RunID: first.RunID, Replayed: true}, accepted[1])
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM river.river_job"))
	})

	t.Run("A_failed_run_that_is_sent_anew_starts_over_beside_new_ones", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		failed := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		// As one that failed, and of which the shop was told, long ago: its jobs are gone.
		_, err := b.pool.Exec(t.Context(), `UPDATE sync_runs SET status = 'failed', stage = 'done', river_job_id = NULL, shop_told = 'told', told_at = now(), finished_at = now(),
			error_code = 'validation', error_message = 'no'`)
		require.NoError(t, err)
		_, err = b.pool.Exec(t.Context(), "DELETE FROM river.river_job")
		require.NoError(t, err)
		accepted := b.mustAccept(t, b.event("invoice.created", 2, "invoice.created:2"), b.event("invoice.created", 1, "invoice.created:1"),
			b.event("invoice.created", 3, "invoice.created:3"))
		require.Equal(t, syncrun.Accepted{RunID: failed, Replayed: true}, accepted[1])
		require.Equal(t, 3, b.count(t, `SELECT count(*) FROM sync_runs AS run JOIN river.river_job AS job ON job.id = run.river_job_id
			WHERE run.status = 'queued' AND run.stage = 'fetch' AND job.args ->> 'run_id' = run.id::text`), "each has a job of its own")
		require.Equal(t, 3, b.count(t, "SELECT count(*) FROM river.river_job"))
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_run_events WHERE why = 'sent again by the shop'"))
		require.Zero(t, b.count(t, "SELECT count(*) FROM run_queue_mismatch"))
	})

	t.Run("One_run_of_an_event_that_is_twice_in_a_set", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		once, twice := b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 1, "invoice.created:1")
		again := once // the very request, token and all
		accepted := b.mustAccept(t, once, twice, again)
		repeat := syncrun.Accepted{RunID: accepted[0].RunID, Replayed: true}
		require.Equal(t, []syncrun.Accepted{{RunID: accepted[0].RunID}, repeat, repeat}, accepted)
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM sync_runs JOIN river.river_job ON river_job.id = river_job_id"))
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM spent_jtis"))
	})

	t.Run("Refused_alone_in_a_set_of_good_ones", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.event("invoice.created", 1, "invoice.created:1")
		replayed := b.event("invoice.created", 2, "invoice.created:2")
		replayed.JTI = first.JTI
		reused := b.event("invoice.created", 9, "invoice.created:1")
		last := b.event("invoice.created", 3, "invoice.created:3")
		accepted, err := b.accept(t, first, replayed, reused, last)
		require.ErrorIs(t, err, syncrun.ErrTokenSpent)
		require.ErrorIs(t, accepted[1].Refused, syncrun.ErrTokenSpent)
		require.ErrorIs(t, accepted[2].Refused, syncrun.ErrKeyReused)
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM sync_runs WHERE magento_entity_id IN (1, 3)"))
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM sync_runs"))
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM spent_jtis"), "a refused event's token is not spent")
	})

	t.Run("Events_without_a_token_spend_none_and_come_once", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one, two := b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2")
		one.JTI, two.JTI = "", ""
		accepted := b.mustAccept(t, one, two, one)
		require.True(t, accepted[2].Replayed)
		require.True(t, b.mustAccept(t, two)[0].Replayed)
		require.Zero(t, b.count(t, "SELECT count(*) FROM spent_jtis"))
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM sync_runs"))
	})

	t.Run("Backfill_when_it_is_said_or_old", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		now, said := b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2")
		now.OccurredAt, said.OccurredAt, said.Backfill = time.Now(), time.Now(), true
		b.mustAccept(t, now, said, b.event("invoice.created", 3, "invoice.created:3"))
		require.Equal(t, 1, b.count(t, "SELECT magento_entity_id FROM sync_runs WHERE NOT backfill"))
		require.Equal(t, 2, b.count(t, "SELECT count(*) FROM sync_runs WHERE backfill AND magento_entity_id IN (2, 3)"))
	})

	t.Run("Raced_when_another_transaction_inserts_the_run_first", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ours, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = ours.Rollback(t.Context()) }()
		_, err = syncrun.Accept(t.Context(), ours, enqueue, []syncrun.Event{b.event("invoice.created", 1, "invoice.created:1")})
		require.NoError(t, err)
		theirs := make(chan error, 1)
		go func() {
			_, err := b.accept(t, b.event("invoice.created", 1, "invoice.created:1"))
			theirs <- err
		}()
		require.Eventually(t, func() bool { // it waits for our row
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
		}, 10*time.Second, 5*time.Millisecond)
		require.NoError(t, ours.Commit(t.Context()))
		require.ErrorIs(t, <-theirs, syncrun.ErrRaced)
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM river.river_job"))
	})

	t.Run("Refused_when_the_token_carried_another_request", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first, second := b.event("invoice.created", 1, "invoice.created:1"), b.event("invoice.created", 2, "invoice.created:2")
		second.JTI = first.JTI
		b.mustAccept(t, first)
		_, err := b.accept(t, second)
		require.ErrorIs(t, err, syncrun.ErrTokenSpent)
		require.True(t, b.mustAccept(t, first)[0].Replayed, "the same request again is a repeat")
	})

	t.Run("Refused_when_the_key_was_used_for_another_entity", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))
		other := b.event("invoice.created", 9, "invoice.created:1")
		_, err := b.accept(t, other)
		require.ErrorIs(t, err, syncrun.ErrKeyReused)
		require.Zero(t, b.count(t, "SELECT count(*) FROM spent_jtis WHERE jti = '"+other.JTI+"'"), "its token is not spent")
	})

	t.Run("An_upsert_comes_again_under_its_key_when_it_occurred_later", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.event("customer.upserted", 7, "customer.upserted:7")
		later := first
		later.JTI, later.OccurredAt = uuid.NewString(), first.OccurredAt.Add(time.Second)
		again := later
		again.JTI = uuid.NewString()
		one := b.mustAccept(t, first)[0]
		two := b.mustAccept(t, later)[0]
		require.NotEqual(t, one.RunID, two.RunID)
		require.Equal(t, syncrun.Accepted{RunID: two.RunID, Replayed: true}, b.mustAccept(t, again)[0])
	})
}

func Test_Intend(t *testing.T) {
	t.Parallel()

	try := func(t *testing.T, b *bundle, run uuid.UUID, job int64, attempt int, object string) (syncrun.Taken, error) {
		t.Helper()
		var taken syncrun.Taken
		err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			var err error
			taken, err = intend(t.Context(), tx, syncrun.Intent{
				JobID: job, Attempt: attempt, RunID: run, BindingID: b.binding, Operation: syncrun.WriteContact, ObjectKey: object, BodyHash: "hash",
			})
			return err
		})
		return taken, err
	}

	t.Run("The_first_is_certain_and_the_next_of_the_same_run_is_not", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		run := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		job := b.take(t, run)
		first, err := try(t, b, run, job, 1, "42")
		require.NoError(t, err)
		require.False(t, first.Uncertain)
		second, err := try(t, b, run, job, 1, "42")
		require.NoError(t, err)
		require.True(t, second.Uncertain)
		require.Equal(t, first.Key(), second.Key(), "a lost answer: the same key")
	})

	t.Run("Busy_while_another_run_writes_the_object", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		two := b.mustAccept(t, b.event("invoice.created", 2, "invoice.created:2"))[0].RunID
		_, err := try(t, b, one, b.take(t, one), 1, "42")
		require.NoError(t, err)
		job := b.take(t, two)
		_, err = try(t, b, two, job, 1, "42")
		require.ErrorIs(t, err, syncrun.ErrBusy)
		_, err = try(t, b, two, job, 1, "43")
		require.NoError(t, err)
	})

	t.Run("Busy_while_an_earlier_run_of_the_lane_lives", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		paid := b.event("invoice.paid", 1, "invoice.paid:1")
		paid.OccurredAt = paid.OccurredAt.Add(time.Second)
		later := b.mustAccept(t, paid)[0].RunID // arrives first
		earlier := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		_, err := try(t, b, later, b.take(t, later), 1, "1")
		require.Equal(t, &syncrun.Ahead{}, err)
		_, err = try(t, b, earlier, b.take(t, earlier), 1, "1")
		require.NoError(t, err)
	})

	t.Run("Not_mine_when_the_job_is_another_attempts", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		run := b.mustAccept(t, b.event("invoice.created", 1, "invoice.created:1"))[0].RunID
		job := b.take(t, run)
		_, err := try(t, b, run, job, 2, "42")
		require.ErrorIs(t, err, syncrun.ErrNotMine)
	})
}
