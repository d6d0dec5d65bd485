-- What is open, for a scrape: one row. An intent whose run is running is being worked
-- on; of the others the outcome is not known.
-- name: MonitoringOpen :one
SELECT count(open.made_at)::bigint AS intents,
    coalesce(extract(epoch FROM clock_timestamp() - min(open.made_at)), 0)::float8 AS intents_oldest,
    (
        SELECT count(*)
        FROM bindings
        WHERE status <> 'revoked'
            AND token_sealed IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM oauth_grants WHERE binding_id = bindings.id)
    )::bigint AS fixed_tokens
FROM (
    SELECT intent.made_at
    FROM provider_intents AS intent
    JOIN sync_runs AS run ON run.id = intent.run_id
    WHERE intent.settled_at IS NULL
        AND run.status <> 'running'
) AS open;

-- The worker process that leads the queue; no row while none does. The table is unlogged:
-- a standby cannot read it.
-- name: QueueLeader :one
SELECT leader_id
FROM river.river_leader
WHERE expires_at > clock_timestamp();

-- name: VerifyCheckList :many
SELECT *
FROM verify_checks
ORDER BY name;

-- name: VerifyCheckPut :exec
INSERT INTO verify_checks (name, broken, samples, error, since, checked_at)
VALUES (@name, @broken, @samples, @error, @since, clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET broken = excluded.broken,
    samples = excluded.samples,
    error = excluded.error,
    since = excluded.since,
    checked_at = excluded.checked_at;
