package riverjobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"towpath/pkg/dbsqlc"
)

// lockClass marks the advisory locks of worker processes; schema.sql's
// towpath_process_lives knows the same number.
const lockClass = 844321

// orphanGrace is how old an attempt must be before its process's missing lock
// counts: a process whose lock connection broke is taking it again meanwhile.
const orphanGrace = 4 * time.Second

const livenessInterval = time.Second

// aliveFor lies below orphanGrace: a process stops trusting itself before the
// others stop trusting it.
const aliveFor = 3 * time.Second

// Process is a worker process that the others can see alive: it holds an
// advisory lock on a connection of its own, which Postgres drops the moment the
// process is gone, however it went. The jobs of a process without its lock are
// given back within seconds; River alone would wait for RescueStuckJobsAfter.
//
// If a live process loses its lock (a broken connection), another may take its
// jobs over while it is still at a call. That is safe: its transaction finds
// that the job is not its own, and the other looks the document up first. And a
// process that has lost touch begins no call: Alive says so before each one.
type Process struct {
	ID       string
	url      string
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

// Join registers this process and takes its lock.
func Join(ctx context.Context, url string, logger *slog.Logger) (*Process, error) {
	p := &Process{ID: newClientID(), url: url, logger: logger}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect for the process lock: %w", err)
	}
	p.conn = conn
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

// beat takes the lock again where its connection broke, and gives back what
// dead processes left.
func (p *Process) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	began := time.Now()
	if p.conn.IsClosed() {
		conn, err := pgx.Connect(ctx, p.url)
		if err != nil {
			return fmt.Errorf("connect again: %w", err)
		}
		p.conn = conn
		if err := p.lock(ctx); err != nil {
			return err
		}
	}
	grace := pgtype.Interval{Microseconds: orphanGrace.Microseconds(), Valid: true}
	given, err := dbsqlc.New().QueueGiveBackOrphans(ctx, p.conn, grace)
	if err != nil {
		return fmt.Errorf("give back orphans: %w", err)
	}
	p.seen(began)
	if len(given) > 0 {
		p.logger.WarnContext(ctx, "gave back the jobs of a process that ended", "jobs", len(given))
	}
	return nil
}
