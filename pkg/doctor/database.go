package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/account"
	"towpath/pkg/pgdb"
	"towpath/pkg/restored"
	"towpath/pkg/shopjwt"
)

const database about = "database"

// What the server says of itself.
type server struct {
	Version        string
	VersionNum     int
	Recovery       bool
	ReadOnly       bool
	Fsync          bool
	FullPageWrites bool
	SyncCommit     string
	SyncNames      string
	SyncStandbys   int
	SeesStandbys   bool // others see neither
	Free           int  // connections that ordinary roles may still open
	Isolation      string
	Statement      string // statement_timeout
	Autovacuum     bool
	Backend        uint32
	Time           time.Time
}

// The oldest server that the migrations run on.
const oldestServer = 140000

func (c Config) readServer(ctx context.Context, conn *pgx.Conn) (server, error) {
	rows, _ := conn.Query(ctx, `
		SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num,
			pg_is_in_recovery() AS recovery, current_setting('transaction_read_only')::bool AS read_only,
			current_setting('fsync')::bool AS fsync, current_setting('full_page_writes')::bool AS full_page_writes,
			current_setting('synchronous_commit') AS sync_commit, current_setting('synchronous_standby_names') AS sync_names,
			(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))::int AS sync_standbys,
			pg_has_role('pg_read_all_stats', 'USAGE') AS sees_standbys,
			(least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
					- (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL),
				(SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
					- (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user)))::int AS free,
			current_setting('default_transaction_isolation') AS isolation, current_setting('statement_timeout') AS statement,
			current_setting('autovacuum')::bool AS autovacuum, pg_backend_pid()::bigint AS backend, clock_timestamp() AS time`) // the collector returns the error
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[server])
}

// database looks at the server: what it is, whether what it commits stays, and
// whether this program may work on it.
func (c Config) database(ctx context.Context) []Finding {
	conn, err := c.Pool.Acquire(ctx)
	if err != nil {
		return []Finding{database.blind("answers", err)}
	}
	defer conn.Release()
	asked := c.Now()
	s, err := c.readServer(ctx, conn.Conn())
	if err != nil {
		return []Finding{database.blind("answers", err)}
	}
	// The middle of the call is when the server most likely looked at its clock.
	now := asked.Add(c.Now().Sub(asked) / 2)
	return []Finding{
		s.version(), s.writable(), s.durable(), s.standby(), s.connections(c.ProcessConns),
		c.pooler(ctx, conn.Conn().PgConn().PID() != s.Backend), s.settings(), clock(database, s.Time.Sub(now)),
	}
}

func (s server) version() Finding {
	if s.VersionNum < oldestServer {
		return database.wrong("version", "upgrade Postgres to 14 or newer", "Postgres %s is too old", s.Version)
	}
	return database.ok("version", "Postgres %s", s.Version)
}

func (s server) writable() Finding {
	const do = "give DATABASE_URL every host and target_session_attrs=read-write, so that the one that can be written to is found"
	switch {
	case s.Recovery:
		return database.wrong("writable", do, "this server is a standby: nothing can be written")
	case s.ReadOnly:
		return database.wrong("writable", "set default_transaction_read_only = off for this role and database", "transactions are read-only")
	}
	return database.ok("writable", "it can be written to")
}

func (s server) durable() Finding {
	switch {
	case !s.Fsync:
		return database.wrong("durable", "set fsync = on", "fsync is off: a power cut can lose the whole database")
	case !s.FullPageWrites:
		return database.wrong("durable", "set full_page_writes = on, unless the file system never tears a page", "full_page_writes is off: a power cut can tear pages")
	case s.SyncCommit == "off":
		return database.wrong("durable", "set synchronous_commit = on for this database", "synchronous_commit is off: events that a shop was told are accepted can be lost in a crash")
	}
	return database.ok("durable", "what is committed stays (synchronous_commit is %s)", s.SyncCommit)
}

func (s server) standby() Finding {
	switch {
	case s.SyncNames != "" && !s.SeesStandbys:
		return database.warn("standby", "GRANT pg_read_all_stats TO this role, and ask again", "synchronous_standby_names is %q; this role may not see whether such a standby is connected", s.SyncNames)
	case s.SyncNames != "" && s.SyncStandbys == 0:
		return database.wrong("standby", "bring a standby back, or take synchronous_standby_names away",
			"synchronous_standby_names is %q and no such standby is connected: every commit waits for one", s.SyncNames)
	case s.SyncNames == "":
		return database.ok("standby", "no synchronous standby: what was committed is as safe as this server's disk")
	}
	return database.ok("standby", "%d synchronous standby(s) connected", s.SyncStandbys)
}

func (s server) connections(needed int) Finding {
	if s.Free < needed {
		return database.warn("connections", "raise max_connections, or the role's CONNECTION LIMIT, or say pool_max_conns=8 in DATABASE_URL",
			"%d connections are free; a serve process opens up to %d", s.Free, needed)
	}
	return database.ok("connections", "%d are free; a serve process opens up to %d", s.Free, needed)
}

// pooler looks whether something is between: a pooler tells its clients numbers of its
// own for the server's processes.
func (c Config) pooler(ctx context.Context, between bool) Finding {
	if !between {
		return database.ok("pooler", "nothing stands between Towpath and Postgres")
	}
	switch err := pgdb.CheckSessions(ctx, c.Pool); {
	case errors.Is(err, pgdb.ErrNoSessions):
		return database.wrong("pooler", "give DATABASE_URL the server's own address, or set pool_mode = session for this database", "a pooler in transaction or statement mode stands between Towpath and Postgres: serve refuses to start")
	case err != nil:
		return database.blind("pooler", err)
	}
	return database.warn("pooler", "a pool in session mode works, and brings nothing: Towpath has pools of its own", "a pooler in session mode stands between Towpath and Postgres")
}

func (s server) settings() Finding {
	var odd []string
	if s.Isolation != "read committed" {
		odd = append(odd, fmt.Sprintf("default_transaction_isolation is %s: what happens at once is refused", s.Isolation))
	}
	if s.Statement != "0" {
		odd = append(odd, "statement_timeout is "+s.Statement+": migrations and large lists may be cut off")
	}
	if !s.Autovacuum {
		odd = append(odd, "autovacuum is off: the queue's tables grow without end")
	}
	if len(odd) > 0 {
		return database.warn("settings", "take isolation and timeout out of DATABASE_URL (without them each connection has Towpath's own); RESET autovacuum (ALTER SYSTEM RESET autovacuum)", "%s", strings.Join(odd, "; "))
	}
	return database.ok("settings", "isolation, timeouts and autovacuum are as Postgres has them")
}

// clock judges another machine's clock by how far it is ahead of ours: a token's times
// may be off by shopjwt.Leeway, and clocks that drift go on drifting.
func clock(whose about, ahead time.Duration) Finding {
	const do = "set the clocks of both machines by NTP"
	text := "its clock is " + account.ClockText(ahead.Round(time.Second))
	switch {
	case ahead.Abs() >= shopjwt.Leeway:
		return whose.wrong("clock", do, "%s: from %s on calls are refused", text, shopjwt.Leeway)
	case ahead.Abs() >= shopjwt.Leeway/8:
		return whose.warn("clock", do, "%s; from %s on calls are refused", text, shopjwt.Leeway)
	}
	return whose.ok("clock", "%s", text)
}

// migrations compares the schema with this program's; false where its tables are
// not there to be asked.
func (c Config) migrations(ctx context.Context) (found []Finding, usable bool) {
	status, err := pgdb.ReadStatus(ctx, c.Pool)
	if err != nil {
		return []Finding{database.blind("schema", err)}, false
	}
	counts := map[pgdb.State]int{}
	for _, m := range status.Migrations {
		counts[m.State]++
	}
	pending := counts[pgdb.StatePending]
	switch {
	case counts[pgdb.StateApplied] == 0:
		return []Finding{database.wrong("schema", "towpath migrate up", "Towpath's tables are not there")}, false
	case counts[pgdb.StateChanged] > 0:
		return []Finding{database.wrong("schema", "towpath migrate status names them; run the version that applied them", "%d migrations are not as they were applied", counts[pgdb.StateChanged])}, true
	case pending > 0:
		return []Finding{database.wrong("schema", "towpath migrate up", "%d migrations are pending", pending)}, false
	case counts[pgdb.StateNewer] > 0:
		return []Finding{database.warn("schema", "run the newer version", "the schema is of a newer version than this program")}, true
	}
	return []Finding{database.ok("schema", "every migration is applied")}, true
}

// restored tells that the database went back in time: what a process noticed, or what it
// will at its next start.
func (c Config) restored(ctx context.Context) []Finding {
	const do = "see \"The database was restored\" in docs/operating.md: towpath restored show, and then towpath restored acknowledge"
	open, err := restored.Open(ctx, c.Pool)
	if err != nil {
		return []Finding{database.blind("restored", err)}
	}
	var dumped bool
	if err := c.Pool.QueryRow(ctx, "SELECT restores_dumped()").Scan(&dumped); err != nil {
		return []Finding{database.blind("restored", err)}
	}
	switch {
	case len(open) > 0:
		return []Finding{database.warn("restored", do, "it went back to %s: %s; what was accepted since is forgotten", open[0].BackTo.UTC().Format(time.RFC3339), open[0].Why())}
	case dumped:
		return []Finding{database.warn("restored", "start towpath serve; then "+do, "its rows came out of a dump: what was accepted after that was made is forgotten")}
	}
	return []Finding{database.ok("restored", "it has not gone back in time, as far as can be told")}
}

// address judges where shops and people reach this Towpath.
func (c Config) address() []Finding {
	const address about = "address"
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		return []Finding{address.warn("base_url", "set TOWPATH_BASE_URL to where shops and people reach this Towpath", "TOWPATH_BASE_URL is not set: links and consents name this machine only")}
	case err != nil || u.Host == "":
		return []Finding{address.wrong("base_url", "set it to https://HOST", "TOWPATH_BASE_URL is %q, which is no address", c.BaseURL)}
	case inClear(c.BaseURL):
		return []Finding{address.warn("base_url", "put a reverse proxy with TLS in front, and say https://", "%s is not https: the dashboard's password and the shops' events travel in clear", c.BaseURL)}
	}
	return []Finding{address.ok("base_url", "shops are told %s, which was not called: whether it leads here shows when the first event comes", c.BaseURL)}
}

// identity looks whether people can be signed in by the identity provider.
func (c Config) identity(ctx context.Context) []Finding {
	const provider about = "identity provider"
	if c.Identity == nil {
		return nil
	}
	says, err := c.Identity(ctx)
	if err != nil {
		return []Finding{provider.wrong("answers", "see whether TOWPATH_OIDC_ISSUER is up, and its address; until then people sign in by a password", "%v", err)}
	}
	return []Finding{provider.ok("answers", "%s", says)}
}
