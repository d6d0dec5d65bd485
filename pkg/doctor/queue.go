package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"towpath/pkg/magento"
)

const queue about = "queue"

// lateAfter is how long a job that could run may wait before it is a sign.
const lateAfter = 5 * time.Minute

// key opens a sample of the stored secrets.
func (c Config) key(ctx context.Context) Finding {
	const secrets about = "secrets"
	if err := c.CheckKey(ctx); err != nil {
		return secrets.wrong("key", "give the TOWPATH_SECRET_KEY that serve has", "%v", err)
	}
	return secrets.ok("key", "what is stored opens with TOWPATH_SECRET_KEY (a sample)")
}

// queue looks whether somebody works, and whether what waits is taken.
func (c Config) queue(ctx context.Context) []Finding {
	var leader bool
	var late, unsettled int
	var longest, oldest float64
	var invalid []string
	err := c.Pool.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM river.river_leader WHERE expires_at > now()),
			(SELECT count(*) FROM river.river_job WHERE state = 'available' AND scheduled_at < now() - make_interval(secs => $1)),
			(SELECT coalesce(extract(epoch FROM now() - min(scheduled_at)), 0)::float8 FROM river.river_job WHERE state = 'available'),
			(SELECT count(*) FROM provider_intents WHERE settled_at IS NULL AND made_at < now() - interval '1 hour'),
			(SELECT coalesce(extract(epoch FROM now() - min(made_at)), 0)::float8 FROM provider_intents WHERE settled_at IS NULL),
			ARRAY(SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
				WHERE NOT indisvalid AND relnamespace::regnamespace::text IN ('public', 'river'))`,
		lateAfter.Seconds()).Scan(&leader, &late, &longest, &unsettled, &oldest, &invalid)
	if err != nil {
		return []Finding{queue.blind("jobs", err)}
	}
	found := []Finding{queue.ok("worker", "a worker leads the queue"), queue.ok("jobs", "no job waits that could run"),
		queue.ok("intents", "the outcome of every write of the last hour and before is known"), queue.ok("indexes", "every index is valid")}
	if !leader {
		found[0] = queue.wrong("worker", `start one: towpath serve (with "worker" among its --roles)`, "no worker is running: events are accepted and wait")
	}
	if late > 0 {
		found[1] = queue.warn("jobs", "see whether a worker is running, and its log", "%d jobs that could run wait, the first for %s", late, rough(longest))
	}
	if unsettled > 0 {
		found[2] = queue.warn("intents", "see the runs that wait: towpath runs list --status running", "of %d writes to a ledger the outcome is not known, the oldest is %s old", unsettled, rough(oldest))
	}
	if len(invalid) > 0 {
		found[3] = queue.wrong("indexes", "REINDEX INDEX CONCURRENTLY each of them", "not valid, and so not used: %s", strings.Join(invalid, ", "))
	}
	return found
}

// rough is seconds as a person says them.
func rough(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d > time.Hour {
		return d.Round(time.Hour).String()
	}
	return d.Round(time.Second).String()
}

// held tells what waits for a person, by reason.
func (c Config) held(ctx context.Context) []Finding {
	const runs about = "runs"
	rows, _ := c.Pool.Query(ctx, `
		SELECT hold_reason AS reason, count(*)::int AS runs, extract(epoch FROM clock_timestamp() - min(received_at))::float8 AS oldest
		FROM sync_runs
		WHERE status = 'held'
		GROUP BY hold_reason
		ORDER BY count(*) DESC, hold_reason`) // the collector returns the error
	reasons, err := pgx.CollectRows(rows, pgx.RowToStructByName[struct {
		Reason string
		Runs   int
		Oldest float64
	}])
	if err != nil {
		return []Finding{runs.blind("held", err)}
	}
	if len(reasons) == 0 {
		return []Finding{runs.ok("held", "nothing is held")}
	}
	var found []Finding
	for _, r := range reasons {
		if r.Reason == magento.ReasonAddressRefused && c.AllowsPrivate {
			found = append(found, runs.warn("held", "set TOWPATH_ALLOW_PRIVATE_URLS in the environment of towpath serve as well, and restart it; then: towpath runs retry --status held --error address_refused --all",
				"%d held: %s, the oldest for %s; this environment lets private addresses be called, so towpath serve runs without that setting", r.Runs, r.Reason, rough(r.Oldest)))
			continue
		}
		found = append(found, runs.warn("held", "which: towpath runs list --status held --error "+r.Reason+"; each of them says what to do: towpath runs show ID",
			"%d held: %s, the oldest for %s", r.Runs, r.Reason, rough(r.Oldest)))
	}
	return found
}

// size tells what the database takes and how fast it grows.
func (c Config) size(ctx context.Context) []Finding {
	var total, grows string
	var runs int64
	err := c.Pool.QueryRow(ctx, `
		SELECT pg_size_pretty(pg_database_size(current_database())), runs,
			pg_size_pretty((mine * month / greatest(runs, 1))::bigint)
		FROM (
			SELECT (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'river')) AS mine,
				-- The statistics may be of before.
				greatest((SELECT reltuples FROM pg_class WHERE oid = 'sync_runs'::regclass), month)::bigint AS runs, month
			FROM (SELECT count(*) AS month FROM sync_runs WHERE received_at > now() - interval '30 days') AS recent
		) AS sizes`).Scan(&total, &runs, &grows)
	if err != nil {
		return []Finding{database.blind("size", err)}
	}
	return []Finding{database.ok("size", "%s, about %d events; at the pace of the last 30 days %s more a month", total, runs, grows)}
}
