package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"towpath/pkg/account"
	"towpath/pkg/magento"
	"towpath/pkg/magento/magentosim"
	"towpath/pkg/secret"
)

func Test_Pair_a_new_shop(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	done := b.pair(t)
	require.False(t, done.Again)
	require.False(t, done.ByPing)
	require.NoError(t, done.Warning)
	require.InDelta(t, 0, done.Clock.Seconds(), 2)
	tenant := b.one(t)
	require.Equal(t, done.Tenant.ID, tenant.ID)
	require.Equal(t, "active", tenant.ConnectionStatus)
	require.Contains(t, b.url, tenant.Name, "its host, where no name is given")
	require.Equal(t, tenant.ID.String(), b.shop.TenantID())
	require.Equal(t, towpathURL, b.shop.LedgerURL())
	require.True(t, b.accepts(t, tenant, tenant.ApiKeySealed))
	require.Nil(t, tenant.OfferedKeySealed)
	require.Nil(t, tenant.PreviousKeySealed)
}

func Test_Pair_stores_the_key_before_the_shop_has_it(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	gate := magentosim.NewGate()
	b.shop.Inject(magentosim.RoutePair, magentosim.Waits(gate))
	ended := make(chan error, 1)
	code := b.shop.NewPairingCode()
	go func() {
		_, err := b.pairer.Pair(t.Context(), b.pairing(code))
		ended <- err
	}()
	<-gate.Arrived()
	before := b.one(t)
	require.Equal(t, "pending", before.ConnectionStatus)
	gate.Release()
	require.NoError(t, <-ended)
	require.True(t, b.accepts(t, before, before.ApiKeySealed), "the very key that was stored")
}

// Releasing what is held meets workers that hold the same rows.
func Test_Pair_is_not_lost_to_a_deadlock(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.pair(t)
	_, err := b.pool.Exec(t.Context(), `CREATE SEQUENCE tries;
		CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF nextval('tries') < 3 THEN RAISE 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER deadlock BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION deadlock()`)
	require.NoError(t, err)
	require.True(t, b.pair(t).Again)
	require.True(t, b.accepts(t, b.one(t), b.one(t).ApiKeySealed))
}

func Test_Pair_whose_answer_is_lost_asks_the_shop(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutClose).AfterEffect())
	done := b.pair(t)
	require.True(t, done.ByPing)
	require.NotNil(t, done.Clock)
	require.Equal(t, "active", b.one(t).ConnectionStatus)
}

// Nothing was done, though that could not be known from the call itself.
func Test_Pair_whose_request_is_lost_can_be_repeated_with_the_same_code(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutReset))
	code := b.shop.NewPairingCode()
	_, err := b.pairer.Pair(t.Context(), b.pairing(code))
	f := failure(t, err)
	require.Equal(t, magento.ProblemKeyNotTaken, f.Problem)
	require.True(t, f.Maybe, "the shop may still be at it")
	require.Contains(t, err.Error(), "has most likely not paired")
	require.Contains(t, err.Error(), "Run the same command again with the same code")
	require.Equal(t, "pending", b.one(t).ConnectionStatus)

	done, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.NoError(t, err)
	require.True(t, done.Again)
	require.False(t, done.ByPing)
	require.Equal(t, "active", b.one(t).ConnectionStatus)
}

// The worst case: it took effect, and nobody can be asked; as if the process had
// died right after the call.
func Test_Pair_that_may_have_taken_effect_is_settled_by_the_next(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutClose).AfterEffect())
	b.shop.Inject(magentosim.RoutePing, magentosim.Maintenance(503))
	code := b.shop.NewPairingCode()
	_, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.Equal(t, magento.ProblemAnswerLost, failure(t, err).Problem)
	require.True(t, failure(t, err).Maybe)
	tenant := b.one(t)
	require.Equal(t, "pending", tenant.ConnectionStatus)
	require.True(t, b.accepts(t, tenant, tenant.ApiKeySealed), "it has the key that is stored")

	done, err := b.pairer.Pair(t.Context(), b.pairing(code)) // which is used up
	require.NoError(t, err)
	require.True(t, done.ByPing)
	require.Equal(t, "active", b.one(t).ConnectionStatus)
}

func Test_Pair_that_was_refused_leaves_no_new_tenant(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{NoModule: true})
	_, err := b.pairer.Pair(t.Context(), b.pairing("a-code"))
	require.Equal(t, magento.ProblemModule, failure(t, err).Problem)
	require.Empty(t, b.tenants(t))
	require.Zero(t, b.shop.Calls(magentosim.RoutePing), "there is nothing to find out")
}

func Test_Pair_again_replaces_the_key_and_keeps_the_tenant(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	first := b.pair(t).Tenant
	done := b.pair(t)
	require.True(t, done.Again)
	now := b.one(t)
	require.Equal(t, first.ID, now.ID)
	require.NotEqual(t, b.open(t, first.ID, first.ApiKeySealed), b.open(t, now.ID, now.ApiKeySealed))
	require.True(t, b.accepts(t, now, now.ApiKeySealed))
	require.False(t, b.accepts(t, now, first.ApiKeySealed))
	require.Equal(t, b.open(t, first.ID, first.ApiKeySealed), b.open(t, now.ID, now.PreviousKeySealed), "what it signed last is accepted yet")
	require.WithinDuration(t, time.Now().Add(15*time.Minute), *now.PreviousKeyUntil, 5*time.Minute)
	require.Nil(t, now.OfferedKeySealed)
}

func Test_Pair_again_that_is_refused_changes_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	before := b.pair(t).Tenant
	_, err := b.pairer.Pair(t.Context(), b.pairing("a-wrong-code"))
	require.Equal(t, magento.ProblemCode, failure(t, err).Problem)
	after := b.one(t)
	require.Equal(t, before.ApiKeySealed, after.ApiKeySealed)
	require.Equal(t, "active", after.ConnectionStatus)
	require.True(t, b.accepts(t, after, after.ApiKeySealed))
}

func Test_Pair_again_with_an_unknown_end_keeps_both_keys_and_offers_the_same_one(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	before := b.pair(t).Tenant
	b.shop.Inject(magentosim.RoutePair, magentosim.Drops(magentosim.CutClose).AfterEffect())
	b.shop.Inject(magentosim.RoutePing, magentosim.Maintenance(503))
	code := b.shop.NewPairingCode()
	_, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.True(t, failure(t, err).Maybe)
	unknown := b.one(t)
	require.Equal(t, before.ApiKeySealed, unknown.ApiKeySealed)
	offered := b.open(t, unknown.ID, unknown.OfferedKeySealed)
	require.True(t, b.accepts(t, unknown, unknown.OfferedKeySealed))

	done, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.NoError(t, err)
	require.True(t, done.ByPing)
	after := b.one(t)
	require.Equal(t, offered, b.open(t, after.ID, after.ApiKeySealed))
	require.Equal(t, b.open(t, before.ID, before.ApiKeySealed), b.open(t, after.ID, after.PreviousKeySealed))
}

// The process dies between the shop's answer and the commit that notes it.
func Test_Pair_that_could_not_be_noted_is_noted_by_the_next(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.pair(t)
	for _, statement := range []string{
		`CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stop'; END $$`,
		`CREATE TRIGGER stop BEFORE UPDATE OF api_key_sealed ON tenants EXECUTE FUNCTION stop()`,
	} {
		_, err := b.pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	code := b.shop.NewPairingCode()
	_, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.ErrorContains(t, err, "the shop has paired")
	tenant := b.one(t)
	require.True(t, b.accepts(t, tenant, tenant.OfferedKeySealed), "its events are accepted: see pkg/ingress")
	_, err = b.pool.Exec(t.Context(), `DROP TRIGGER stop ON tenants`)
	require.NoError(t, err)
	done, err := b.pairer.Pair(t.Context(), b.pairing(code))
	require.NoError(t, err)
	require.True(t, done.ByPing)
	tenant = b.one(t)
	require.True(t, b.accepts(t, tenant, tenant.ApiKeySealed))
}

func Test_Pair_at_once_makes_one_tenant(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	code := b.shop.NewPairingCode()
	ended := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := b.pairer.Pair(t.Context(), b.pairing(code))
			ended <- err
		}()
	}
	paired := 0
	for range 4 {
		if err := <-ended; err == nil {
			paired++
		} else if !errors.Is(err, account.ErrPairing) {
			require.Equal(t, magento.ProblemCode, failure(t, err).Problem, "the code is used up")
		}
	}
	require.Equal(t, 1, paired)
	tenant := b.one(t)
	require.Equal(t, "active", tenant.ConnectionStatus)
	require.True(t, b.accepts(t, tenant, tenant.ApiKeySealed))
}

func Test_Pair_by_a_caller_who_goes_is_noted_all_the_same(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	gate := magentosim.NewGate()
	b.shop.Inject(magentosim.RoutePing, magentosim.Waits(gate))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan account.Paired, 1)
	code := b.shop.NewPairingCode()
	go func() {
		done, _ := b.pairer.Pair(ctx, b.pairing(code))
		ended <- done
	}()
	<-gate.Arrived()
	cancel()
	require.Error(t, (<-ended).Warning)
	require.Equal(t, "active", b.one(t).ConnectionStatus)
}

func Test_Pair_compares_the_clocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		off  time.Duration
		warn string
	}{
		"behind":  {-100 * time.Second, ""},
		"ahead":   {100 * time.Second, ""},
		"too_far": {time.Hour, "The shop's clock and ours differ by"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, magentosim.Config{})
			b.shop.SetClockOffset(c.off)
			done := b.pair(t)
			if c.warn != "" {
				require.ErrorContains(t, done.Warning, c.warn)
				return
			}
			require.NoError(t, done.Warning)
			require.InDelta(t, c.off.Seconds(), done.Clock.Seconds(), 3)
		})
	}
}

func Test_Pair_says_where_the_shop_refuses_what_it_has_just_agreed_to(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	b.shop.Inject(magentosim.RoutePing, magentosim.Unauthorized(), magentosim.Unauthorized())
	done := b.pair(t)
	require.Equal(t, magento.ProblemHTTPS, failure(t, done.Warning).Problem, "on a plain http address that comes first")
	require.Equal(t, "active", done.Tenant.ConnectionStatus)

	f := failure(t, magento.HeaderDropped("https://shop.example", nil))
	require.Equal(t, magento.ProblemHeaderDropped, f.Problem)
	require.Contains(t, f.Do, "Authorization")
}

func Test_Pair_wants_to_know_which_of_several_tenants_is_meant(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	ids := []uuid.UUID{uuid.New(), uuid.New()}
	for _, id := range ids {
		_, err := account.CreateTenant(t.Context(), b.pool, b.box, account.Tenant{
			ID: id, Name: "twin", MagentoURL: b.url + "/", APIKey: secret.NewString("k"), Connected: true,
		})
		require.NoError(t, err)
	}
	what := b.pairing(b.shop.NewPairingCode())
	_, err := b.pairer.Pair(t.Context(), what)
	var several *account.SeveralTenantsError
	require.ErrorAs(t, err, &several)
	require.ElementsMatch(t, ids, several.IDs)
	what.Tenant = ids[1]
	done, err := b.pairer.Pair(t.Context(), what)
	require.NoError(t, err)
	require.Equal(t, ids[1], done.Tenant.ID)
	require.Equal(t, b.url, done.Tenant.MagentoUrl, "the address that paired")
	what.Tenant = uuid.New()
	_, err = b.pairer.Pair(t.Context(), what)
	require.ErrorIs(t, err, account.ErrNoTenant)
}

func Test_ReplaceKey_keeps_the_key_before_for_a_while_if_it_can_be_opened(t *testing.T) {
	t.Parallel()
	b := setup(t, magentosim.Config{})
	id := b.pair(t).Tenant.ID
	_, err := account.ReplaceKey(t.Context(), b.pairer.Op, b.box, id, "another-key")
	require.NoError(t, err)
	require.NotNil(t, b.one(t).PreviousKeySealed)

	other, err := secret.ParseKeys("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=")
	require.NoError(t, err)
	_, err = account.ReplaceKey(t.Context(), b.pairer.Op, other, id, "a-third-key")
	require.NoError(t, err)
	require.Nil(t, b.one(t).PreviousKeySealed, "nobody can verify with it")
	_, err = account.ReplaceKey(t.Context(), b.pairer.Op, b.box, uuid.New(), "x")
	require.ErrorIs(t, err, account.ErrNoTenant)
}
