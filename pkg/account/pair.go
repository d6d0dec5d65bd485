package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"towpath/pkg/audit"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/magento"
	"towpath/pkg/pgdb"
	"towpath/pkg/provider"
	"towpath/pkg/secret"
	"towpath/pkg/shopjwt"
	"towpath/riverjobs"
)

// Pairer pairs shops.
type Pairer struct {
	Op    *riverjobs.Operator
	Box   *secret.Box
	Shops *http.Client     // built by package outbound
	Now   func() time.Time // nil: time.Now
}

// Pairing is what a person says of a shop to be paired. MagentoURL and BaseURL
// have been checked.
type Pairing struct {
	Tenant     uuid.UUID // the tenant to pair again; zero: the one at MagentoURL, or a new one
	Name       string    // of a new tenant; empty: the host of MagentoURL
	MagentoURL string
	Code       secret.String
	Provider   string // whose module made the code
	BaseURL    string // where the shop will send its events
}

// Paired is how a pairing ended that took place.
type Paired struct {
	Tenant   dbsqlc.Tenant
	Again    bool // the tenant was there before; its key was replaced
	ByPing   bool // no answer said so: /ping showed that the shop has the key
	Released int  // held runs that go on
	// Clock is the shop's clock minus ours, to about a second; nil where unknown.
	Clock *time.Duration
	// Warning is what is wrong though the shop is paired; nil for nothing.
	Warning error
}

// ClockText is how far another clock is off ours, as the end of "its clock is".
func ClockText(off time.Duration) string {
	switch {
	case off.Abs() <= 2*time.Second:
		return "as ours to the second or two"
	case off > 0:
		return off.String() + " ahead of ours"
	}
	return off.Abs().String() + " behind ours"
}

// SeveralTenantsError: more than one tenant is at the address, and the pairing
// does not name one.
type SeveralTenantsError struct{ IDs []uuid.UUID }

func (e *SeveralTenantsError) Error() string {
	names := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		names[i] = id.String()
	}
	return fmt.Sprintf("%d tenants are at this address: %s", len(e.IDs), strings.Join(names, ", "))
}

// Pair hands a shop a key and stores what came of it. It may be repeated
// whatever happened before: with the same code where that may not have been used,
// else with a new one.
//
// The key is stored first. If the process stops before the call, a tenant waits to
// be paired, or a key is offered that nobody has; neither does harm. If it stops
// after the call, the shop has a key that is stored here, so its events are
// accepted, and the first of them settles the pairing; so does the next Pair,
// which offers the same key. Until then the key before verifies too: a pairing
// that did not take place has changed nothing.
//
// The error is a *magento.PairFailure where the shop was asked, else ErrPairing,
// ErrNoTenant, a *SeveralTenantsError, or the database's.
func (p Pairer) Pair(ctx context.Context, what Pairing) (Paired, error) {
	unlock, err := p.lock(ctx, what.MagentoURL)
	if err != nil {
		return Paired{}, err
	}
	defer unlock()
	offer, err := p.offer(ctx, what)
	if err != nil {
		return Paired{}, err
	}
	done := Paired{Tenant: offer.tenant, Again: !offer.made}
	shop, err := magento.New(magento.Config{
		BaseURL: what.MagentoURL, TenantID: offer.tenant.ID.String(), APIKey: offer.key.Reveal(), HTTP: p.Shops, Now: p.now,
	})
	if err != nil {
		return done, err
	}
	if err := shop.Pair(ctx, magento.PairRequest{Code: what.Code, LedgerBaseURL: what.BaseURL, Provider: what.Provider}); err != nil {
		if err = p.settle(ctx, shop, offer, err, &done); err != nil {
			return done, err
		}
	}
	// From here on the shop has the key. That is noted even for a caller who has
	// gone; if it cannot be noted, the shop's first token does it.
	done.Tenant, done.Released, err = p.confirm(context.WithoutCancel(ctx), offer)
	if err != nil {
		return done, fmt.Errorf("the shop has paired, but that could not be stored; its first event will: %w", err)
	}
	if !done.ByPing {
		done.Clock, done.Warning = p.ping(ctx, shop)
		done.Warning = explainPing(what.MagentoURL, done.Warning)
	}
	return done, nil
}

func (p Pairer) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// lock keeps a second pairing of the same shop out until the first has ended: it
// would offer the same key, and one of them may take its tenant back. The lock is
// the connection's, so it ends with the process.
func (p Pairer) lock(ctx context.Context, magentoURL string) (unlock func(), err error) {
	conn, err := p.Op.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock shop: %w", err)
	}
	name := "towpath pairs " + plainAddress(magentoURL)
	var locked bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, name).Scan(&locked); err != nil {
		conn.Release()
		return nil, fmt.Errorf("lock shop: %w", err)
	}
	if !locked {
		conn.Release()
		return nil, ErrPairing
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended($1, 0))`, name); err != nil {
			_ = conn.Conn().Close(ctx) // which unlocks, too
		}
		conn.Release()
	}, nil
}

// offer is a key on its way to a shop.
type offer struct {
	tenant  dbsqlc.Tenant
	key     secret.String
	made    bool // the tenant was made for this pairing
	earlier bool // an earlier pairing may have handed over this key
	address string
}

// offer finds or makes the tenant and stores the key that the shop is to get. A
// key that an earlier pairing has offered is offered again: if the shop took it
// then, it has the right one.
func (p Pairer) offer(ctx context.Context, what Pairing) (offer, error) {
	var o offer
	err := pgdb.InTx(ctx, p.Op.Pool, func(tx pgx.Tx) error {
		o = offer{address: what.MagentoURL}
		id, err := findTenant(ctx, tx, what)
		if err != nil {
			return err
		}
		if id == uuid.Nil {
			return p.makeTenant(ctx, tx, what, &o)
		}
		return p.offerAgain(ctx, tx, id, &o)
	})
	return o, err
}

// findTenant is the tenant to pair again, or the zero id.
func findTenant(ctx context.Context, tx pgx.Tx, what Pairing) (uuid.UUID, error) {
	if what.Tenant != uuid.Nil {
		return what.Tenant, nil
	}
	tenants, err := dbsqlc.New().TenantList(ctx, tx)
	if err != nil {
		return uuid.Nil, fmt.Errorf("find tenant: %w", err)
	}
	var there []uuid.UUID
	for _, t := range tenants {
		if sameAddress(t.MagentoUrl, what.MagentoURL) {
			there = append(there, t.ID)
		}
	}
	switch len(there) {
	case 0:
		return uuid.Nil, nil
	case 1:
		return there[0], nil
	}
	return uuid.Nil, &SeveralTenantsError{IDs: there}
}

func (p Pairer) makeTenant(ctx context.Context, tx pgx.Tx, what Pairing, o *offer) error {
	o.made, o.key = true, secret.NewString(shopjwt.NewAPIKey())
	var err error
	o.tenant, err = storeTenant(ctx, tx, p.Box, Tenant{
		ID: uuid.New(), Name: cmp.Or(strings.TrimSpace(what.Name), hostOf(what.MagentoURL)), MagentoURL: what.MagentoURL, APIKey: o.key,
	})
	return err
}

// offerAgain takes the key that was offered before, or offers a new one. A tenant
// that was never connected has no other key than the one that is offered.
func (p Pairer) offerAgain(ctx context.Context, tx pgx.Tx, id uuid.UUID, o *offer) error {
	queries := dbsqlc.New()
	tenant, err := queries.TenantLock(ctx, tx, id)
	if isNoRow(err) {
		return ErrNoTenant
	}
	if err != nil {
		return fmt.Errorf("lock tenant: %w", err)
	}
	o.tenant = tenant
	sealed := tenant.OfferedKeySealed
	if sealed == nil && tenant.ConnectionStatus == statusPending && len(tenant.ApiKeySealed) > 0 {
		sealed = tenant.ApiKeySealed
	}
	if sealed != nil {
		o.earlier = true
		o.key, err = openKey(p.Box, id, sealed)
		return err
	}
	o.key = secret.NewString(shopjwt.NewAPIKey())
	err = queries.TenantOfferKey(ctx, tx, dbsqlc.TenantOfferKeyParams{ID: id, OfferedKeySealed: sealKey(p.Box, id, o.key.Reveal())})
	if err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	return nil
}

// settle asks /ping where the call leaves it open whether the shop has the key,
// now or since an earlier pairing. It returns nil if the shop has it, else why it
// was not paired.
func (p Pairer) settle(ctx context.Context, shop *magento.Client, o offer, failed error, done *Paired) error {
	var why *magento.PairFailure
	if !errors.As(failed, &why) {
		return failed
	}
	if !why.Maybe && !o.earlier {
		return p.undo(ctx, o, why)
	}
	clock, err := p.ping(ctx, shop)
	if err == nil {
		done.ByPing, done.Clock = true, clock
		return nil
	}
	if why.Maybe && provider.AsFailure(err).Kind == provider.Auth {
		// Not now; a call that the shop still works on could yet take effect, so the
		// key stays on offer.
		return magento.KeyNotTaken(why)
	}
	return why
}

// undo takes back a tenant that was made for a pairing that certainly did not
// take place. What was there before stays, with its keys.
func (p Pairer) undo(ctx context.Context, o offer, why *magento.PairFailure) error {
	if o.made {
		if _, err := dbsqlc.New().TenantDeleteUnpaired(context.WithoutCancel(ctx), p.Op.Pool, o.tenant.ID); err != nil {
			return fmt.Errorf("%w (the tenant stays, as pending: %w)", why, err)
		}
	}
	return why
}

// confirm makes the offered key the tenant's, and the address that paired, and
// releases its held runs. The shop's first token may have done the first already.
func (p Pairer) confirm(ctx context.Context, o offer) (tenant dbsqlc.Tenant, released int, err error) {
	queries := dbsqlc.New()
	err = pgdb.InTx(ctx, p.Op.Pool, func(tx pgx.Tx) error {
		tenant, err = queries.TenantLock(ctx, tx, o.tenant.ID)
		if err != nil {
			return fmt.Errorf("lock tenant: %w", err)
		}
		current, lost := openKey(p.Box, tenant.ID, tenant.ApiKeySealed) // with the key that sealed it
		if lost == nil && current.Reveal() == o.key.Reveal() {
			_, err = queries.TenantSetConnection(ctx, tx, dbsqlc.TenantSetConnectionParams{ID: tenant.ID, ConnectionStatus: statusActive})
		} else {
			_, err = queries.TenantSetKey(ctx, tx, dbsqlc.TenantSetKeyParams{
				ID: tenant.ID, ApiKeySealed: sealKey(p.Box, tenant.ID, o.key.Reveal()), GraceSeconds: keyGrace.Seconds(), KeepPrevious: lost == nil,
			})
		}
		if err != nil {
			return fmt.Errorf("store key: %w", err)
		}
		if tenant.MagentoUrl != o.address {
			_, err = queries.TenantChange(ctx, tx, dbsqlc.TenantChangeParams{ID: tenant.ID, MagentoUrl: &o.address})
			if err != nil {
				return fmt.Errorf("store address: %w", err)
			}
		}
		if released, err = releaseTenant(ctx, tx, p.Op, tenant.ID); err != nil {
			return err
		}
		before := tenant
		if tenant, err = queries.TenantGet(ctx, tx, tenant.ID); err != nil {
			return fmt.Errorf("read tenant: %w", err)
		}
		return audit.Write(ctx, tx, p.Op.Who, audit.Entry{Action: audit.TenantPaired, Tenant: tenant.ID,
			Before: map[string]any{"status": before.ConnectionStatus, "magento_url": before.MagentoUrl},
			After:  map[string]any{"status": tenant.ConnectionStatus, "magento_url": tenant.MagentoUrl}})
	})
	return tenant, released, err
}

// ping asks the shop whether it has the key, and compares the clocks: the shop's
// time is to the second, and half the way is taken off.
func (p Pairer) ping(ctx context.Context, shop *magento.Client) (*time.Duration, error) {
	asked := p.now()
	at, err := shop.Ping(ctx)
	if err != nil || at.IsZero() {
		return nil, err
	}
	took := p.now().Sub(asked)
	off := at.Add(time.Second / 2).Sub(asked.Add(took / 2)).Round(time.Second)
	return &off, nil
}

// explainPing says what a refused ping means right after the shop has paired.
func explainPing(shopURL string, err error) error {
	if err == nil || provider.AsFailure(err).Kind != provider.Auth {
		return err
	}
	return magento.HeaderDropped(shopURL, err)
}

func openKey(box *secret.Box, id uuid.UUID, sealed []byte) (secret.String, error) {
	raw, err := box.Open(sealed, secret.Place(secret.TenantAPIKey, id.String()))
	if err != nil {
		return secret.String{}, fmt.Errorf("open the key of tenant %s: %w", id, err)
	}
	return secret.NewString(string(raw)), nil
}

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Host
	}
	return raw
}
