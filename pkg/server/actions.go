package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/dashboard"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/provider"
	"towpath/riverjobs"
)

// connectOf is the dashboard's button that connects a binding: by the consent on
// the answered address, or at once where the app has credentials of its own. The
// workers read the reference data.
func connectOf(keeper *oauth.Keeper, pool *pgxpool.Pool, baseURL string) func(context.Context, uuid.UUID) (string, error) {
	return func(ctx context.Context, id uuid.UUID) (string, error) {
		kind, err := appKind(ctx, pool, id)
		if err != nil {
			return "", err
		}
		if kind == oauth.ClientCredentials {
			_, err := keeper.ConnectApp(ctx, id)
			return "", refusalOf(err)
		}
		address, err := keeper.Consent(ctx, id, baseURL)
		if err != nil {
			return "", refusalOf(err)
		}
		return oauth.GoOn(address), nil
	}
}

// appKind answers how the binding's app gets tokens. pgx.ErrNoRows: there is no
// such binding.
func appKind(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID) (string, error) {
	binding, err := dbsqlc.New().BindingGet(ctx, pool, id)
	if err != nil {
		return "", fmt.Errorf("read binding %s: %w", id, err)
	}
	kind, err := account.AppKind(ctx, pool, binding)
	switch {
	case errors.Is(err, account.ErrBindingRevoked):
		return "", &dashboard.Refusal{Title: "Revoked", Text: "This connection was revoked. Nothing was changed; for a new one: towpath binding create --help"}
	case errors.Is(err, account.ErrNoApp):
		return "", &dashboard.Refusal{Title: "Nothing to connect with",
			Text: "This connection has a fixed token and no app. Give it a new token: towpath binding token " + id.String() + " --token-file FILE"}
	}
	return kind, err
}

// refusalOf puts what the token manager says into the page's words. What the
// provider failed at passes by itself.
func refusalOf(err error) error {
	var no *oauth.Refusal
	var failed *provider.Failure
	switch {
	case errors.As(err, &no):
		return &dashboard.Refusal{Title: no.Title, Text: no.Text}
	case errors.As(err, &failed):
		return &dashboard.Refusal{Title: "Not connected", Text: failed.Message + ". Nothing was changed: try again in a moment."}
	}
	return err
}

// buttonOf is a button of the dashboard that acts on runs; the history names who pressed
// it.
func buttonOf[T any](op riverjobs.Operator, do func(*riverjobs.Operator, context.Context, T) error) func(context.Context, T) error {
	return func(ctx context.Context, what T) error {
		by := op
		by.Who = dashboard.VisitorOf(ctx).Name // as in the audit
		err := do(&by, ctx, what)
		if errors.Is(err, riverjobs.ErrNothingToDo) {
			return fmt.Errorf("%w: %w", dashboard.ErrNothingToDo, err)
		}
		return err
	}
}
