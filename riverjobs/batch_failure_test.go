package riverjobs_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/canon"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
	"towpath/riverjobs"
)

// Test_Killed_process_at_a_batch kills the process while its calls hang, one of them
// with many documents or contacts.
func Test_Killed_process_at_a_batch(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]xerosim.When{"before_the_calls_took_effect": xerosim.Before, "after_the_calls_took_effect": xerosim.After} {
		for _, operation := range []string{"PUT /Contacts", "PUT /Invoices"} {
			t.Run("All_documents_are_there_once_and_told_"+name+"_at_"+operation[5:], func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				killed := b.killAtBatch(t, operation, when)
				b.work(t, func(cfg *riverjobs.Config) { cfg.Limits.AtOnce = 50 }) // the dead one's calls are under way for a minute
				require.Equal(t, map[string]int{syncrun.Succeeded: 24}, b.allTold(t))
				t.Logf("told %s after the kill", time.Since(killed).Round(100*time.Millisecond))
				require.Less(t, time.Since(killed), 40*time.Second)
				b.eachOnce(t, 24)
				b.toThePenny(t)
				require.Equal(t, 24, b.ledger.contacts())
			})
		}
	}

	t.Run("Calls_of_the_dead_process_do_not_keep_the_living_waiting", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		kill := startProcess(t, b.url)
		before := b.ledger.calls("invoice")
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Hang: make(chan struct{}), Times: 1_000_000})
		for n := range 5 { // one after another, so that each has a call of its own
			b.raiseMany(t, 1, now)
			eventually(t, func() bool { return b.ledger.calls("invoice") == before+n+1 }, "it is at its call")
		}
		kill()
		b.xero.ForgetFaults()
		killed := time.Now()
		b.work(t)
		eventually(t, func() bool { return b.notTold(t) == 0 || time.Since(killed) > 30*time.Second }, "all are told")
		require.Zero(t, b.notTold(t), "%v", b.waiting(t))
		b.eachOnce(t, 6)
	})
}

// killAtBatch lets a process of its own come to a stand at a call for several of 24
// documents of as many new customers, and kills it.
func (b *bundle) killAtBatch(t *testing.T, operation string, when xerosim.When) (killed time.Time) {
	t.Helper()
	b.pauseFor(t, time.Hour)
	kill := startProcess(t, b.url)
	b.raiseOfMany(t, 24, now)
	b.allAtLedger(t, 24)
	b.xero.Inject(xerosim.Fault{Operation: operation, When: when, Hang: make(chan struct{}), Times: 1_000_000})
	b.pauseFor(t, 0)
	eventually(t, func() bool {
		_, largest := b.xero.Batches(operation)
		return largest > 5
	}, "it is at the call")
	kill()
	b.xero.ForgetFaults()
	return time.Now()
}

// Test_Batch_that_fails lets the one call for all go wrong.
func Test_Batch_that_fails(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]fault{
		"reset_before": failed, "answer_lost": tookReset, "half_an_answer": tookHalf, "error_after": tookError, "error_before": refusedError,
	} {
		for _, operation := range []string{"contact", "invoice"} {
			t.Run("Is_looked_up_and_each_is_there_once_after_"+name+"_at_"+operation, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.queue(t, func() []uuid.UUID { return b.raiseOfMany(t, 20, now) })
				mismatches := b.sample(t)
				b.ledger.inject(operation, how)
				b.pauseFor(t, 0)
				require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
				mismatches()
				b.eachOnce(t, 20)
				b.toThePenny(t)
				require.Equal(t, 20, b.ledger.contacts())
				require.Equal(t, 2, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
			})
		}
	}

	t.Run("Limit_costs_no_attempt_and_all_go_on_after_it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.queue(t, func() []uuid.UUID { return b.raiseOfMany(t, 20, now) })
		mismatches := b.sample(t)
		for _, operation := range []string{"PUT /Contacts", "PUT /Invoices"} {
			b.xero.Inject(xerosim.Fault{Operation: operation, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}})
		}
		b.pauseFor(t, 0)
		require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
		mismatches()
		b.eachOnce(t, 20)
		require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
	})

	for _, operation := range []string{"PUT /Contacts", "PUT /Invoices"} {
		t.Run("Refused_access_at_"+operation[5:]+"_holds_all_until_it_is_mended", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.queue(t, func() []uuid.UUID { return b.raiseOfMany(t, 20, now) })
			mismatches := b.sample(t)
			b.xero.Inject(xerosim.Fault{Operation: operation, Status: http.StatusUnauthorized, Times: 1_000_000})
			b.pauseFor(t, 0)
			b.allHeld(t, 20, "auth")
			require.Equal(t, "needs_consent", b.boundTo(t).Status)
			require.Equal(t, 1, b.lookSoon(t))
			b.xero.ForgetFaults()
			b.reconnect(t)
			b.release(t, 1, 20)
			require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
			mismatches()
			b.eachOnce(t, 20)
			require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
		})
	}

	t.Run("Stop_gives_all_of_it_back_uncounted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		_, w := b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) })
		mismatches := b.sample(t)
		b.ledger.inject("invoice", tookHang)
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.made("invoice") > 10 }, "the documents are written")
		w.stop()
		require.Zero(t, b.states(t, posting)["running"])
		require.Equal(t, 20, b.count(t, "SELECT count(*) FROM sync_runs WHERE status = 'queued' OR status = 'running'"))
		b.noMismatch(t)
		b.work(t)
		require.Equal(t, map[string]int{syncrun.Succeeded: 21}, b.allTold(t))
		mismatches()
		b.eachOnce(t, 21)
		require.Equal(t, 1, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
	})
}

func Test_Cancel_of_one_of_a_batch(t *testing.T) {
	t.Parallel()

	// atCall is a worker whose batch is at its call, and the runs of that batch: the
	// one whose job is River's, and the others.
	atCall := func(t *testing.T, b *bundle) (lead uuid.UUID, company []uuid.UUID) {
		t.Helper()
		eventually(t, func() bool { return b.states(t, posting)["running"] > 10 }, "a batch is at its call")
		for _, id := range b.runs(t) {
			job := b.run(t, id)
			if job.Stage != "post" || job.Status != syncrun.Running {
				continue
			}
			if row := b.job(t, posting, id); row.State == "running" {
				if b.count(t, "SELECT count(*) FROM river.river_job WHERE id = $1 AND metadata ? 'batch'", row.ID) == 1 {
					company = append(company, id)
				} else {
					lead = id
				}
			}
		}
		require.NotEqual(t, uuid.Nil, lead)
		return lead, company
	}

	t.Run("Result_that_comes_all_the_same_wins", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("after invoice")
		b.knowCustomer(t)
		b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) }, watch(g.at))
		t.Cleanup(g.release)
		b.pauseFor(t, 0)
		arrived(t, g.arrived)
		_, company := atCall(t, b)
		require.NoError(t, b.op.Cancel(t.Context(), company[3]))
		g.release()
		require.Equal(t, map[string]int{syncrun.Succeeded: 21}, b.allTold(t))
		b.onceTold(t, company[3], syncrun.Succeeded)
		b.eachOnce(t, 21)
	})

	t.Run("Ends_cancelled_where_the_call_failed_and_the_others_go_on", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("before invoice")
		b.knowCustomer(t)
		mismatches := b.sample(t)
		b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) }, watch(g.at))
		t.Cleanup(g.release)
		b.ledger.inject("invoice", tookError)
		b.pauseFor(t, 0)
		arrived(t, g.arrived)
		_, company := atCall(t, b)
		require.NoError(t, b.op.Cancel(t.Context(), company[3]))
		g.release()
		require.Equal(t, map[string]int{syncrun.Succeeded: 20, syncrun.Cancelled: 1}, b.allTold(t))
		b.onceTold(t, company[3], syncrun.Cancelled)
		mismatches()
		b.eachOnce(t, 21) // its document exists; a retry finds it
		require.NoError(t, b.op.Retry(t.Context(), company[3]))
		require.Equal(t, map[string]int{syncrun.Succeeded: 21}, b.allTold(t))
		b.eachOnce(t, 21)
	})

	t.Run("Of_the_one_that_leads_cuts_the_call_off_and_the_others_go_on_uncounted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		mismatches := b.sample(t)
		b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) })
		b.ledger.inject("invoice", tookHang)
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.made("invoice") > 10 }, "the documents are written")
		lead, company := atCall(t, b)
		require.NoError(t, b.op.Cancel(t.Context(), lead))
		require.Equal(t, map[string]int{syncrun.Succeeded: 20, syncrun.Cancelled: 1}, b.allTold(t))
		b.onceTold(t, lead, syncrun.Cancelled)
		for _, id := range company {
			require.Equal(t, 1, b.job(t, posting, id).Attempt)
		}
		mismatches()
		b.eachOnce(t, 21)
	})

	for name, statement := range map[string]string{
		"Discarded": "UPDATE river.river_job SET state = 'discarded', finalized_at = now() WHERE id = $1",
		"Deleted":   "DELETE FROM river.river_job WHERE id = $1",
	} {
		t.Run(name+"_in_the_table_ends_alone", func(t *testing.T) {
			t.Parallel()
			b, g := setup(t), newGate("before invoice")
			b.knowCustomer(t)
			mismatches := b.sample(t)
			b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) }, watch(g.at))
			t.Cleanup(g.release)
			b.pauseFor(t, 0)
			arrived(t, g.arrived)
			lead, company := atCall(t, b)
			b.exec(t, statement, b.job(t, posting, company[0]).ID)
			b.exec(t, statement, b.job(t, posting, lead).ID)
			g.release()
			ends := b.allTold(t)
			require.Equal(t, 19, ends[syncrun.Succeeded], "%v", ends)
			require.Equal(t, 2, ends[syncrun.Failed]+ends[syncrun.Cancelled])
			mismatches()
			b.eachOnce(t, 21)
		})
	}
}

func Test_Panic_in_a_batch(t *testing.T) {
	t.Parallel()

	for _, place := range []string{"before contact", "after contact", "contact known", "before invoice", "after invoice"} {
		t.Run("Is_one_failed_attempt_of_all_in_it_"+place, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var panicked atomic.Bool
			b.queue(t, func() []uuid.UUID { return b.raiseOfMany(t, 20, now) }, watch(func(_ context.Context, at string) error {
				if at == place && panicked.CompareAndSwap(false, true) {
					panic("out of cheese")
				}
				return nil
			}))
			mismatches := b.sample(t)
			b.pauseFor(t, 0)
			require.Equal(t, map[string]int{syncrun.Succeeded: 20}, b.allTold(t))
			mismatches()
			b.eachOnce(t, 20)
			require.Equal(t, 20, b.ledger.contacts())
			require.Equal(t, 2, b.count(t, "SELECT max(attempt) FROM river.river_job WHERE kind = 'post_invoice'"))
		})
	}

	t.Run("Of_one_document_fails_that_one_alone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		var poison atomic.Pointer[string]
		ids, _ := b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 30, now) }, firstDelay(10*time.Millisecond), func(cfg *riverjobs.Config) {
			openLedger := cfg.Ledgers
			cfg.Ledgers = func(binding dbsqlc.Binding, permit provider.Permit) (riverjobs.Ledger, error) {
				ledger, err := openLedger(binding, permit)
				return poisoned{ledger, &poison}, err
			}
		})
		number := b.number(t, ids[20])
		poison.Store(&number)
		b.pauseFor(t, 0)
		require.Equal(t, map[string]int{syncrun.Succeeded: 30, syncrun.Failed: 1}, b.allTold(t))
		b.onceTold(t, ids[20], syncrun.Failed)
		b.eachOnce(t, 30)
	})
}

// poisoned is a ledger that panics over one document.
type poisoned struct {
	riverjobs.Ledger
	number *atomic.Pointer[string]
}

// Document panics over the one.
func (p poisoned) Document(inv canon.Invoice, pol policy.Policy, ref provider.Reference, contactID, runURL string) (provider.Document, error) {
	if number := p.number.Load(); number != nil && *number == inv.IncrementID {
		panic("out of cheese")
	}
	return p.Ledger.Document(inv, pol, ref, contactID, runURL)
}

// Test_Company_is_never_left_behind covers what could make a process forget jobs
// that it took along: it lives, so nobody would give them back for minutes.
func Test_Company_is_never_left_behind(t *testing.T) {
	t.Parallel()

	t.Run("Where_the_database_is_away_when_they_are_put_back", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) })
		b.ledger.inject("invoice", tookError)
		b.exec(t, "CREATE SEQUENCE tried")
		b.exec(t, `CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			PERFORM nextval('tried');
			RAISE EXCEPTION 'terminating connection due to administrator command' USING ERRCODE = '57P01'; END $$`)
		b.exec(t, `CREATE TRIGGER away BEFORE UPDATE OF state ON river.river_job FOR EACH ROW
			WHEN (OLD.kind = 'post_invoice' AND OLD.state = 'running') EXECUTE FUNCTION away()`)
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.made("invoice") > 10 }, "the documents are written")
		eventually(t, func() bool { return b.count(t, "SELECT last_value FROM tried") >= b.states(t, posting)["running"] }, "it was away for each")
		b.exec(t, "DROP TRIGGER away ON river.river_job")
		back := time.Now()
		eventually(t, func() bool { return b.notTold(t) == 0 || time.Since(back) > 30*time.Second }, "all are told")
		require.Zero(t, b.notTold(t), "%v %v", b.states(t, posting), b.waiting(t))
		b.eachOnce(t, 21)
	})

	t.Run("Where_the_one_that_leads_is_cancelled_while_they_are_taken", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.knowCustomer(t)
		_, _ = b.queue(t, func() []uuid.UUID { return b.raiseMany(t, 20, now) })
		b.exec(t, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$`)
		b.exec(t, `CREATE TRIGGER slow AFTER UPDATE OF state ON river.river_job FOR EACH ROW
			WHEN (OLD.state = 'pending' AND NEW.state = 'running') EXECUTE FUNCTION slow()`)
		b.pauseFor(t, 0)
		eventually(t, func() bool { return b.states(t, posting)["running"] == 1 }, "one leads")
		var lead uuid.UUID
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT args ->> 'run_id' FROM river.river_job WHERE kind = $1 AND state = 'running'", posting).Scan(&lead))
		eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") == 1
		}, "it takes the others")
		require.NoError(t, b.op.Cancel(t.Context(), lead))
		eventually(t, func() bool { return b.run(t, lead).Status == syncrun.Cancelled }, "it is cancelled")
		b.exec(t, "DROP TRIGGER slow ON river.river_job")
		back := time.Now()
		eventually(t, func() bool { return b.notTold(t) == 0 || time.Since(back) > 30*time.Second }, "all are told")
		require.Zero(t, b.notTold(t), "%v %v", b.states(t, posting), b.waiting(t))
		b.eachOnce(t, 20)
	})
}
