package riverjobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/pgdb"
	"towpath/pkg/quota"
)

// lockClass marks the advisory locks of worker processes; the function
// towpath_process_dead knows the same number.
const lockClass = 844321

// When a process counts as dead: orphanGrace after its last beat if its lock is
// gone too (one whose lock connection broke is taking it again meanwhile),
// frozenAfter its last beat even if the lock is still there (its host is frozen
// or cut off), and longestCall for writes that a ledger might take twice.
const (
	orphanGrace = 4 * time.Second
	frozenAfter = time.Minute
	longestCall = 45 * time.Second
)

const livenessInterval = time.Second

// aliveFor lies below orphanGrace: a process stops trusting itself before the
// others stop trusting it.
const aliveFor = 3 * time.Second

// Process is a worker process that the others can see alive: it holds an
// advisory lock on a connection of its own, which Postgres drops when the process
// is gone, and says once a second that it lives. The jobs of a killed process are
// given back within seconds, those of a frozen or unreachable host within about a
// minute; River alone would wait for RescueStuckJobsAfter.
//
// If a live process loses its lock (a broken connection), another may take its
// jobs over while it is still at a call. That is safe: its transaction finds
// that the job is not its own, and the other looks the document up first. And a
// process that has lost touch begins no call: Alive says so before each one.
type Process struct {
	ID       string
	db       pgdb.Config
	number   int32
	conn     *pgx.Conn
	logger   *slog.Logger
	lastBeat atomic.Pointer[time.Time]
}

// Alive reports whether the lock was seen held less than aliveFor ago, so that
// no other process can have taken a job over yet.
func (p *Process) Alive() bool {
	at := p.lastBeat.Load()
	return at != nil && time.Since(*at) < aliveFor
}

// Join registers this process with a database and takes its lock.
func Join(ctx context.Context, db pgdb.Config, logger *slog.Logger) (*Process, error) {
	p := &Process{ID: newClientID(), db: db, logger: logger}
	conn, err := pgdb.Connect(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("connect for the process lock: %w", err)
	}
	p.conn = conn
	if err := checkClock(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	p.number, err = dbsqlc.New().WorkerProcessInsert(ctx, conn, p.ID)
	if err != nil {
		return nil, fmt.Errorf("register process: %w", err)
	}
	if err := p.lock(ctx); err != nil {
		return nil, err
	}
	p.seen(time.Now())
	return p, nil
}

// mostSkew is how far this machine's clock may be from the database's: River
// schedules retries by the one and takes jobs by the other.
const mostSkew = time.Minute

// checkClock refuses to work with a clock that is far off.
func checkClock(ctx context.Context, conn *pgx.Conn) error {
	var theirs time.Time
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return fmt.Errorf("ask the database's clock: %w", err)
	}
	if skew := time.Since(theirs.Round(0)); skew.Abs() > mostSkew {
		return fmt.Errorf("this machine's clock is %s off the database's; set it first", skew.Round(time.Second))
	}
	return nil
}

// seen notes that the lock was held at a time.
func (p *Process) seen(at time.Time) { p.lastBeat.Store(&at) }

func (p *Process) lock(ctx context.Context) error {
	if _, err := p.conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockClass, p.number); err != nil {
		return fmt.Errorf("take process lock: %w", err)
	}
	return nil
}

// Run keeps the lock and gives back the jobs of dead processes until ctx ends;
// then it lets go of the lock. Call it after the worker client has stopped
// taking part: its ctx must outlive the client.
func (p *Process) Run(ctx context.Context) {
	shares := make(chan struct{})
	go func() {
		defer close(shares)
		p.keepShares(ctx)
	}()
	defer func() { <-shares }()
	ticker := time.NewTicker(livenessInterval)
	defer ticker.Stop()
	for {
		if err := p.beat(ctx); err != nil && ctx.Err() == nil {
			p.logger.WarnContext(ctx, "process lock", "error", err)
		}
		select {
		case <-ctx.Done():
			p.close()
			return
		case <-ticker.C:
		}
	}
}

func (p *Process) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.conn.Close(ctx) // the lock goes with the connection, closed well or not
}

// Leads reports whether a process leads the queue: one of those that work it does.
func Leads(ctx context.Context, db dbsqlc.DBTX, id string) (bool, error) {
	leader, err := dbsqlc.New().QueueLeader(ctx, db)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the queue's leader: %w", err)
	}
	return leader == id, nil
}

func interval(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}

// beat takes the lock again where its connection broke, and gives back what
// dead processes left.
func (p *Process) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	if p.conn.IsClosed() {
		conn, err := pgdb.Connect(ctx, p.db)
		if err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		p.conn = conn
		if err := p.lock(ctx); err != nil {
			return err
		}
	}
	queries := dbsqlc.New()
	if err := queries.WorkerProcessBeat(ctx, p.conn, p.number); err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	given, err := queries.QueueGiveBackOrphans(ctx, p.conn, dbsqlc.QueueGiveBackOrphansParams{
		Grace: interval(orphanGrace), Frozen: interval(frozenAfter), LongestCall: interval(longestCall),
	})
	if err != nil {
		return fmt.Errorf("give back orphans: %w", err)
	}
	p.seen(began)
	if err := quota.EndDead(ctx, p.conn, orphanGrace, frozenAfter); err != nil {
		return err
	}
	if len(given) > 0 {
		p.logger.WarnContext(ctx, "gave back the jobs of a process that ended", "jobs", len(given))
	}
	return nil
}
