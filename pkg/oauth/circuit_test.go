package oauth_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"towpath/pkg/oauth"
	"towpath/pkg/outbound"
	"towpath/pkg/provider"
	"towpath/pkg/provider/xero/xerosim"
)

func Test_Identity_server_that_never_answers(t *testing.T) {
	t.Parallel()
	b := setup(t, webApp)
	newKeeper := func() *oauth.Keeper {
		keeper, err := oauth.New(oauth.Config{Pool: b.pool, Box: b.box, HTTP: outbound.New(outbound.Config{AllowPrivate: true}), CallTimeout: 300 * time.Millisecond})
		require.NoError(t, err)
		return keeper
	}
	bindings := []uuid.UUID{b.binding, b.newBinding(t, webApp, ""), b.newBinding(t, webApp, ""), b.newBinding(t, webApp, "")}
	for _, binding := range bindings {
		b.consent(t, binding)
	}
	b.pass(t, minutes(31))
	asked := b.identity.Calls(getToken)
	calls := func() int { return b.identity.Calls(getToken) - asked }
	fails := func(k *oauth.Keeper, binding uuid.UUID) {
		t.Helper()
		_, err := k.Source(binding).Token(t.Context())
		require.Equal(t, provider.HeldIdentityNoAnswer, provider.AsFailure(err).NoAnswer, "%v", err)
		require.Equal(t, provider.Temporary, provider.AsFailure(err).Kind)
	}
	never := make(chan struct{})
	answer := sync.OnceFunc(func() { close(never) })
	t.Cleanup(answer)
	b.identity.Inject(xerosim.Fault{Operation: getToken, When: xerosim.After, Hang: never, Times: 4})

	one, two := newKeeper(), newKeeper() // of two processes
	fails(one, bindings[0])
	fails(two, bindings[1])
	fails(one, bindings[2])
	require.Equal(t, 3, calls())
	for _, binding := range bindings {
		fails(newKeeper(), binding)
	}
	require.Equal(t, 3, calls(), "nobody asks it, also after a restart")

	b.exec(t, "UPDATE circuits SET probe_at = clock_timestamp()")
	b.exec(t, "INSERT INTO circuits (key, reason, opened_at, probe_at) VALUES ($1, 'identity_no_answer', now(), now() + interval '1 hour')", bindings[0].String())
	fails(newKeeper(), bindings[0])
	fails(newKeeper(), bindings[1])
	require.Equal(t, 4, calls(), "one is the probe")

	b.exec(t, "UPDATE circuits SET probe_at = clock_timestamp() WHERE key LIKE 'identity %'")
	answer()
	_, err := newKeeper().Source(bindings[3]).Token(t.Context())
	require.NoError(t, err)
	_, err = newKeeper().Source(bindings[2]).Token(t.Context())
	require.NoError(t, err, "all may again")
	rows, err := b.pool.Query(t.Context(), "SELECT key FROM circuits WHERE probe_at <= clock_timestamp()")
	require.NoError(t, err)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, []string{bindings[0].String()}, keys, "the ledger's own is asked at once")
}
