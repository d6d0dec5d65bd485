package ingress

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/julienschmidt/httprouter"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/metrics"
	"towpath/pkg/recorder"
	"towpath/pkg/secret"
	"towpath/pkg/syncrun"
)

// maxBody is the most that a request may carry; the shop's events have 200 bytes.
const maxBody = 256 << 10

// Config is what the front door stands on. The first five must be set.
type Config struct {
	Pool    *pgxpool.Pool
	Box     *secret.Box
	Enqueue syncrun.Enqueue // stores events with the first jobs of their runs
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	Now     func() time.Time // judges tokens; nil = time.Now

	// The shop waits 15 s for an answer; together these stay near it, and
	// where they do not, its next attempt is answered as a repeat.
	BodyTimeout    time.Duration // to receive the request's body; 0 = 5 s
	AcquireTimeout time.Duration // to get a connection; 0 = 2 s
	ReadTimeout    time.Duration // for a read from the database; 0 = 3 s
	AcceptTimeout  time.Duration // for T1 and its second attempt, shared or alone; 0 = 5 s
	RetryAfter     time.Duration // told with every 503; 0 = 30 s
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{
		{&c.BodyTimeout, 5 * time.Second}, {&c.AcquireTimeout, 2 * time.Second}, {&c.ReadTimeout, 3 * time.Second},
		{&c.AcceptTimeout, 5 * time.Second}, {&c.RetryAfter, 30 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Pool == nil || c.Box == nil || c.Enqueue == nil || c.Metrics == nil || c.Logger == nil:
		return errors.New("pool, box, enqueue, metrics and logger must be set")
	case min(c.BodyTimeout, c.AcquireTimeout, c.ReadTimeout, c.AcceptTimeout) < 0:
		return errors.New("a timeout is negative")
	case c.RetryAfter < time.Second:
		return errors.New("retry-after is below a second")
	}
	return nil
}

// Ingress answers the shop. It is safe for concurrent use.
type Ingress struct {
	cfg      Config
	queries  *dbsqlc.Queries
	accepts  *recorder.Recorder[syncrun.Event, syncrun.Accepted] // T1
	callers  *recorder.Gatherer[uuid.UUID, []dbsqlc.IngressCallerRow]
	keys     *keys
	draining atomic.Bool
}

// New checks cfg and makes an Ingress of it.
func New(cfg Config) (*Ingress, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make ingress: %w", err)
	}
	in := &Ingress{cfg: cfg, queries: dbsqlc.New(), accepts: newAccepts(cfg), keys: newKeys(cfg.Box)}
	in.callers = &recorder.Gatherer[uuid.UUID, []dbsqlc.IngressCallerRow]{Do: in.readCallers, AtOnce: 2, Patience: patience}
	return in, nil
}

// Register adds the routes. The router's NotFound and MethodNotAllowed are the
// caller's to set, to the methods of those names if it likes.
func (in *Ingress) Register(router *httprouter.Router) {
	router.POST("/webhooks/magento/:tenant/:event", in.serve(in.webhook, in.countWebhook))
	router.GET("/v1/status", in.serve(in.status, nil))
	router.GET("/v1/tile/health", in.serve(in.tileHealth, nil))
	router.POST("/v1/tenant/disconnect", in.serve(in.disconnect, nil))
}

// Drain answers every new request with 503 from now on, while those under way
// end as they would. It does not wait for them: http.Server.Shutdown does.
func (in *Ingress) Drain() { in.draining.Store(true) }

// NotFound answers a path that nobody serves; see FromShop for what is 503.
func (in *Ingress) NotFound(w http.ResponseWriter, r *http.Request) {
	if FromShop(r) {
		in.serve(in.astray, in.countWebhook)(w, r, nil)
		return
	}
	in.serve(func(*exchange) (reply, error) {
		return reply{}, refuse(codeNotFound, "there is nothing at this path")
	}, nil)(w, r, nil)
}

// MethodNotAllowed answers a path that is served for other methods; the router
// names them in Allow.
func (in *Ingress) MethodNotAllowed(w http.ResponseWriter, r *http.Request) {
	in.serve(func(*exchange) (reply, error) {
		return reply{}, refuse(codeMethodNotAllowed, "this path is not served for this method")
	}, nil)(w, r, nil)
}
