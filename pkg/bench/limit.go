package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"towpath/pkg/pgdb"
	"towpath/riverjobs"
)

// LimitFigure is what this machine's Postgres can do at most: the inserts of
// one webhook's transaction and nothing else.
type LimitFigure struct {
	By        string    `json:"by"` // pgbench or pgx
	PerSecond float64   `json:"transactions_per_second"`
	Rounds    []float64 `json:"rounds"`
}

// limit is the database that the inserts go to.
type limit struct {
	pool       *pgxpool.Pool
	url        string
	statements []string
	pgbench    string // its path; empty where the server programs come without it
}

func (b *measurement) newLimit(ctx context.Context) (*limit, error) {
	pool, err := b.database(ctx, "inserts")
	if err != nil {
		return nil, err
	}
	b.OnStop(pool.Close)
	tenant, binding := uuid.New(), uuid.New()
	_, err = pool.Exec(ctx, strings.NewReplacer("TENANT", tenant.String(), "BINDING", binding.String()).Replace(`
		INSERT INTO tenants (id, name, magento_url, api_key_sealed) VALUES ('TENANT', 'Bench', 'http://127.0.0.1', '');
		INSERT INTO bindings (id, tenant_id, provider, wire, api_url) VALUES ('BINDING', 'TENANT', 'xero', 'accounting', 'http://127.0.0.1');
		INSERT INTO policies (binding_id, version, policy) VALUES ('BINDING', 1, '{}')`))
	if err != nil {
		return nil, fmt.Errorf("prepare inserts: %w", err)
	}
	l := &limit{pool: pool, url: b.db.URL("inserts"), statements: acceptStatements(tenant, binding)}
	if path := filepath.Join(b.binDir, "pgbench"); executable(path) {
		l.pgbench = path
	}
	return l, nil
}

// by names what makes the inserts.
func (l *limit) by() string {
	if l.pgbench != "" {
		return "pgbench"
	}
	return "pgx"
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// acceptStatements are the inserts of one webhook's transaction, row for row
// what the ingress writes; :id is the invoice's, :job_id what the second one
// returned. A test compares the rows with a real webhook's.
func acceptStatements(tenant, binding uuid.UUID) []string {
	job := riverjobs.FetchCanonicalArgs{}
	fill := strings.NewReplacer(
		"TENANT", tenant.String(), "BINDING", binding.String(),
		"KIND", job.Kind(), "QUEUE", job.InsertOpts().Queue, "TRIES", strconv.Itoa(job.InsertOpts().MaxAttempts),
		// Rising with time, as the ids of runs do.
		"RUN", "('01900000-0000-7000-8000-' || lpad(to_hex(:id::bigint), 12, '0'))::uuid",
		"KEY", "'invoice.created:' || (:id::bigint)::text",
	)
	statements := []string{
		`INSERT INTO spent_jtis (tenant_id, jti, request_key, expires_at)
		VALUES ('TENANT', gen_random_uuid()::text, 'BINDING invoice.created ' || KEY, now() + interval '3 minutes')
		ON CONFLICT DO NOTHING`,
		`INSERT INTO river.river_job (args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags)
		VALUES (jsonb_build_object('run_id', RUN), now(), 'KIND', TRIES, '{}', 1, 'QUEUE', now(), 'available', '{}')
		RETURNING id AS job_id`,
		`INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id,
			website_id, store_id, idempotency_key, dedupe_key, lane, occurred_at, body, river_job_id)
		VALUES (RUN, 'TENANT', 'BINDING', 1, 'invoice.created', 'invoice', :id::bigint, 1, 1, KEY, KEY,
			'invoice:' || (:id::bigint)::text, now(),
			('{"magento_entity_id":' || (:id::bigint)::text || ',"website_id":1,"store_id":1,"occurred_at":"2026-04-29T10:11:12Z","payload":[]}')::json,
			:job_id::bigint)
		ON CONFLICT (binding_id, dedupe_key) DO NOTHING`,
		`INSERT INTO sync_run_events (run_id, step, to_status, who)
		VALUES (RUN, 'accept', 'queued', 'shop')`,
	}
	for i, statement := range statements {
		statements[i] = fill.Replace(strings.Join(strings.Fields(fill.Replace(statement)), " "))
	}
	return statements
}

// firstID keeps the ids of the rounds apart.
func firstID(round int) int64 { return int64(round+1) << 40 }

func (b *measurement) roundOfLimit(ctx context.Context, l *limit, clients, round int, to *LimitFigure) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	insert := l.loop
	if l.pgbench != "" {
		insert = l.bench
	}
	perSecond, err := insert(ctx, b, clients, firstID(round))
	if err != nil {
		return fmt.Errorf("measure the machine's limit: %w", err)
	}
	to.Rounds = append(to.Rounds, perSecond)
	return nil
}

// script is the transaction in pgbench's terms. A client's variable outlives a
// transaction, so n counts.
func (l *limit) script(clients int) string {
	lines := []string{`\set n :n + 1`, fmt.Sprintf(`\set id :base + :n * %d + :client_id`, clients), "BEGIN;"}
	for _, statement := range l.statements {
		if strings.HasSuffix(statement, "RETURNING id AS job_id") {
			lines = append(lines, statement+` \gset`)
			continue
		}
		lines = append(lines, statement+";")
	}
	return strings.Join(append(lines, "COMMIT;", ""), "\n")
}

var (
	pgbenchTPS    = regexp.MustCompile(`(?m)^tps = ([0-9.]+) \(without initial connection time\)`)
	pgbenchFailed = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
)

// bench lets pgbench do it.
func (l *limit) bench(ctx context.Context, b *measurement, clients int, first int64) (float64, error) {
	script := filepath.Join(b.folder, "webhook.sql")
	if err := os.WriteFile(script, []byte(l.script(clients)), 0o600); err != nil {
		return 0, fmt.Errorf("write script: %w", err)
	}
	defer os.Remove(script)
	cmd := exec.CommandContext(ctx, l.pgbench, "-n", "-M", "prepared", "-f", script, "-c", strconv.Itoa(clients),
		"-j", strconv.Itoa(min(clients, runtime.NumCPU())), "-T", strconv.Itoa(b.cfg.Seconds),
		"-D", fmt.Sprintf("base=%d", first), "-D", "n=0", l.url)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"} // PGOPTIONS and its like would have a say
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("run pgbench: %w: %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	if failed := pgbenchFailed.FindSubmatch(out.Bytes()); failed != nil && string(failed[1]) != "0" {
		return 0, fmt.Errorf("run pgbench: %s transactions failed: %s", failed[1], bytes.TrimSpace(errs.Bytes()))
	}
	tps := pgbenchTPS.FindSubmatch(out.Bytes())
	if tps == nil {
		return 0, errors.New("run pgbench: its answer names no tps")
	}
	return strconv.ParseFloat(string(tps[1]), 64)
}

// forPgx are the statements in pgx's terms: $1 is the id, $2 the job's.
func (l *limit) forPgx() []string {
	statements := make([]string, len(l.statements))
	for i, statement := range l.statements {
		statements[i] = strings.NewReplacer(":id::", "$1::", ":job_id::", "$2::").Replace(statement)
	}
	return statements
}

// loop does the same where there is no pgbench: one connection a client, every
// statement prepared once.
func (l *limit) loop(ctx context.Context, b *measurement, clients int, first int64) (float64, error) {
	pool, err := pgdb.Open(ctx, pgdb.Config{URL: l.url, MaxConns: int32(clients)})
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	statements := l.forPgx()
	var next, done atomic.Int64
	next.Store(first)
	length := time.Duration(b.cfg.Seconds) * time.Second
	inserters, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for range clients {
		inserters.Go(func() error {
			for time.Since(began) < length {
				if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return insertAccepted(ctx, tx, statements, next.Add(1)) }); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err = inserters.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), err
}

// insertAccepted runs the statements, which are in pgx's terms.
func insertAccepted(ctx context.Context, tx pgx.Tx, statements []string, id int64) error {
	var jobID int64
	for _, statement := range statements {
		args := []any{id}
		if strings.Contains(statement, "$2") {
			args = append(args, jobID)
		}
		if strings.HasSuffix(statement, "RETURNING id AS job_id") {
			if err := tx.QueryRow(ctx, statement, args...).Scan(&jobID); err != nil {
				return fmt.Errorf("insert job: %w", err)
			}
			continue
		}
		if _, err := tx.Exec(ctx, statement, args...); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
	}
	return nil
}
