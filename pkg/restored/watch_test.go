package restored_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"towpath/pkg/audit"
	"towpath/pkg/pgdb"
	"towpath/pkg/restored"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if server, err := shared(); err == nil {
		_ = server.Stop()
	}
	os.Exit(code)
}

// bundle is a database of a server of its own, whose files can be copied, with one run.
type bundle struct {
	server *pgdb.Private
	name   string
	pool   *pgxpool.Pool
	log    bytes.Buffer
}

func start(t *testing.T, durable bool) *pgdb.Private {
	t.Helper()
	server, err := pgdb.StartPrivate(t.Context(), pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: !durable})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

// shared is the server of those that need none of their own: a new one takes a second of
// a processor.
var shared = sync.OnceValues(func() (*pgdb.Private, error) {
	return pgdb.StartPrivate(context.Background(), pgdb.Options{BinDir: os.Getenv("PGBIN"), NoSync: true})
})

func setup(t *testing.T) *bundle {
	t.Helper()
	server, err := shared()
	require.NoError(t, err)
	return setupOn(t, server)
}

func setupOn(t *testing.T, server *pgdb.Private) *bundle {
	t.Helper()
	name := "t" + uuid.NewString()[:8]
	administer(t, server, "CREATE DATABASE "+name)
	b := open(t, server, name)
	_, err := pgdb.Migrate(t.Context(), b.pool)
	require.NoError(t, err)
	b.exec(t, `INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ('00000000-0000-4000-8000-000000000001', 'Shop', 'https://shop.example', 'x')`)
	b.exec(t, `INSERT INTO bindings (id, tenant_id, provider, wire, api_url) VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'xero', 'accounting', 'https://xero.example')`)
	b.exec(t, `INSERT INTO policies (binding_id, version, policy) VALUES ('00000000-0000-4000-8000-000000000002', 1, '{}')`)
	b.exec(t, `INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id, idempotency_key, dedupe_key, lane, occurred_at, body, status, stage, finished_at, shop_told)
		VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', 1, 'invoice.created', 'invoice', 1, 'k', 'k', 'lane', now(), '{}', 'succeeded', 'done', now(), 'told')`)
	b.happens(t)
	return b
}

func open(t *testing.T, server *pgdb.Private, name string) *bundle {
	t.Helper()
	b := &bundle{server: server, name: name}
	var err error
	b.pool, err = pgxpool.New(t.Context(), server.URL(name))
	require.NoError(t, err)
	t.Cleanup(b.pool.Close)
	return b
}

// administer says something to a server from outside of its databases.
func administer(t *testing.T, server *pgdb.Private, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func (b *bundle) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// happens adds a row to the history.
func (b *bundle) happens(t *testing.T) {
	t.Helper()
	b.exec(t, `INSERT INTO sync_run_events (run_id, step, to_status) VALUES ('00000000-0000-4000-8000-000000000003', 'post', 'succeeded')`)
}

func (b *bundle) last(t *testing.T) (at time.Time) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT at FROM sync_run_events ORDER BY id DESC LIMIT 1`).Scan(&at))
	return at
}

// watch is a process that has started on the database.
func (b *bundle) watch(t *testing.T, file string) *restored.Watch {
	t.Helper()
	w := &restored.Watch{Pool: b.pool, File: file, Logger: slog.New(slog.NewTextHandler(&b.log, nil))}
	require.NoError(t, w.Start(t.Context()))
	return w
}

// open are the signs by which it was noticed.
func (b *bundle) open(t *testing.T) (whats []string) {
	t.Helper()
	restores, err := restored.Open(t.Context(), b.pool)
	require.NoError(t, err)
	for _, r := range restores {
		whats = append(whats, r.What)
	}
	return whats
}

// copied is a copy of the database's files in the same server.
func (b *bundle) copied(t *testing.T, name string) *bundle {
	t.Helper()
	name = b.name + name
	b.pool.Reset()
	administer(t, b.server, fmt.Sprintf(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '%s'`, b.name))
	administer(t, b.server, fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s`, name, b.name))
	return open(t, b.server, name)
}

// dumped is the database brought to a new one of a server by pg_dump and pg_restore.
func (b *bundle) dumped(t *testing.T, to *pgdb.Private, name string) *bundle {
	t.Helper()
	for _, program := range []string{"pg_dump", "pg_restore"} {
		if _, err := os.Stat(b.server.Program(program)); err != nil {
			t.Skipf("NOT TESTED: no %s beside the server's programs", program)
		}
	}
	file, name := filepath.Join(t.TempDir(), "dump"), b.name+name
	call(t, b.server.Program("pg_dump"), "-Fc", "-f", file, b.server.URL(b.name))
	administer(t, to, "CREATE DATABASE "+name)
	call(t, b.server.Program("pg_restore"), "-d", to.URL(name), file)
	return open(t, to, name)
}

func call(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
}

func Test_A_database_out_of_a_dump_is_noticed_without_any_memory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.watch(t, "")
	b.exec(t, `VACUUM (FULL, FREEZE) restores`)
	b.watch(t, "")
	require.Empty(t, b.open(t), "a rewritten table is the same one")
	kept := b.last(t)
	for name, to := range map[string]*pgdb.Private{"same_server": b.server, "another_server": start(t, false)} {
		back := b.dumped(t, to, name)
		w := back.watch(t, "")
		require.NoError(t, w.Look(t.Context()))
		back.watch(t, "")
		restores, err := restored.Open(t.Context(), back.pool)
		require.NoError(t, err)
		require.Len(t, restores, 1, "once, however many look")
		require.Equal(t, "dumped", restores[0].What)
		require.True(t, kept.Equal(restores[0].BackTo))
		require.Equal(t, 1, strings.Count(back.log.String(), "went back in time"))
		again := back.dumped(t, to, name+"_again")
		again.watch(t, "")
		require.Equal(t, []string{"dumped", "dumped"}, again.open(t))
	}
}

func Test_A_copy_of_the_files_that_lacks_what_was_seen_is_noticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := filepath.Join(t.TempDir(), "seen.json")
	b.watch(t, "")
	kept := b.last(t)
	back := b.copied(t, "back")
	b.happens(t)
	b.watch(t, file)
	require.Empty(t, b.open(t))

	back.watch(t, "")
	require.Empty(t, back.open(t), "who remembers nothing sees nothing")
	other := filepath.Join(t.TempDir(), "seen.json")
	seen, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, seen, 0o600))
	back.happens(t) // the id is given again
	w := back.watch(t, file)
	require.NoError(t, w.Look(t.Context()))
	back.watch(t, other)
	restores, err := restored.Open(t.Context(), back.pool)
	require.NoError(t, err)
	require.Len(t, restores, 1, "once, whoever remembers it")
	require.Equal(t, "missing", restores[0].What)
	require.True(t, kept.Equal(restores[0].BackTo))
	back.watch(t, file)
	require.Len(t, back.open(t), 1)
}

func Test_A_process_that_lives_notices_by_itself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.happens(t)
	w := b.watch(t, "")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	b.exec(t, `DELETE FROM sync_run_events WHERE id = (SELECT max(id) FROM sync_run_events)`)
	require.Eventually(t, func() bool { return len(b.open(t)) == 1 }, time.Minute, 10*time.Millisecond)
	stop()
	<-ended
	require.NoError(t, w.Look(t.Context()))
	require.Equal(t, []string{"missing"}, b.open(t))
}

func Test_What_a_copy_has_all_of_is_no_loss(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := filepath.Join(t.TempDir(), "seen.json")
	b.watch(t, file)
	promoted := b.copied(t, "promoted")
	promoted.watch(t, file)
	require.Empty(t, promoted.open(t))
}

func Test_A_person_tells_and_acknowledges_on_record(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.watch(t, "")
	ctx := audit.As(t.Context(), "cli:ada")
	n, err := restored.Acknowledge(ctx, b.pool)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, restored.Tell(ctx, b.pool, time.Now().Add(-time.Hour)))
	require.Equal(t, []string{"told"}, b.open(t))
	n, err = restored.Acknowledge(ctx, b.pool)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.watch(t, "")
	require.Empty(t, b.open(t))
	var actions string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT string_agg(who || ' ' || action, ', ' ORDER BY id) FROM audit`).Scan(&actions))
	require.Equal(t, "cli:ada restore.told, cli:ada restore.acknowledged", actions)
}

func Test_A_state_file_that_cannot_be_written_is_an_error_at_the_start(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := &restored.Watch{Pool: b.pool, File: filepath.Join(t.TempDir(), "no-such-folder", "seen.json"), Logger: slog.New(slog.DiscardHandler)}
	require.ErrorContains(t, w.Start(t.Context()), "the state file")
}

func Test_A_state_file_that_cannot_be_read_is_told_and_written_anew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, broken := range []string{"", "{", `{"event_id":"x"}`} {
		file := filepath.Join(t.TempDir(), "seen.json")
		require.NoError(t, os.WriteFile(file, []byte(broken), 0o600))
		b.log.Reset()
		b.watch(t, file)
		require.Contains(t, b.log.String(), file)
		b.log.Reset()
		b.watch(t, file)
		require.Empty(t, b.log.String())
	}
	require.Empty(t, b.open(t))
}

// A crash takes nothing that was committed, and what was rolled back nobody saw.
func Test_A_crash_and_a_rollback_are_no_loss(t *testing.T) {
	t.Parallel()
	b := setupOn(t, start(t, true))
	w := b.watch(t, filepath.Join(t.TempDir(), "seen.json"))
	for range 5 {
		tx, err := b.pool.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `INSERT INTO sync_run_events (run_id, step, to_status) VALUES ('00000000-0000-4000-8000-000000000003', 'post', 'succeeded')`)
		require.NoError(t, err)
		require.NoError(t, w.Look(t.Context()))
		require.NoError(t, tx.Rollback(t.Context()))
		b.happens(t)
		require.NoError(t, w.Look(t.Context()))
		require.NoError(t, b.server.Crash(t.Context()))
		b.pool.Reset()
		require.NoError(t, w.Look(t.Context()))
	}
	require.Empty(t, b.open(t))
}

// The memory is of one database: what another had is not lost in this one. A backup from
// before there was a mark is no new database.
func Test_A_new_database_lacks_nothing_and_an_old_backup_does(t *testing.T) {
	t.Parallel()
	b := setup(t)
	file := filepath.Join(t.TempDir(), "seen.json")
	b.watch(t, file)
	b.happens(t)
	b.watch(t, file)
	seen, err := os.ReadFile(file)
	require.NoError(t, err)

	old := b.copied(t, "old")
	old.exec(t, `DELETE FROM sync_run_events WHERE id = (SELECT max(id) FROM sync_run_events)`)
	old.exec(t, `DELETE FROM restores`)
	old.watch(t, file)
	require.Equal(t, []string{"missing"}, old.open(t))

	require.NoError(t, os.WriteFile(file, seen, 0o600))
	administer(t, b.server, "CREATE DATABASE "+b.name+"fresh")
	fresh := open(t, b.server, b.name+"fresh")
	_, err = pgdb.Migrate(t.Context(), fresh.pool)
	require.NoError(t, err)
	fresh.watch(t, file)
	require.Empty(t, fresh.open(t))

	require.NoError(t, os.WriteFile(file, seen, 0o600))
	another := setup(t)
	another.watch(t, "")
	another.watch(t, file)
	require.Empty(t, another.open(t), "one that began at another time")
}
