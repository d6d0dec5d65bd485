package oauth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/secret"
)

// The operations that Observe is told about.
const (
	opToken         = "token"
	opOrganisations = "connections"
)

// Operations lists what Observe may be told.
func Operations() []string { return []string{opToken, opOrganisations} }

// The events that Count is told about.
const (
	eventConnected = "connected"
	eventRenewed   = "renewed"
	eventFailed    = "renewal_failed"
	eventRefused   = "refused" // once, however many runs need the token
)

// Events lists what Count may be told.
func Events() []string {
	return []string{eventConnected, eventRenewed, eventFailed, eventRefused}
}

// Config is what a Keeper stands on.
type Config struct {
	Pool *pgxpool.Pool
	// Pages serves what people do in a browser (start.go, callback.go): strangers
	// must not be able to take a connection of Pool from the work; default Pool.
	Pages  *pgxpool.Pool
	Box    *secret.Box
	HTTP   *http.Client // to identity servers; see package outbound
	Logger *slog.Logger // default: none

	// Release lets the held runs of a binding go on, in the transaction that
	// connected it; it answers how many.
	Release func(ctx context.Context, tx pgx.Tx, bindingID uuid.UUID, policyVersion int32) (int, error)
	// Observe is told of each call: code is the HTTP status, timeout or error.
	Observe func(provider, operation, code string, elapsed time.Duration)
	// Count is told of each event.
	Count func(event string)
	// Now times the pause after a failed refresh, nothing else; default time.Now.
	Now func() time.Time

	CallTimeout time.Duration // of the calls of one refresh, for which its row is locked; default 15 s
	AtOnce      int           // refreshes at once in this process, each with a connection; default 6
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Release == nil {
		c.Release = func(context.Context, pgx.Tx, uuid.UUID, int32) (int, error) { return 0, nil }
	}
	if c.Observe == nil {
		c.Observe = func(string, string, string, time.Duration) {}
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Pages = cmp.Or(c.Pages, c.Pool)
	c.CallTimeout = cmp.Or(c.CallTimeout, 15*time.Second)
	c.AtOnce = cmp.Or(c.AtOnce, 6)
	return c
}

// Keeper manages the tokens of all bindings in one process. It is safe for
// concurrent use.
type Keeper struct {
	cfg       Config
	queries   *dbsqlc.Queries
	semaphore chan struct{}

	mu      sync.Mutex
	sources map[uuid.UUID]*Source
}

// New makes a keeper; it touches neither network nor database.
func New(cfg Config) (*Keeper, error) {
	switch {
	case cfg.Pool == nil:
		return nil, errors.New("oauth: no database")
	case cfg.Box == nil:
		return nil, errors.New("oauth: no key to seal with")
	case cfg.HTTP == nil:
		return nil, errors.New("oauth: no http client")
	}
	cfg = cfg.withDefaults()
	return &Keeper{cfg: cfg, queries: dbsqlc.New(), semaphore: make(chan struct{}, cfg.AtOnce), sources: map[uuid.UUID]*Source{}}, nil
}

// Source gives a binding's tokens out; the same one for the same binding.
func (k *Keeper) Source(bindingID uuid.UUID) *Source {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.sources[bindingID]
	if s == nil {
		s = &Source{keeper: k, binding: bindingID}
		k.sources[bindingID] = s
	}
	return s
}

// Run renews tokens that are due though nobody asks for them, until ctx ends:
// a shop's quiet season must not let its consent lapse. Several processes may
// run it; if a round is lost, the next one does its work.
func (k *Keeper) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if err := k.RenewDue(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Logger.WarnContext(ctx, "renew tokens", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// RenewDue renews every token that is due now. The error is the first of those
// that passes by itself; a refusal has been noted already.
func (k *Keeper) RenewDue(ctx context.Context) error {
	due, err := k.queries.OAuthGrantsDue(ctx, k.cfg.Pool, recheckAfter.Seconds())
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(k.cfg.AtOnce)
	for _, id := range due {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			if err := k.Source(id).renewed(ctx); !isAuth(err) {
				return err
			}
			return nil
		})
	}
	return group.Wait()
}
