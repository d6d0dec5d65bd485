// Package actions is what a person does at Towpath with a shop or a binding, as far as it
// takes more than one package: settings are judged by their form (policy) and by what the
// ledger has (refdata), compared with those in force (account) and tried on stored
// documents (whatif). The pages and the command line both call it.
package actions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/account"
	"towpath/pkg/clients"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/outbound"
	"towpath/pkg/policy"
	"towpath/pkg/provider"
	"towpath/pkg/refdata"
	"towpath/pkg/secret"
	"towpath/pkg/whatif"
	"towpath/riverjobs"
)

// Actions are what the pages do.
type Actions struct {
	Pool    *pgxpool.Pool
	Jobs    *riverjobs.Client // inserts
	Clients clients.Factory
	Box     *secret.Box
	Private outbound.Private
	BaseURL string // where shops and browsers reach this Towpath
}

// operator acts for who.
func (a *Actions) operator(who string) *riverjobs.Operator {
	return &riverjobs.Operator{Pool: a.Pool, Client: a.Jobs, Who: who}
}

// Settings are a binding's settings with what they may refer to.
type Settings struct {
	Binding   dbsqlc.Binding
	Shop      string
	InForce   policy.Policy
	Reference provider.Reference
	Known     bool // Reference was read once
	Seen      Seen
}

// Seen is what the shop's newest invoices came with.
type Seen struct{ Methods, Stores, Websites []string }

// seenRuns is how many of the newest invoices are looked at for it.
const seenRuns = 1000

// Settings reads them. account.ErrNoBinding.
func (a *Actions) Settings(ctx context.Context, id uuid.UUID) (s Settings, err error) {
	queries := dbsqlc.New()
	if s.Binding, err = queries.BindingGet(ctx, a.Pool, id); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return s, account.ErrNoBinding
		}
		return s, fmt.Errorf("read binding %s: %w", id, err)
	}
	tenant, err := queries.TenantGet(ctx, a.Pool, s.Binding.TenantID)
	if err != nil {
		return s, fmt.Errorf("read tenant %s: %w", s.Binding.TenantID, err)
	}
	s.Shop = tenant.Name
	s.Reference, s.Known = refdata.Stored(s.Binding)
	if s.InForce, err = account.Settings(ctx, a.Pool, id, s.Binding.PolicyVersion); err != nil {
		return s, err
	}
	rows, err := queries.ShopSeen(ctx, a.Pool, dbsqlc.ShopSeenParams{TenantID: tenant.ID, MaxRuns: seenRuns})
	if err != nil {
		return s, fmt.Errorf("read what tenant %s sent: %w", tenant.ID, err)
	}
	lists := map[string]*[]string{"payment_method": &s.Seen.Methods, "store": &s.Seen.Stores, "website": &s.Seen.Websites}
	for _, row := range rows {
		*lists[row.What] = append(*lists[row.What], row.Value)
	}
	return s, nil
}

// Judged is settings with all that is wrong with them.
type Judged struct {
	Policy   policy.Policy
	Faults   []policy.FieldError
	Known    bool  // false: nothing is known of the ledger, and no account or rate was checked
	NotAsked error // why the ledger could not be asked now, where that was tried
}

// Judge reads settings and checks what they refer to: where what is stored of the ledger
// is against them, it is asked anew. The error is for what is no JSON.
func (a *Actions) Judge(ctx context.Context, binding dbsqlc.Binding, raw []byte) (Judged, error) {
	p, faults, err := policy.Parse(raw)
	if err != nil {
		return Judged{}, err
	}
	checked := refdata.Check(ctx, a.Pool, binding, p, faults, func() (clients.Factory, error) { return a.Clients, nil })
	return Judged{Policy: p, Faults: checked.Faults, Known: checked.Known, NotAsked: checked.NotAsked}, nil
}

// Save stores settings as a new version over the one that they were compared with; see
// account.SavePolicy.
func (a *Actions) Save(ctx context.Context, who string, id uuid.UUID, p policy.Policy, over int32) (version int32, released int, err error) {
	return account.SavePolicy(ctx, a.operator(who), id, p, over)
}

// Refresh reads what a binding's ledger has, now.
func (a *Actions) Refresh(ctx context.Context, binding dbsqlc.Binding) error {
	return refdata.Refresh(ctx, a.Pool, binding, a.Clients)
}

// Look is what what-if compares: the settings in force, or where pinned is true those of
// each run, with others. The binding is read again: its reference data may have been read
// anew for a check.
func Look(ctx context.Context, pool *pgxpool.Pool, id uuid.UUID, tried policy.Policy, pinned bool) (whatif.Look, error) {
	look := whatif.Look{Pool: pool, After: tried}
	var err error
	if look.Binding, err = dbsqlc.New().BindingGet(ctx, pool, id); err != nil {
		return look, fmt.Errorf("read binding: %w", err)
	}
	look.Reference, _ = refdata.Stored(look.Binding)
	if !pinned {
		before, err := account.Settings(ctx, pool, id, look.Binding.PolicyVersion)
		if err != nil {
			return look, err
		}
		look.Before = &before
	}
	// No key is needed to open a token that is not used.
	look.Ledger, err = clients.New(nil, outbound.Private{All: true}, nil).Ledger(look.Binding, provider.Unlimited)
	return look, err
}

// Tried is what settings would change of the newest documents.
type Tried struct {
	whatif.Summary
	Differences []whatif.Difference // the newest of them
	Broken      error               // it ended early
}

// The bounds of a what-if that somebody waits for.
const (
	TryDocuments = 300
	tryShown     = 25
	tryTime      = 20 * time.Second
)

// Try compares the newest documents under settings with those in force.
func (a *Actions) Try(ctx context.Context, id uuid.UUID, p policy.Policy) (Tried, error) {
	look, err := Look(ctx, a.Pool, id, p, false)
	if err != nil {
		return Tried{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	look.Limit = TryDocuments
	var tried Tried
	tried.Summary, tried.Broken = look.Run(ctx, func(one whatif.Difference) error {
		if len(tried.Differences) < tryShown {
			tried.Differences = append(tried.Differences, one)
		}
		return nil
	}, func(whatif.Summary) {})
	return tried, nil
}
