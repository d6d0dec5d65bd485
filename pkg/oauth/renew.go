package oauth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/dbsqlc"
)

const (
	// lockTimeout is how long to wait for another process's refresh: longer than
	// its call may take.
	lockTimeout = 20 * time.Second
	// grace is how long Xero takes a refresh token after it was spent.
	grace = 30 * time.Minute
)

// renew answers a grant whose token is fresh: another process's, or new and
// committed. Nothing is written by anybody else while the row is locked, so a
// refusal here is of the newest refresh token there is.
//
// Any failure leaves the stored tokens as they were. If the commit's own answer
// is lost, the next read tells.
func (k *Keeper) renew(ctx context.Context, binding uuid.UUID, refused string) (grant, error) {
	select {
	case k.semaphore <- struct{}{}:
		defer func() { <-k.semaphore }()
	case <-ctx.Done():
		return grant{}, ctx.Err()
	}
	asked, known, err := k.enter(ctx, binding)
	if err != nil {
		return grant{}, err
	}
	g, err := k.renewEntered(ctx, binding, refused)
	k.heard(ctx, asked, known, err)
	return g, err
}

func (k *Keeper) renewEntered(ctx context.Context, binding uuid.UUID, refused string) (grant, error) {
	var g grant
	var no *refusedError
	renewed := false
	err := pgx.BeginFunc(ctx, k.cfg.Pool, func(tx pgx.Tx) (err error) {
		if g, err = k.lock(ctx, tx, binding); err != nil || g.fresh(refused) {
			return err
		}
		if err := g.lost(); err != nil {
			return err
		}
		fresh, life, err := k.ask(ctx, g)
		if no = asRefused(err); no != nil {
			return k.queries.OAuthGrantRefuse(ctx, tx, dbsqlc.OAuthGrantRefuseParams{BindingID: binding, Refused: no.code})
		}
		if err != nil {
			k.cfg.Count(eventFailed)
			return err
		}
		g.tokens, renewed = fresh, true
		return k.store(ctx, tx, g, life)
	})
	switch {
	case err != nil:
		return grant{}, fmt.Errorf("renew token of binding %s: %w", binding, err)
	case no != nil:
		return grant{}, k.tellRefused(ctx, g, no)
	case renewed:
		k.cfg.Count(eventRenewed)
	}
	return g, nil
}

// lock waits for the row and reads it then. If this machine vanishes while it
// has the lock, the server ends the transaction.
func (k *Keeper) lock(ctx context.Context, tx pgx.Tx, binding uuid.UUID) (grant, error) {
	err := k.queries.OAuthGrantLimits(ctx, tx, dbsqlc.OAuthGrantLimitsParams{
		LockTimeout: milliseconds(lockTimeout), IdleTimeout: milliseconds(k.cfg.CallTimeout + 5*time.Second),
	})
	if err != nil {
		return grant{}, err
	}
	if _, err := k.queries.OAuthGrantLock(ctx, tx, binding); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return grant{}, err
	}
	return k.read(ctx, tx, binding)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// ask gets new tokens. Where the refresh token is refused, the one before it is
// tried too, as long as Xero would take it: the newest may be one that only this
// database believes in.
func (k *Keeper) ask(ctx context.Context, g grant) (tokens, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.CallTimeout)
	defer cancel()
	if g.OauthGrant.Kind == ClientCredentials {
		return k.byCredentials(ctx, g)
	}
	fresh, life, err := k.byRefresh(ctx, g, g.tokens.refresh)
	if no := asRefused(err); no != nil && no.code == codeInvalidGrant && !g.tokens.previous.IsEmpty() && g.age() < grace {
		if again, life, err := k.byRefresh(ctx, g, g.tokens.previous); err == nil {
			return again, life, nil
		}
	}
	return fresh, life, err
}

// store writes the grant's new tokens; they are due after five sixths of their
// life. Where the app was replaced while this one's tokens were got, they are
// nobody's: with them the new app would be refused at its first renewal.
func (k *Keeper) store(ctx context.Context, tx pgx.Tx, g grant, life time.Duration) error {
	sealed, err := g.tokens.seal(k.cfg.Box, g.id())
	if err != nil {
		return err
	}
	n, err := k.queries.OAuthGrantStore(ctx, tx, dbsqlc.OAuthGrantStoreParams{
		BindingID: g.id(), ClientID: g.OauthGrant.ClientID, IdentityUrl: g.OauthGrant.IdentityUrl,
		TokensSealed: sealed, RefreshIn: life.Seconds() * 5 / 6, ExpiresIn: life.Seconds(),
	})
	if err == nil && n != 1 {
		return &Refusal{"Not connected", "The binding's app was replaced meanwhile. Nothing was changed; connect it with its new app."}
	}
	return err
}

// tellRefused says once that the identity server refused: to the log, the
// metric and the binding. If the process dies before the binding is marked, the
// first run that needs the token marks it.
func (k *Keeper) tellRefused(ctx context.Context, g grant, no *refusedError) error {
	if g.OauthGrant.Refused == nil {
		k.cfg.Count(eventRefused)
		k.cfg.Logger.WarnContext(ctx, "the provider refuses to renew the token; the binding's runs are held",
			"binding", g.id(), "provider", g.Provider, "code", no.code, "said", no.words)
	}
	if _, err := k.queries.OAuthBindingNeedsConsent(ctx, k.cfg.Pool, g.id()); err != nil {
		k.cfg.Logger.WarnContext(ctx, "binding not marked", "binding", g.id(), "error", err)
	}
	return g.refusal(no.code)
}
