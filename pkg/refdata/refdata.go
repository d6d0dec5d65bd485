// Package refdata is what a provider tells of itself (accounts, tax rates, themes,
// tracking), as far as settings refer to it: read, stored with the binding, and
// compared with the settings.
package refdata

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/quota"
	"towpath/riverjobs"
)

// Stored is what is stored of a binding's provider; false where nothing is.
func Stored(binding dbsqlc.Binding) (provider.Reference, bool) {
	var ref provider.Reference
	if binding.Reference == nil || json.Unmarshal(binding.Reference, &ref) != nil {
		return provider.Reference{}, false
	}
	return ref, true
}

// Faults are the settings of a binding that refer to what the provider
// does not have any more, as far as is stored of it.
func Faults(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding) ([]policy.FieldError, error) {
	ref, known := Stored(binding)
	if !known {
		return nil, nil
	}
	row, err := dbsqlc.New().PolicyGet(ctx, pool, dbsqlc.PolicyGetParams{BindingID: binding.ID, Version: binding.PolicyVersion})
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	pol, faults, err := policy.Parse(row.Policy)
	if err != nil {
		return nil, fmt.Errorf("read policy of binding %s: %w", binding.ID, err)
	}
	return append(faults, policy.Check(pol, ref, binding.Wire)...), nil
}

// Checked is how settings compare with what the provider tells of itself.
type Checked struct {
	Faults   []policy.FieldError
	Known    bool  // false: nothing is known of it, and only what needs none was checked
	NotAsked error // why it could not be asked, where that was tried
}

// Check compares settings that are to be saved, and answers all their faults; form are
// those of their form. What is stored may be a day old, so before anything is refused for
// it the provider is asked anew; not where the form is wrong: they are refused anyway, and
// whoever mistyped a name waits for no call.
func Check(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, p policy.Policy, form []policy.FieldError, from func() (clients.Factory, error)) Checked {
	ref, known := Stored(binding)
	if len(form) > 0 && !known {
		return Checked{Faults: form, Known: true}
	}
	if faults := policy.Check(p, ref, binding.Wire); len(form) > 0 || known && len(faults) == 0 {
		return Checked{Faults: append(form, faults...), Known: true}
	}
	fresh, err := refreshed(ctx, pool, binding, from)
	if err != nil {
		fresh = binding
	}
	if ref, known = Stored(fresh); !known {
		ref = provider.Reference{} // what needs none is checked all the same
	}
	return Checked{Faults: policy.Check(p, ref, binding.Wire), Known: known, NotAsked: err}
}

// refreshed is the binding with what its provider says now.
func refreshed(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, from func() (clients.Factory, error)) (dbsqlc.Binding, error) {
	made, err := from()
	if err != nil {
		return binding, err
	}
	if err := Refresh(ctx, pool, binding, made); err != nil {
		return binding, err
	}
	return dbsqlc.New().BindingGet(ctx, pool, binding.ID)
}

// readTimeout bounds a reading that somebody waits for.
const readTimeout = 20 * time.Second

// Refresh reads it now, for somebody who waits, and stores it.
func Refresh(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, from clients.Factory) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return read(ctx, pool, binding, from, false)
}

func read(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, from clients.Factory, backfill bool) error {
	calls := quota.New(pool, binding.ID, quota.LimitsOf(binding.Provider, binding.Wire), backfill, "")
	ledger, err := from.Ledger(binding, calls.Permit)
	if err != nil {
		return err
	}
	if _, err = riverjobs.RefreshReference(ctx, dbsqlc.New(), pool, binding, ledger, time.Now()); err != nil {
		return err
	}
	if binding.Status == "needs_consent" { // the provider just answered it: that is over
		_, err = dbsqlc.New().BindingSetStatus(ctx, pool, dbsqlc.BindingSetStatusParams{ID: binding.ID, Status: "active"})
	}
	return err
}

// Try asks the provider whether it takes the binding as it is given, stored or not.
// Nothing is stored.
func Try(ctx context.Context, pool *pgxpool.Pool, binding dbsqlc.Binding, from clients.Factory) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	calls := quota.New(pool, binding.ID, quota.LimitsOf(binding.Provider, binding.Wire), false, "")
	ledger, err := from.Ledger(binding, calls.Permit)
	if err == nil {
		_, err = ledger.Reference(ctx)
	}
	return err
}
