// Package pgtest gives a test a database of its own: one private server a test
// process, migrated once, copied for each test in some 20 ms. It needs no set-up and
// works in parallel tests; the server goes away with the process. A machine without
// Postgres fetches it (see pkg/pgdb); PGBIN names the folder of server programs to use
// instead.
//
// Most of what a short test costs is the server's processes that begin and end with its
// connections. So the migrated databases, and the connections to them, outlive the test
// that made them: emptied, looked over (see emptied) and given to the next. A test sees
// none of that: its address is its own, and dead after it.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"towpath/pkg/pgdb"
)

// patience bounds each step against the server.
const patience = 30 * time.Second

// New returns a pool on an empty, migrated database. The pool is closed when the test
// ends; a connection that the test keeps beyond that fails it.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, URL(t))
}

// Empty is New without migrations.
func Empty(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, EmptyURL(t))
}

// URL returns the address of an empty, migrated database. When the test ends it leads
// nowhere, and whoever is still connected is cut off. Every call gives another one; the
// address behind a pool of New is pool.Config().ConnString().
func URL(t testing.TB) string {
	t.Helper()
	return address(t, template)
}

// EmptyURL is URL without migrations.
func EmptyURL(t testing.TB) string {
	t.Helper()
	return address(t, "template0")
}

// Main runs a package's tests and then stops the server. It is needed only
// where something must happen between the two, or after them:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	Stop()
	os.Exit(code)
}

// Stop stops the server, if one was started, before the process ends, for
// instance ahead of a search for leaked goroutines. No test can follow.
func Stop() {
	shared.once.Do(func() { shared.err = fmt.Errorf("the test server was stopped") })
	if shared.admin != nil {
		shared.admin.Close()
	}
	if shared.server != nil {
		_ = shared.server.Stop() // the watcher over the server removes what is left
	}
}

// template is the migrated database that the others are copied from.
const template = "towpath_template"

// shared is the process's one server; made at the first need, since most test
// processes never need it.
var shared struct {
	once   sync.Once
	server *pgdb.Private
	admin  *pgxpool.Pool
	as     state // of the template
	err    error
	count  atomic.Int64

	mu   sync.Mutex
	free []*database // as the template is, and nobody's
}

func address(t testing.TB, from string) string {
	t.Helper()
	shared.once.Do(func() { shared.err = start() })
	if shared.err != nil {
		t.Fatalf("start test database: %v", shared.err)
	}
	db := unused(from)
	if db == nil {
		db = &database{name: fmt.Sprintf("test_%d", shared.count.Add(1)), from: from}
		admin(t, "CREATE DATABASE "+db.name+" TEMPLATE "+from)
	}
	d, err := openDoor(db)
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(func() {
		if left := d.shut(); left || !db.emptied() {
			db.leave()
			admin(t, "DROP DATABASE "+db.name+" WITH (FORCE)")
			return
		}
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.free = append(shared.free, db)
	})
	return d.url
}

// unused takes the database that was given back last, whose connections are the
// warmest.
func unused(from string) *database {
	if from != template {
		return nil
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if len(shared.free) == 0 {
		return nil
	}
	db := shared.free[len(shared.free)-1]
	shared.free = shared.free[:len(shared.free)-1]
	return db
}

func admin(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := shared.admin.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

// closePool does not wait for ever: Close returns only when every connection
// was given back.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Errorf("%d connections of the test's pool were never given back", pool.Stat().AcquiredConns())
	}
}

// start is run once; what it made before an error is taken down with the process.
func start() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute) // it may have to fetch Postgres
	defer cancel()
	shared.server, err = pgdb.StartPrivate(ctx, pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: true, MaxConnections: 500})
	if err != nil {
		return err
	}
	shared.admin, err = pgdb.Open(ctx, pgdb.Config{URL: shared.server.URL("postgres"), MaxConns: 4})
	if err != nil {
		return err
	}
	if _, err := shared.admin.Exec(ctx, "CREATE DATABASE "+template); err != nil {
		return fmt.Errorf("make template database: %w", err)
	}
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: shared.server.URL(template), MaxConns: 2})
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pgdb.Migrate(ctx, pool); err != nil {
		return err
	}
	if err := pool.QueryRow(ctx, whichAreFilled).Scan(&shared.as.filled); err != nil {
		return fmt.Errorf("list the filled tables: %w", err)
	}
	if err := pool.QueryRow(ctx, shared.as.question()).Scan(&shared.as.answer); err != nil {
		return fmt.Errorf("look over the template database: %w", err)
	}
	return nil
}
