package riverjobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/syncrun"
)

// Test_Bug covers what nobody foresaw.
func Test_Bug(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func() error{
		"Error_without_a_kind": func() error { return errors.New("out of cheese") },
		"Panic":                func() error { panic("out of cheese") },
	} {
		t.Run(name+"_fails_after_eight_attempts_with_the_detail_for_the_operator", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.work(t, firstDelay(time.Millisecond), watch(func(_ context.Context, place string) error {
				if place == "before invoice" {
					return fails()
				}
				return nil
			}))
			inv, id := b.raise(t, "plain_vat")
			run := b.onceTold(t, id, syncrun.Failed)
			require.Equal(t, 8, b.job(t, "post_invoice", id).Attempt)
			require.Contains(t, *run.ErrorDetail, "out of cheese")
			require.NotContains(t, *run.ErrorMessage, "cheese")
			b.toldAs(t, inv.ID, "failed", "internal")
		})
	}

	t.Run("Stop_after_many_attempts_is_no_failure", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.exec(t, `CREATE FUNCTION tried() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.attempt := 20; RETURN NEW; END $$`)
		b.exec(t, "CREATE TRIGGER tried BEFORE INSERT ON river.river_job FOR EACH ROW WHEN (NEW.kind = 'post_invoice') EXECUTE FUNCTION tried()")
		w := b.work(t, watch(func(ctx context.Context, place string) error {
			if place == "before invoice" {
				<-ctx.Done()
				return errors.New("broke off in the middle")
			}
			return nil
		}))
		_, id := b.raise(t, "plain_vat")
		eventually(t, func() bool { return b.intents(t, id) == 2 }, "it is about to write")
		w.stop()
		require.Equal(t, syncrun.Queued, b.run(t, id).Status)
		require.Equal(t, 20, b.job(t, "post_invoice", id).Attempt)
		b.noMismatch(t)
	})

	t.Run("Database_that_is_away_for_a_moment_is_no_bug", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.exec(t, `CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN RAISE EXCEPTION 'terminating connection due to administrator command' USING ERRCODE = '57P01'; END $$`)
		b.exec(t, "CREATE TRIGGER away BEFORE INSERT ON provider_intents EXECUTE FUNCTION away()")
		b.work(t, firstDelay(time.Millisecond))
		inv, id := b.raise(t, "plain_vat")
		b.until(t, id, func(r dbsqlc.SyncRun) bool { return r.Stage == "post" && r.Attempt > 8 })
		b.exec(t, "DROP TRIGGER away ON provider_intents")
		b.onceTold(t, id, syncrun.Succeeded)
		b.oneOfEach(t, inv)
	})
}
