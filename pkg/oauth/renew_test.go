package oauth_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

func minutes(n int) time.Duration { return time.Duration(n) * time.Minute }

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return n
}

// tokenAfter waits for another token than old: the first who asks may still get
// one that is due.
func (b *bundle) tokenAfter(t *testing.T, old string) string {
	t.Helper()
	var token string
	require.Eventually(t, func() (other bool) {
		got, err := b.keeper.Source(b.binding).Token(t.Context())
		if err == nil && got != old {
			token = got
		}
		return err == nil && got != old
	}, 20*time.Second, 5*time.Millisecond)
	require.True(t, b.identity.Lives(token))
	return token
}

func Test_Token(t *testing.T) {
	t.Parallel()

	t.Run("Is_used_without_asking_until_five_sixths_of_its_life", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		first := b.token(t)
		b.pass(t, minutes(24))
		require.Equal(t, first, b.token(t))
		require.Equal(t, 1, b.identity.Calls(getToken), "the code's")
		b.pass(t, minutes(1))
		b.tokenAfter(t, first)
		require.Equal(t, 2, b.identity.Calls(getToken))
	})

	t.Run("That_is_due_serves_while_it_is_renewed", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		first := b.token(t)
		b.pass(t, minutes(26))
		struck, goOn := b.hang(t)
		require.Equal(t, first, b.token(t))
		struck()
		for range 10 {
			require.Equal(t, first, b.token(t))
		}
		goOn()
		b.tokenAfter(t, first)
		require.Equal(t, 2, b.identity.Calls(getToken))
	})

	t.Run("That_expired_is_waited_for_and_renewed_once_for_all", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(31))
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				token, err := b.keeper.Source(b.binding).Token(t.Context())
				if err != nil || !b.identity.Lives(token) {
					t.Errorf("no living token: %v", err)
				}
			})
		}
		group.Wait()
		require.Equal(t, 2, b.identity.Calls(getToken))
		require.Equal(t, 1, b.counts.of("renewed"))
	})

	t.Run("Of_a_quiet_binding_is_renewed_by_the_round", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		require.NoError(t, b.keeper.RenewDue(t.Context()))
		require.Equal(t, 1, b.identity.Calls(getToken))
		b.pass(t, minutes(26))
		require.NoError(t, b.keeper.RenewDue(t.Context()))
		require.Equal(t, 2, b.identity.Calls(getToken))
		require.NoError(t, b.keeper.RenewDue(t.Context()))
		require.Equal(t, 2, b.identity.Calls(getToken))
	})

	for name, skew := range map[string]time.Duration{"ahead": 3 * time.Hour, "behind": -3 * time.Hour} {
		t.Run("Does_not_mind_an_identity_server_and_a_process_whose_clocks_are_"+name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, webApp)
			b.clock.add(skew)
			b.paused.add(-skew)
			b.consent(t, b.binding)
			b.pass(t, minutes(24))
			first := b.token(t)
			require.Equal(t, 1, b.identity.Calls(getToken))
			b.pass(t, minutes(2))
			b.tokenAfter(t, first)
			require.Equal(t, 2, b.identity.Calls(getToken))
		})
	}

	t.Run("Expiry_is_known_to_the_gauge", func(t *testing.T) {
		t.Parallel()
		b := setup(t, webApp)
		expiry := func() dbsqlc.OAuthEarliestExpiryRow {
			row, err := dbsqlc.New().OAuthEarliestExpiry(t.Context(), b.pool)
			require.NoError(t, err)
			return row
		}
		require.Zero(t, expiry())
		b.consent(t, b.binding)
		require.EqualValues(t, 1, expiry().Grants)
		require.InDelta(t, 1800, expiry().Seconds, 10)
		b.pass(t, minutes(31))
		require.Negative(t, expiry().Seconds)
	})
}

// Whatever the identity server does short of a clear no, the consent lives.
func Test_Consent_survives(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]xerosim.Fault{
		"a_lost_answer":                     {When: xerosim.After, Reset: true},
		"half_an_answer":                    {When: xerosim.After, Half: true},
		"a_500_after_the_effect":            {When: xerosim.After, Status: 500},
		"a_500":                             {Status: 500, Body: `{"error":"server_error"}`},
		"a_503_that_says_invalid_grant":     {Status: 503, Body: `{"error":"invalid_grant"}`},
		"a_page_instead_of_a_token":         {Status: 200, Body: "<html>a proxy</html>"},
		"a_403_of_a_firewall":               {Status: 403, Body: "<html>blocked</html>"},
		"a_400_without_a_word":              {Status: 400},
		"an_answer_without_a_token":         {Status: 200, Body: `{"token_type":"Bearer"}`},
		"a_redirect":                        {Status: 302},
		"an_unknown_error":                  {Status: 400, Body: `{"error":"temporarily_unavailable"}`},
		"a_reset_before_it_was_carried_out": {Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := connected(t)
			b.pass(t, minutes(31))
			fault.Operation = getToken
			b.identity.Inject(fault)
			b.noToken(t, provider.Temporary)
			require.Equal(t, "active", b.status(t))
			calls := b.identity.Calls(getToken)
			b.noToken(t, provider.Temporary)
			require.Equal(t, calls, b.identity.Calls(getToken), "it is not asked again at once")
			b.paused.add(3 * time.Second)
			b.token(t)
			require.Equal(t, "active", b.status(t))
			require.Zero(t, b.counts.of("refused"))
		})
	}

	t.Run("an_identity_server_that_is_down", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(31))
		b.exec(t, `UPDATE oauth_grants SET identity_url = 'http://127.0.0.1:1'`)
		b.noToken(t, provider.Temporary)
		require.Equal(t, "active", b.status(t))
		b.exec(t, `UPDATE oauth_grants SET identity_url = $1`, b.xero.URL)
		b.paused.add(3 * time.Second)
		b.token(t)
	})

	t.Run("a_rate_limit_which_is_kept_to", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(31))
		b.identity.Inject(xerosim.Fault{Operation: getToken, Status: 429, Header: map[string][]string{"Retry-After": {"30"}}})
		require.Equal(t, 30*time.Second, b.noToken(t, provider.RateLimited).RetryAfter)
		b.paused.add(29 * time.Second)
		b.noToken(t, provider.RateLimited)
		b.paused.add(2 * time.Second)
		b.token(t)
	})

	t.Run("a_refresh_token_that_only_this_database_believes_in", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		first := b.token(t)
		b.pass(t, minutes(26))
		second := b.tokenAfter(t, first)
		b.spoilRefreshToken(t)
		b.pass(t, minutes(26))
		b.tokenAfter(t, second)
		require.Equal(t, "active", b.status(t))
	})

	t.Run("a_caller_who_went_away", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.pass(t, minutes(31))
		struck, goOn := b.hang(t)
		failed := make(chan error)
		ctx, leave := contextOf(t)
		go func() {
			_, err := b.keeper.Source(b.binding).Token(ctx)
			failed <- err
		}()
		struck()
		leave()
		var f *provider.Failure
		require.True(t, errors.As(<-failed, &f))
		require.Equal(t, provider.Temporary, f.Kind)
		goOn()
		require.Eventually(t, func() bool { return b.counts.of("renewed") == 1 }, 20*time.Second, 2*time.Millisecond)
		b.token(t)
		require.Equal(t, 2, b.identity.Calls(getToken))
	})
}

func Test_Withdrawn_consent(t *testing.T) {
	t.Parallel()

	t.Run("Is_told_once_however_many_need_the_token", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.identity.Disconnect(webApp)
		b.pass(t, minutes(31))
		other := b.newKeeper(t, b.xero.Client()) // as another process
		var group sync.WaitGroup
		for n := range 200 {
			group.Go(func() {
				keeper := b.keeper
				if n%2 == 0 {
					keeper = other
				}
				_, err := keeper.Source(b.binding).Token(t.Context())
				if f := provider.AsFailure(err); f.Kind != provider.Auth || f.Code != provider.CodeAuth {
					t.Errorf("not auth: %v", err)
				}
			})
		}
		group.Wait()
		require.NoError(t, b.keeper.RenewDue(t.Context()))
		require.Contains(t, b.noToken(t, provider.Auth).Message, "towpath binding connect "+b.binding.String())
		require.Equal(t, "needs_consent", b.status(t))
		require.Equal(t, 1, b.counts.of("refused"))
		require.Len(t, b.lines(t, "WARN"), 1)
		require.Equal(t, 2, b.identity.Calls(getToken), "a dead token is not shown again and again")
	})

	t.Run("Given_again_counts_at_once", func(t *testing.T) {
		t.Parallel()
		b := connected(t)
		b.identity.Disconnect(webApp)
		b.pass(t, minutes(31))
		b.noToken(t, provider.Auth)
		b.consent(t, b.binding)
		require.Equal(t, "active", b.status(t))
		b.token(t)
		require.Len(t, b.released, 2)
	})
}

func Test_Two_bindings_of_one_app_do_not_wait_for_each_other(t *testing.T) {
	t.Parallel()
	b := connected(t)
	second := b.newBinding(t, webApp, orgUK)
	b.consent(t, second)
	b.pass(t, minutes(31))
	struck, goOn := b.hang(t)
	first := make(chan error, 1)
	go func() {
		_, err := b.keeper.Source(b.binding).Token(t.Context())
		first <- err
	}()
	struck()
	_, err := b.keeper.Source(second).Token(t.Context())
	require.NoError(t, err)
	select {
	case err := <-first:
		t.Fatal("the first was done already", err)
	default:
	}
	goOn()
	require.NoError(t, <-first)
}
