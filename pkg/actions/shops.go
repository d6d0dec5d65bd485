package actions

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/account"
	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/oauth"
	"towpath/pkg/shopjwt"
)

// Pair checks the addresses and pairs a shop; see account.Pairer. An *account.FieldError
// says what was given wrong; the warnings are of what may be.
func (a *Actions) Pair(ctx context.Context, who string, what account.Pairing) (done account.Paired, warnings []string, err error) {
	what.MagentoURL, what.BaseURL = strings.TrimRight(strings.TrimSpace(what.MagentoURL), "/"), a.BaseURL
	if err := account.CheckShopURL(what.MagentoURL, a.Private); err != nil {
		return done, nil, &account.FieldError{Field: "magento-url", Text: err.Error()}
	}
	warnings, err = account.CheckBaseURL(a.BaseURL, what.MagentoURL)
	if err != nil {
		return done, nil, &account.FieldError{Field: "base-url", Text: "TOWPATH_BASE_URL: " + err.Error()}
	}
	// A key that is sealed with one that does not open the others' is lost.
	if err := oauth.CheckKey(ctx, a.Pool, a.Box); err != nil {
		return done, nil, err
	}
	pairer := account.Pairer{Op: a.operator(who), Box: a.Box, Shops: a.Clients.Shops}
	done, err = pairer.Pair(audit.As(ctx, who), what)
	return done, append(warnings, done.Warnings()...), err
}

// RotateKey gives a shop that takes its key by hand a new one, which is answered once.
func (a *Actions) RotateKey(ctx context.Context, who string, tenant uuid.UUID) (key string, released int, err error) {
	if err := oauth.CheckKey(ctx, a.Pool, a.Box); err != nil {
		return "", 0, err
	}
	key = shopjwt.NewAPIKey()
	released, err = account.ReplaceKey(audit.As(ctx, who), a.operator(who), a.Box, tenant, key)
	return key, released, err
}

// Waiting is a binding with what a revocation would leave undone.
type Waiting struct {
	Binding    dbsqlc.Binding
	Shop       string
	Open, Held int64
}

// Waiting reads it. account.ErrNoBinding.
func (a *Actions) Waiting(ctx context.Context, id uuid.UUID) (w Waiting, err error) {
	if w.Binding, err = dbsqlc.New().BindingGet(ctx, a.Pool, id); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return w, account.ErrNoBinding
		}
		return w, fmt.Errorf("read binding %s: %w", id, err)
	}
	tenant, err := dbsqlc.New().TenantGet(ctx, a.Pool, w.Binding.TenantID)
	if err != nil {
		return w, fmt.Errorf("read tenant %s: %w", w.Binding.TenantID, err)
	}
	w.Shop = tenant.Name
	w.Open, w.Held, err = account.WaitingRuns(ctx, a.Pool, id)
	return w, err
}

// Revoke ends a binding. account.ErrBindingRevoked.
func (a *Actions) Revoke(ctx context.Context, who string, id uuid.UUID) error {
	return account.RevokeBinding(audit.As(ctx, who), a.Pool, id)
}
