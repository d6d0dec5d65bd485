package riverjobs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/policy"
	"towpath/pkg/provider/xero/xerosim"
	"towpath/pkg/syncrun"
)

// Test_Outcome is the table of failures, end to end.
func Test_Outcome(t *testing.T) {
	t.Parallel()

	t.Run("Temporary_is_retried_after_about_a_second_and_counted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Maintenance(503))
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		failed := b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Status == syncrun.Queued && r.ErrorCode != nil })
		require.Equal(t, "http", *failed.ErrorCode)
		require.NotNil(t, failed.NextAttemptAt)
		b.onceTold(t, id, syncrun.Succeeded)
		require.Equal(t, 2, b.job(t, "fetch_canonical", id).Attempt)
		starts := b.starts(t, id)
		require.Greater(t, failed.NextAttemptAt.Sub(starts[0]), 890*time.Millisecond)
		require.Greater(t, starts[1].Sub(*failed.NextAttemptAt), -50*time.Millisecond)
		require.Less(t, starts[1].Sub(starts[0]), 10*time.Second) // of a busy machine
		b.oneOfEach(t, inv)
		require.Nil(t, b.run(t, id).ErrorCode)
	})

	t.Run("Rate_limit_costs_no_attempt_and_the_whole_binding_waits", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.xero.Inject(xerosim.Fault{Operation: "PUT /Invoices", Status: http.StatusTooManyRequests, Header: http.Header{
			"Retry-After": {"15"}, "X-Rate-Limit-Problem": {"minute"}}})
		b.work(t)
		_, first := b.raise(t, "plain_vat")
		waiting := b.until(t, first, func(r dbsqlc.SyncRun) bool { return text(r.ErrorCode) == "rate_limited" })
		require.Equal(t, syncrun.Queued, waiting.Status)
		until := b.boundTo(t).PausedUntil
		require.NotNil(t, until)
		called := b.xero.AllCalls()
		_, second := b.raise(t, "mixed_rates")
		b.until(t, second, func(r dbsqlc.SyncRun) bool { return r.Stage == "post" && r.Status == syncrun.Queued })
		require.Equal(t, "pending", string(b.job(t, "post_invoice", second).State), "it waits without a worker's looking at it")
		if time.Now().Before(*until) {
			require.Equal(t, called, b.xero.AllCalls(), "it called during the pause")
		}
		require.Equal(t, until, b.boundTo(t).PausedUntil, "who waits does not lengthen the pause")
		for _, id := range []uuid.UUID{first, second} {
			b.onceTold(t, id, syncrun.Succeeded)
			require.Equal(t, 1, b.job(t, "post_invoice", id).Attempt)
			require.False(t, b.run(t, id).FinishedAt.Before(*until))
		}
	})

	t.Run("Refusing_Xero_holds_the_run_until_it_answers_again", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
			b := setup(t)
			b.xero.Inject(xerosim.Fault{Operation: "PUT /Contacts", Status: status})
			b.work(t)
			inv, id := b.raise(t, "plain_vat")
			run := b.until(t, id, is(syncrun.Held))
			require.Equal(t, "auth", *run.HoldReason)
			require.Equal(t, "needs_consent", b.boundTo(t).Status)
			require.Equal(t, "pending", b.shop.Chip("invoice", inv.ID).Status)
			if status == http.StatusForbidden {
				b.release(t, 1, 1)
			} else {
				require.NoError(t, b.op.Retry(t.Context(), id))
			}
			b.onceTold(t, id, syncrun.Succeeded)
			require.Equal(t, "active", b.boundTo(t).Status)
			require.Equal(t, 1, b.job(t, "post_invoice", id).Attempt)
			b.oneOfEach(t, inv)
		}
	})

	t.Run("Refusing_shop_revokes_the_tenant_until_it_answers_again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.shop.Inject(magentosim.RouteInvoice, magentosim.Unauthorized(), magentosim.Unauthorized())
		b.work(t)
		_, id := b.raise(t, "plain_vat")
		run := b.until(t, id, is(syncrun.Held))
		require.Equal(t, "auth", *run.HoldReason)
		require.Equal(t, "token_revoked", b.connection(t))
		require.NoError(t, b.op.Retry(t.Context(), id))
		b.onceTold(t, id, syncrun.Succeeded)
		require.Equal(t, "active", b.connection(t))
	})

	t.Run("Refused_by_validation_fails_with_the_providers_words", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.refuse()
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		run := b.onceTold(t, id, syncrun.Failed)
		require.Contains(t, *run.ErrorDetail, "The description is too long")
		b.toldAs(t, inv.ID, "failed", "validation")
		require.Equal(t, 1, b.ledger.calls("invoice"))
	})

	t.Run("Unknown_to_the_shop_fails_as_not_found", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.work(t)
		b.onceTold(t, b.accept(t, "invoice.created", 4711), syncrun.Failed)
		b.toldAs(t, 4711, "failed", "not_found")
	})

	t.Run("Missing_mapping_is_held_until_the_settings_have_it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		none := samplePolicy()
		none.TaxRateMap = map[string]string{}
		b.setPolicy(t, 2, none)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		run := b.until(t, id, is(syncrun.Held))
		require.NotEmpty(t, *run.HoldReason)
		require.Zero(t, b.ledger.contacts(), "what may not be posted leaves no contact behind")
		b.setPolicy(t, 3, samplePolicy())
		b.release(t, 3, 1)
		require.EqualValues(t, 3, b.onceTold(t, id, syncrun.Succeeded).PolicyVersion)
		b.oneOfEach(t, inv)
	})

	t.Run("Settings_saved_while_a_run_is_just_being_held_reach_it", func(t *testing.T) {
		t.Parallel()
		b, g := setup(t), newGate("contact not known")
		none := samplePolicy()
		none.TaxRateMap = map[string]string{}
		b.setPolicy(t, 2, none)
		b.work(t, watch(g.at))
		t.Cleanup(g.release)
		_, id := b.raise(t, "plain_vat")
		arrived(t, g.arrived)
		b.setPolicy(t, 3, samplePolicy())
		b.release(t, 3, 0) // it is not held yet
		g.release()
		run := b.until(t, id, is(syncrun.Held))
		require.EqualValues(t, 3, run.PolicyVersion)
	})

	t.Run("Held_run_is_skipped_under_settings_that_skip_it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		none := samplePolicy()
		none.TaxRateMap = map[string]string{}
		b.setPolicy(t, 2, none)
		b.work(t)
		inv, id := b.raise(t, "plain_vat")
		require.Equal(t, "post", b.until(t, id, is(syncrun.Held)).Stage)
		none.WebsiteFilter = []int64{999}
		b.setPolicy(t, 3, none)
		b.release(t, 3, 1)
		run := b.onceTold(t, id, syncrun.Skipped)
		require.Equal(t, policy.SkipWebsite, *run.SkipReason)
		require.Equal(t, "skipped", b.shop.Chip("invoice", inv.ID).Status)
		require.Empty(t, b.ledger.documents())
	})
}

// starts are the times at which a worker took the run's jobs.
func (b *bundle) starts(t *testing.T, id uuid.UUID) (times []time.Time) {
	t.Helper()
	for _, e := range b.history(t, id) {
		if text(e.FromStatus) == syncrun.Queued && e.ToStatus == syncrun.Running {
			times = append(times, e.At)
		}
	}
	return times
}

func (b *bundle) boundTo(t *testing.T) dbsqlc.Binding {
	t.Helper()
	binding, err := dbsqlc.New().BindingGet(t.Context(), b.pool, b.binding)
	require.NoError(t, err)
	return binding
}

func (b *bundle) connection(t *testing.T) string {
	t.Helper()
	tenant, err := dbsqlc.New().TenantGet(t.Context(), b.pool, b.tenant.ID)
	require.NoError(t, err)
	return tenant.ConnectionStatus
}

// release lets the held runs go on under a version of the policy.
func (b *bundle) release(t *testing.T, version int32, want int) {
	t.Helper()
	b.releaseWith(t, version, want, func(pgx.Tx) error { return nil })
}

// releaseWith does so in the transaction that changes what they were held for, as
// connecting does: else the heartbeat may let them go in between.
func (b *bundle) releaseWith(t *testing.T, version int32, want int, change func(tx pgx.Tx) error) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		n, err := b.op.ReleaseHeld(t.Context(), tx, b.binding, version)
		require.Equal(t, want, n)
		return err
	}))
	b.noMismatch(t)
}

// toldAs asserts what the shop shows.
func (b *bundle) toldAs(t *testing.T, id int64, status, code string) {
	t.Helper()
	chip := b.shop.Chip("invoice", id)
	require.Equal(t, []string{status, code}, []string{chip.Status, chip.ErrorCode})
}

// intents counts what the run has on record as perhaps written.
func (b *bundle) intents(t *testing.T, id uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM provider_intents WHERE run_id = $1", id).Scan(&n))
	return n
}
