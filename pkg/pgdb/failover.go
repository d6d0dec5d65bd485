package pgdb

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SQLSTATEs that say something of the server, and nothing of the statement.
const (
	readOnlyTransaction = "25006" // a primary that was demoted, or a standby
	adminShutdown       = "57P01"
	crashShutdown       = "57P02"
	tooManyConnections  = "53300"
)

// How a process leaves a server.
const (
	// resetEvery bounds how often: while the address still leads to a server that
	// cannot be written, its errors come with every statement.
	resetEvery = time.Second
	// leaveAfter is what a transaction that is under way has to end in, before its
	// connection is cut.
	leaveAfter = 5 * time.Second
	// alertFor is for how long idle connections are asked whether they live before
	// they are used, after one was found broken.
	alertFor = 10 * time.Second
	// pingTimeout is how long such a question may last.
	pingTimeout = 2 * time.Second
)

// Failover makes the connections of a process leave a server that is not the primary
// any more, whether or not that server cuts them: a writing statement that is refused
// as read-only (25006) or the server's going down (57P01, 57P02) closes the connection
// that heard it and resets every pool, so that what comes next connects anew, to
// wherever the address leads by then. After 25006 also what never writes, and so hears
// nothing (a LISTEN, a lock), is cut, leaveAfter later. It costs nothing while no error
// comes.
//
// One belongs to a process; every pool and connection of its own Config names it.
type Failover struct {
	logger *slog.Logger
	broken atomic.Int64 // when a connection was last found broken, in Unix nanoseconds

	mu    sync.Mutex
	pools []*pgxpool.Pool
	links map[*link]struct{} // what is connected
	left  time.Time          // when the server was left last
}

// NewFailover makes one; a nil logger is silent.
func NewFailover(logger *slog.Logger) *Failover {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Failover{logger: logger, links: map[*link]struct{}{}}
}

// watch makes every connection of the settings one that is left with the others.
func (f *Failover) watch(cfg *pgxpool.Config) {
	cfg.ConnConfig.OnPgError = f.heard
	dial := cfg.ConnConfig.DialFunc
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return f.add(conn), nil
	}
	cfg.PingTimeout = pingTimeout
	cfg.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return p.IdleDuration > time.Second || time.Since(time.Unix(0, f.broken.Load())) < alertFor
	}
	cfg.BeforeClose = func(conn *pgx.Conn) {
		if conn.IsClosed() { // not by the pool: it broke while it was used
			f.broken.Store(time.Now().UnixNano())
		}
	}
}

// heard decides about a connection to which the server said an error: false closes it.
func (f *Failover) heard(_ *pgconn.PgConn, said *pgconn.PgError) bool {
	switch said.Code {
	case readOnlyTransaction:
		f.leave(said, true)
		return false
	case adminShutdown, crashShutdown:
		f.leave(said, false)
		return false
	}
	return !strings.EqualFold(said.Severity, "FATAL")
}

// leave resets the pools; cut says that the server would keep what is open.
func (f *Failover) leave(said *pgconn.PgError, cut bool) {
	now := time.Now()
	f.broken.Store(now.UnixNano())
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.left) < resetEvery {
		return
	}
	f.left = now
	f.logger.Warn("leaving the database server: every connection is made anew", "code", said.Code, "error", said.Message)
	for _, pool := range f.pools {
		pool.Reset()
	}
	if !cut {
		return
	}
	old := make([]*link, 0, len(f.links))
	for l := range f.links {
		old = append(old, l)
	}
	time.AfterFunc(leaveAfter, func() {
		for _, l := range old {
			_ = l.Close() // its user finds it closed, as if the server had gone
		}
	})
}

func (f *Failover) addPool(pool *pgxpool.Pool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pools = append(f.pools, pool)
}

// link is a connection's socket; it is known until it is closed.
type link struct {
	net.Conn
	failover *Failover
}

func (f *Failover) add(conn net.Conn) *link {
	l := &link{Conn: conn, failover: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links[l] = struct{}{}
	return l
}

// Close forgets it.
func (l *link) Close() error {
	l.failover.mu.Lock()
	delete(l.failover.links, l)
	l.failover.mu.Unlock()
	return l.Conn.Close()
}
