package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/actions"
	"towpath/pkg/dbsqlc"
	"towpath/pkg/gaps"
	"towpath/pkg/idp"
	"towpath/pkg/secret"
	"towpath/pkg/users"
)

// ErrNothingToDo is what Config.Retry and Config.Cancel answer where the run's state
// leaves nothing to retry or to cancel.
var ErrNothingToDo = errors.New("nothing to do")

// Refusal is why a connection could not be made, for the person who asked for it.
type Refusal struct{ Title, Text string }

func (r *Refusal) Error() string { return r.Text }

// Config says what the dashboard shows and to whom.
type Config struct {
	Pool *pgxpool.Pool
	// Users are who may sign in, each as its role allows. Without it, and without
	// Gate, the pages are shown to nobody; see guard.go.
	Users *users.Store
	// Identity is the identity provider that vouches for users; nil: there is none. It
	// needs Users.
	Identity *idp.Provider
	// Gate lets in as an admin who brought its token; nil: nobody.
	Gate *Gate
	// Box makes the cookies of browsers that knew a password, which an attack on
	// it does not lock out; nil: no browser is known.
	Box *secret.Box
	// Secure says that browsers reach Towpath by https only.
	Secure bool
	// BasePath is the path of the address that browsers reach this Towpath by,
	// such as /towpath; empty at the root. Links and redirects have it, routes do not.
	BasePath string
	// Retry starts an ended run over or lets a waiting one go on now; nil shows
	// no button. ErrNothingToDo and pgx.ErrNoRows are told to the person,
	// anything else counts as the database being away.
	Retry func(ctx context.Context, runID uuid.UUID) error
	// Cancel ends a run that has not ended, as Retry is told.
	Cancel func(ctx context.Context, runID uuid.UUID) error
	// RetryMany is Retry for one of many runs, which let what happens now go first.
	RetryMany func(ctx context.Context, runID uuid.UUID) error
	// Release lets the runs that are held for a reason wait for their turn again; nil
	// shows no button. An error counts as the database being away.
	Release func(ctx context.Context, reason string) error
	// Version is what runs; default: what the Go toolchain stamped.
	Version string
	// Connect connects a binding that has an app: at once, or by the consent of a
	// person, who is sent on to consentURL; nil shows no button. A *Refusal and
	// pgx.ErrNoRows are told to the person, anything else counts as something
	// being away. It may take connectTime.
	Connect func(ctx context.Context, bindingID uuid.UUID) (consentURL string, err error)

	// Actions is where settings are saved, shops paired and connections ended; nil: the
	// pages of those are not there.
	Actions *actions.Actions
	// Queue is River UI under QueuePath; nil: it is not there.
	Queue http.Handler

	Logger       *slog.Logger     // default: none
	Now          func() time.Time // default time.Now
	PageSize     int              // runs on a page; default 50
	QueryTimeout time.Duration    // of each page's queries in all; default 5 s
	Refresh      time.Duration    // how often an open page refreshes; default 3 s
	CountWait    time.Duration    // how long a page waits for the numbers beside it; default 150 ms
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PageSize <= 0 {
		c.PageSize = 50
	}
	if c.QueryTimeout <= 0 {
		c.QueryTimeout = 5 * time.Second
	}
	if c.CountWait <= 0 {
		c.CountWait = 150 * time.Millisecond
	}
	if c.Refresh <= 0 {
		c.Refresh = 3 * time.Second
	}
	if c.Version == "" {
		c.Version = stampedVersion()
	}
	return c
}

// stampedVersion is what the Go toolchain stamped.
func stampedVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

// Dashboard serves the pages. It is safe for concurrent use.
type Dashboard struct {
	cfg        Config
	guard      guard
	check      func(*http.Request) (Visitor, refusal) // guard.check
	least      map[string]users.Role                  // by route
	queries    *dbsqlc.Queries
	pages      pages
	static     static
	runs       counter[map[string]int64]
	backlog    counter[map[uuid.UUID]dbsqlc.DashboardBacklogListRow]
	perHour    counter[[]dbsqlc.DashboardHourListRow]
	heldCounts counter[[]dbsqlc.DashboardHeldListRow]
	open       context.Context // until Close
	close      context.CancelFunc
	changes    broadcaster
	started    time.Time
	missing    *gaps.Watch[[]gaps.Gap]
	rhythm     *gaps.Watch[[]gaps.Shop]
}

// New makes a dashboard; it touches neither network nor database.
func New(cfg Config) *Dashboard {
	cfg = cfg.withDefaults()
	files := loadStatic()
	d := &Dashboard{cfg: cfg, guard: newGuard(cfg), queries: dbsqlc.New(), static: files, started: cfg.Now()}
	d.open, d.close = context.WithCancel(context.Background())
	d.check = d.guard.check
	d.missing, d.rhythm = gaps.WatchList(cfg.Pool, gapsSince, maxGaps+1, cfg.Now), gaps.WatchShops(cfg.Pool, cfg.Now)
	d.pages, d.least = loadPages(files, d.at), leastRoles(d.routes())
	return d
}

// at is where a browser finds a path of the dashboard.
func (d *Dashboard) at(path string) string { return d.cfg.BasePath + path }

// within bounds the queries of one page.
func (d *Dashboard) within(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), d.cfg.QueryTimeout)
}
