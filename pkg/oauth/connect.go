package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/dbsqlc"
)

const storeTries = 3

// Connected is what a connection came to.
type Connected struct {
	BindingID uuid.UUID
	OrgID     string
	OrgName   string
	Released  int // held runs that go on
}

// ConnectApp connects a binding whose app has credentials of its own; no
// browser is needed. It may be repeated.
func (k *Keeper) ConnectApp(ctx context.Context, binding uuid.UUID) (Connected, error) {
	g, err := k.read(ctx, k.cfg.Pool, binding)
	if err != nil {
		return Connected{}, err
	}
	if g.OauthGrant.Kind != ClientCredentials {
		return Connected{}, &Refusal{"Consent needed", "The binding's app needs a person's consent: towpath binding connect " + binding.String()}
	}
	calling, cancel := context.WithTimeout(ctx, k.cfg.CallTimeout)
	defer cancel()
	fresh, life, err := k.byCredentials(calling, g)
	if err != nil {
		return Connected{}, g.explained(err)
	}
	g.tokens = fresh
	return k.connect(ctx, k.cfg.Pool, g, life)
}

// connectCode connects a binding by the code that a consent gave.
func (k *Keeper) connectCode(ctx context.Context, c consent, code string) (Connected, error) {
	g, err := k.read(ctx, k.cfg.Pages, c.binding)
	if err != nil {
		return Connected{}, err
	}
	calling, cancel := context.WithTimeout(ctx, k.cfg.CallTimeout)
	defer cancel()
	fresh, life, err := k.byCode(calling, g, code, c.verifier, c.redirect)
	if err != nil {
		return Connected{}, g.explained(err)
	}
	g.tokens = fresh
	return k.connect(ctx, k.cfg.Pages, g, life)
}

// explained puts a no of the identity server into words.
func (g grant) explained(err error) error {
	no := asRefused(err)
	if no == nil {
		return err
	}
	text := fmt.Sprintf("%s's identity server refused (%s).", g.spec.Title, no.code)
	if no.code == codeInvalidGrant {
		text += " A consent works once and for a few minutes; give it again."
	} else {
		text += " Check the app's id, secret and scopes."
	}
	if no.words != "" {
		text += " It said: " + no.words
	}
	return &Refusal{"Not connected", text}
}

// connect looks at the organisation, then stores the grant's new tokens, makes the binding
// active and releases its runs in one transaction. If the process dies before
// its commit nothing has changed here; the tokens are lost, and connecting again
// gives others.
func (k *Keeper) connect(ctx context.Context, pool *pgxpool.Pool, g grant, life time.Duration) (Connected, error) {
	asked := time.Now()
	found, err := k.reach(ctx, g)
	if err != nil {
		return Connected{}, err
	}
	org, err := choose(g, found)
	if err != nil {
		return Connected{}, err
	}
	done := Connected{BindingID: g.id(), OrgID: org.id, OrgName: org.name}
	store := func(tx pgx.Tx) (err error) {
		done.Released, err = k.storeConnected(ctx, tx, g, org.id, life-time.Since(asked))
		return err
	}
	// The tokens are nowhere but here: a deadlock or a lost connection must not
	// cost the consent. Storing them twice is harmless.
	for try := 1; try <= storeTries; try++ {
		var no *Refusal
		if err = pgx.BeginFunc(ctx, pool, store); err == nil || errors.As(err, &no) {
			break
		}
	}
	if err != nil {
		return Connected{}, fmt.Errorf("connect binding %s: %w", g.id(), err)
	}
	k.cfg.Count(eventConnected)
	k.cfg.Logger.InfoContext(ctx, "binding connected", "binding", g.id(), "provider", g.Provider, "org_id", org.id,
		"organisation", org.name, "runs_released", done.Released)
	return done, nil
}

// storeConnected takes the binding first, as who revokes it does.
func (k *Keeper) storeConnected(ctx context.Context, tx pgx.Tx, g grant, orgID string, life time.Duration) (released int, err error) {
	version, err := k.queries.OAuthBindingConnect(ctx, tx, dbsqlc.OAuthBindingConnectParams{ID: g.id(), OrgID: orgID})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, &Refusal{"Not connected", "The binding was revoked, or connected to another organisation, while the consent was given. Nothing was changed."}
	}
	if err != nil {
		return 0, err
	}
	if err := k.store(ctx, tx, g, life); err != nil {
		return 0, err
	}
	return k.cfg.Release(ctx, tx, g.id(), version)
}
