package ingress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/dbsqlc"
	"towpath/pkg/loopback"
	"towpath/pkg/syncrun"
)

// line is a connection to the database that a test can break.
type line struct {
	away       atomic.Bool // new connections fail, old ones break
	loseCommit atomic.Bool // the next commit is done and its answer lost
	commits    atomic.Int64
}

// pool is a pool of its own on the door's database, over the line.
func (l *line) pool(t testing.TB, db *pgxpool.Pool, size int32) *pgxpool.Pool {
	cfg, err := pgxpool.ParseConfig(db.Config().ConnString())
	require.NoError(t, err)
	cfg.MaxConns = size
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if l.away.Load() {
			return nil, errors.New("away")
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &lineConn{Conn: conn, line: l}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

type lineConn struct {
	net.Conn
	line *line
	lost atomic.Bool
}

func (c *lineConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("commit\x00")) {
		c.line.commits.Add(1)
		if c.line.loseCommit.CompareAndSwap(true, false) {
			c.lost.Store(true)
		}
	}
	return c.Conn.Write(p)
}

// Read of a lost answer waits for it, so that the commit is certainly done.
func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.lost.Load() || c.line.away.Load() {
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestWebhook_database_away_is_503_and_nothing_is_lost(t *testing.T) {
	t.Parallel()
	l := &line{}
	d := setup(t, func(c *Config) { c.Pool = l.pool(t, c.Pool, 2) })
	require.Equal(t, 202, d.send(t, request{}).status, "a connection is there, to be broken")
	before := d.stored(t)
	next := request{token: d.token(t), key: event + ":43", body: bodyOf("43")}
	l.away.Store(true)
	for range 3 { // a broken connection first, then none to be had
		a := d.send(t, next)
		require.Equal(t, 503, a.status, a.raw)
		require.Equal(t, codeDatabaseUnavailable, a.code())
	}
	require.Equal(t, before, d.stored(t))
	require.Contains(t, d.log.String(), `"level":"ERROR"`)
	l.away.Store(false)
	a := d.send(t, next)
	require.Equal(t, 202, a.status, "the same request, sent again: %s", a.raw)
	require.Empty(t, a.header.Get("Idempotent-Replayed"))
}

// lookedUp makes every event count as known, so that all are looked up.
func lookedUp(enqueue syncrun.Enqueue) syncrun.Enqueue {
	return func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
		if rows.Unseen {
			return nil, nil
		}
		return enqueue(ctx, db, rows)
	}
}

func TestWebhook_lost_answer_of_the_commit_is_503_then_a_repeat(t *testing.T) {
	t.Parallel()
	l := &line{}
	d := setup(t, func(c *Config) { c.Pool, c.Enqueue = l.pool(t, c.Pool, 2), lookedUp(c.Enqueue) })
	l.loseCommit.Store(true)
	q := request{token: d.token(t)}
	a := d.send(t, q)
	require.Equal(t, 503, a.status, a.raw)
	require.Equal(t, codeDatabaseUnavailable, a.code())
	require.EqualValues(t, 1, l.commits.Load(), "no second attempt on an unknown outcome")
	require.Equal(t, [3]int{1, 1, 1}, d.stored(t), "it was committed")

	again, fresh := d.send(t, q), d.send(t, request{})
	var run uuid.UUID
	require.NoError(t, d.db.QueryRow(t.Context(), `SELECT id FROM sync_runs`).Scan(&run))
	for _, a := range []answer{again, fresh} {
		require.Equal(t, 202, a.status, a.raw)
		require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
		require.Equal(t, run.String(), a.runID())
	}
	require.Equal(t, [3]int{1, 1, 2}, d.stored(t))
}

func TestWebhook_pool_closed_is_503(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *Config) {
		c.Pool = (&line{}).pool(t, c.Pool, 1)
		c.Pool.Close()
	})
	a := d.send(t, request{})
	require.Equal(t, 503, a.status)
	require.Equal(t, codeDatabaseUnavailable, a.code())
	require.Equal(t, "30", a.header.Get("Retry-After"))
}

func TestWebhook_pool_exhausted_is_503(t *testing.T) {
	t.Parallel()
	var pool *pgxpool.Pool
	d := setup(t, func(c *Config) {
		pool = (&line{}).pool(t, c.Pool, 1)
		c.Pool, c.AcquireTimeout, c.RetryAfter = pool, 50*time.Millisecond, 7500*time.Millisecond
	})
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	a := d.send(t, request{})
	require.Equal(t, 503, a.status)
	require.Equal(t, codeOverloaded, a.code())
	require.Equal(t, "8", a.header.Get("Retry-After"))
	held.Release()
	require.Equal(t, 202, d.send(t, request{}).status)
}

// A lock that another transaction holds on the key's row keeps T1 waiting.
func TestWebhook_slow_database_is_503_within_its_time(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *Config) { c.AcceptTimeout = 100 * time.Millisecond })
	tx, err := d.db.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), `LOCK TABLE spent_jtis IN EXCLUSIVE MODE`)
	require.NoError(t, err)
	q := request{token: d.token(t)}
	start := time.Now()
	a := d.send(t, q)
	require.Equal(t, 503, a.status)
	require.Equal(t, codeDatabaseUnavailable, a.code())
	require.Less(t, time.Since(start), 5*time.Second)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Equal(t, 202, d.send(t, q).status)
}

func TestWebhook_faults_inside_T1(t *testing.T) {
	t.Parallel()
	deadlock := &pgconn.PgError{Code: "40P01", Message: "deadlock detected"}
	serialization := &pgconn.PgError{Code: "40001"}
	syntax := &pgconn.PgError{Code: "42601"}
	for name, c := range map[string]struct {
		faults []any // of the first calls
		status int
		code   string
		calls  int64
	}{
		"Tried_again_after_a_deadlock":        {[]any{deadlock}, 202, "", 2},
		"Tried_again_after_a_serialization":   {[]any{serialization}, 202, "", 2},
		"Given_up_after_two_deadlocks":        {[]any{deadlock, deadlock, deadlock}, 503, codeDatabaseUnavailable, 2},
		"Given_up_at_once_on_another_error":   {[]any{syntax}, 503, codeDatabaseUnavailable, 1},
		"Answered_when_it_panics":             {[]any{"panic"}, 503, codeInternalError, 1},
		"Answered_when_it_panics_second_time": {[]any{deadlock, "panic"}, 503, codeInternalError, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			d := setup(t, func(cfg *Config) {
				insert := cfg.Enqueue
				cfg.Pool = (&line{}).pool(t, cfg.Pool, 1) // a leaked connection would show
				cfg.Enqueue = lookedUp(func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
					n := int(calls.Add(1)) - 1
					jobs, err := insert(ctx, db, rows)
					if n >= len(c.faults) {
						return jobs, err
					}
					if fault, ok := c.faults[n].(error); ok {
						return nil, fault
					}
					panic(c.faults[n])
				})
			})
			q := request{token: d.token(t)}
			a := d.send(t, q)
			require.Equal(t, c.status, a.status, a.raw)
			require.Equal(t, c.code, a.code())
			require.Equal(t, c.calls, calls.Load())
			if c.status == 202 {
				require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
				return
			}
			require.Equal(t, [3]int{}, d.stored(t))
			calls.Store(10)
			require.Equal(t, 202, d.send(t, q).status, "the same again")
		})
	}
}

// What comes first is one statement, which is a transaction of its own. Whatever becomes
// of it, the event is stored once.
func TestWebhook_first_try_fails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takesEffect bool
		fail        func(db dbsqlc.DBTX) error
	}{
		"Refused":                         {false, func(dbsqlc.DBTX) error { return errors.New("no") }},
		"Panics":                          {false, func(dbsqlc.DBTX) error { panic("no") }},
		"Connection_is_lost":              {false, cut},
		"Stored_and_the_answer_is_lost":   {true, cut},
		"Stored_and_the_answer_is_unread": {true, func(dbsqlc.DBTX) error { return errors.New("what?") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first, second atomic.Int64
			d := setup(t, func(cfg *Config) {
				insert := cfg.Enqueue
				cfg.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
					if !rows.Unseen {
						second.Add(1)
						return insert(ctx, db, rows)
					}
					first.Add(1)
					if c.takesEffect {
						_, err := insert(ctx, db, rows)
						require.NoError(t, err)
					}
					return nil, c.fail(db)
				}
			})
			a := d.send(t, request{})
			require.Equal(t, 202, a.status, a.raw)
			require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
			require.Equal(t, [2]int64{1, map[bool]int64{false: 1}[c.takesEffect]}, [2]int64{first.Load(), second.Load()})
			require.Equal(t, a.runID(), d.send(t, request{}).runID(), "the same again, with a token of its own")
		})
	}
}

// cut breaks a connection of a pool.
func cut(db dbsqlc.DBTX) error {
	return db.(*pgxpool.Conn).Conn().Close(context.Background())
}

// An event that is new, as most are, costs one statement.
func TestWebhook_new_event_is_one_statement(t *testing.T) {
	t.Parallel()
	var unseen, seen atomic.Int64
	d := setup(t, func(cfg *Config) {
		insert := cfg.Enqueue
		cfg.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
			map[bool]*atomic.Int64{true: &unseen, false: &seen}[rows.Unseen].Add(1)
			return insert(ctx, db, rows)
		}
	})
	require.Equal(t, 202, d.send(t, request{}).status)
	require.Equal(t, [2]int64{1, 0}, [2]int64{unseen.Load(), seen.Load()})
	a := d.send(t, request{})
	require.Equal(t, 202, a.status)
	require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
	require.Equal(t, [2]int64{2, 1}, [2]int64{unseen.Load(), seen.Load()}, "its token is spent")
}

// A lost key is ours to mend: the shop's token may be good.
func TestWebhook_key_that_does_not_open_is_503(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	_, err := d.db.Exec(t.Context(), `UPDATE tenants SET api_key_sealed = set_byte(api_key_sealed, 20, 1 + get_byte(api_key_sealed, 20) % 255)`)
	require.NoError(t, err)
	a := d.send(t, request{})
	require.Equal(t, 503, a.status)
	require.Equal(t, codeInternalError, a.code())
	require.Contains(t, d.log.String(), "open sealed value")
}

func TestDrain_refuses_new_requests_and_lets_those_under_way_end(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	d := setup(t, func(c *Config) {
		insert := c.Enqueue
		c.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
			close(entered)
			<-release
			return insert(ctx, db, rows)
		}
	})
	ended := make(chan answer)
	go func() { ended <- d.send(t, request{}) }()
	<-entered
	d.in.Drain()
	for _, q := range []request{{token: d.token(t)}, {method: "GET", path: "/v1/status"}, {method: "GET", path: "/nowhere"}} {
		a := d.send(t, q)
		require.Equal(t, 503, a.status)
		require.Equal(t, codeShuttingDown, a.code())
	}
	close(release)
	require.Equal(t, 202, (<-ended).status)
	require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
}

// What was begun is finished though nobody waits for the answer: the shop asks
// again and is told.
func TestWebhook_is_stored_though_the_shop_hangs_up(t *testing.T) {
	t.Parallel()
	entered, gone, stored := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var first sync.Once
	d := setup(t, func(c *Config) {
		insert := c.Enqueue
		c.Enqueue = func(ctx context.Context, db dbsqlc.DBTX, rows dbsqlc.SyncRunAcceptParams) ([]int64, error) {
			first.Do(func() {
				close(entered)
				<-gone
			})
			jobs, err := insert(ctx, db, rows)
			if jobs != nil {
				close(stored)
			}
			return jobs, err
		}
	})
	ctx, hangUp := context.WithCancel(t.Context())
	r := d.request(t, request{}).WithContext(ctx)
	failed := make(chan error)
	go func() {
		_, err := loopback.Client.Do(r) //nolint:bodyclose // there is none
		failed <- err
	}()
	<-entered
	hangUp()
	require.ErrorIs(t, <-failed, context.Canceled)
	close(gone)
	<-stored
	// The lock on the token makes this one wait for the other's commit.
	a := d.send(t, request{token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")})
	require.Equal(t, 202, a.status)
	require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
	require.Equal(t, [3]int{1, 1, 1}, d.stored(t))
}
