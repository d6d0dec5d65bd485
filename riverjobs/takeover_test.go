package riverjobs_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/magento/magentosim"
	"towpath/pkg/provider"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// Test_Process_lost stops a process at each of a run's crash points, takes its
// lock away, so that it is dead to the others, lets another finish its work,
// and then lets the first one go on: it must not commit anything.
func Test_Process_lost(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]string{
		"before_T3_of_the_contact":                   "contact not known",
		"after_T3_before_the_call_for_the_contact":   "before contact",
		"after_the_call_for_the_contact":             "after contact",
		"after_the_contact_before_T3_of_the_invoice": "contact known",
		"after_T3_before_the_call_for_the_invoice":   "before invoice",
		"after_the_call_for_the_invoice_before_T4":   "after invoice",
	} {
		for wire, setup := range map[string]func(*testing.T) *bundle{"accounting": setup, "v2": setupV2Unique} {
			t.Run("Other_finishes_and_the_lost_one_commits_nothing_"+name+"_on_"+wire, func(t *testing.T) {
				t.Parallel()
				b, g := setup(t), newGate(place)
				lost := b.work(t, watch(g.at), oneAtATime)
				t.Cleanup(g.release)
				inv, id := b.raise(t, "plain_vat")
				arrived(t, g.arrived)
				lost.unlock()
				other := b.work(t)
				b.onceTold(t, id, syncrun.Succeeded)
				g.release()
				lost.drain() // its attempt comes to its end
				b.onceTold(t, id, syncrun.Succeeded)
				b.oneOfEach(t, inv)
				require.Equal(t, []string{other.id}, b.whoEnded(t, id))
			})
		}
	}

	t.Run("Other_at_the_same_call_is_not_completed_by_the_lost_one", func(t *testing.T) {
		t.Parallel()
		b, first, second := setup(t), newGate("after invoice"), newGate("before invoice")
		lost := b.work(t, watch(first.at), oneAtATime)
		t.Cleanup(first.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, first.arrived)
		lost.unlock()
		other := b.work(t, watch(second.at))
		t.Cleanup(second.release)
		arrived(t, second.arrived) // attempt 2 is at its call; the document exists
		first.release()
		lost.drain()
		require.NotEqual(t, syncrun.Succeeded, b.run(t, id).Status)
		b.noMismatch(t) // River has not completed the job of the attempt that took over either
		second.release()
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
		require.Equal(t, []string{other.id}, b.whoEnded(t, id))
	})

	t.Run("What_the_lost_one_says_is_not_believed_of_the_others_attempt", func(t *testing.T) {
		t.Parallel()
		b, first, second := setup(t), newGate("after invoice"), newGate("before invoice")
		lost := b.work(t, oneAtATime, watch(func(ctx context.Context, place string) error {
			_ = first.at(ctx, place)
			if place == first.place {
				return &provider.Failure{Kind: provider.Held, Reason: "hearsay", Message: "what the lost one saw"}
			}
			return nil
		}))
		t.Cleanup(first.release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, first.arrived)
		lost.unlock()
		b.work(t, watch(second.at))
		t.Cleanup(second.release)
		arrived(t, second.arrived)
		first.release()
		lost.drain()
		run := b.run(t, id)
		require.NotEqual(t, syncrun.Held, run.Status)
		require.Nil(t, run.HoldReason)
		b.noMismatch(t)
		second.release()
		eventually(t, func() bool { // River's own row has taken the lost one's word; a hand makes it due
			_ = b.op.Retry(t.Context(), id)
			return b.run(t, id).Status == syncrun.Succeeded
		}, "it goes on")
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})

	t.Run("After_T4_the_shop_is_told_the_same_again", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), magentosim.NewGate()
		b.shop.Inject(magentosim.RouteSyncState, magentosim.Waits(g))
		lost := b.work(t, oneAtATime)
		t.Cleanup(g.Release)
		inv, id := b.raise(t, "plain_vat")
		arrived(t, g.Arrived())
		lost.unlock()
		b.work(t)
		run := b.onceTold(t, id, syncrun.Succeeded)
		g.Release()
		eventually(t, func() bool { return len(b.shop.Told("invoice", inv.ID)) == 2 }, "the lost one's call arrives")
		lost.drain()
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
		require.Equal(t, run.ToldAt, b.run(t, id).ToldAt)
	})

	t.Run("Stopped_process_gives_its_job_back_uncounted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.ledger.inject("invoice", tookHang)
		first := b.work(t)
		inv, id := b.raise(t, "plain_vat")
		eventually(t, func() bool { return b.made("invoice") == 1 }, "the document is written")
		first.stop()
		require.Equal(t, syncrun.Queued, b.run(t, id).Status)
		b.noMismatch(t)
		b.work(t)
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
		require.Equal(t, 1, b.job(t, "post_invoice", id).Attempt)
	})

	t.Run("Connection_of_the_lock_lost_and_taken_again_keeps_the_job", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("before invoice")
		first := b.work(t, watch(g.at))
		t.Cleanup(g.release)
		_, id := b.raise(t, "plain_vat")
		arrived(t, g.arrived)
		b.terminateLock(t, first.id)
		eventually(t, func() bool { return b.lives(t, first.id) }, "the lock is taken again")
		g.release()
		b.onceTold(t, id, syncrun.Succeeded)
		require.Equal(t, []string{first.id}, b.whoEnded(t, id))
		require.Equal(t, 1, b.job(t, "post_invoice", id).Attempt)
	})
}

// oneAtATime keeps a process whose job waits at a gate from taking another of
// the kind, as a dead one would not either.
func oneAtATime(cfg *riverjobs.Config) { cfg.Workers = 1 }

// whoEnded names the processes that ended the run, by its history.
func (b *bundle) whoEnded(t *testing.T, id uuid.UUID) (names []string) {
	t.Helper()
	for _, e := range b.history(t, id) {
		if e.ToStatus == syncrun.Succeeded && text(e.FromStatus) != syncrun.Succeeded {
			names = append(names, text(e.Who))
		}
	}
	return names
}

// terminateLock ends the connection that holds a process's lock.
func (b *bundle) terminateLock(t *testing.T, process string) {
	t.Helper()
	var ended bool
	require.NoError(t, b.pool.QueryRow(t.Context(), `
		SELECT pg_terminate_backend(l.pid)
		FROM pg_locks AS l
		JOIN worker_processes AS p ON p.lock_number = l.objid::int
		WHERE l.locktype = 'advisory' AND l.classid = 844321
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND p.client_id = $1`, process).Scan(&ended))
	require.True(t, ended)
	eventually(t, func() bool { return !b.lives(t, process) }, "the lock is gone")
}

func (b *bundle) lives(t *testing.T, process string) (lives bool) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT 1 FROM pg_locks AS l
		WHERE l.locktype = 'advisory' AND l.classid = 844321 AND l.objid = p.lock_number::oid
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
		FROM worker_processes AS p WHERE client_id = $1`, process).Scan(&lives))
	return lives
}
