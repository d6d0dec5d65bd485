-- What waits, by kind and state; finished jobs are not counted.
-- name: QueueDepth :many
SELECT kind, state::text AS state, count(*) AS jobs,
    extract(epoch FROM clock_timestamp() - min(scheduled_at))::float8 AS oldest_seconds
FROM river.river_job
WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
GROUP BY kind, state;

-- name: WorkerProcessInsert :one
INSERT INTO worker_processes (client_id)
VALUES (@client_id)
RETURNING lock_number;

-- A process says that it lives.
-- name: WorkerProcessBeat :exec
UPDATE worker_processes
SET last_seen = clock_timestamp()
WHERE lock_number = @lock_number;

-- Gives back the jobs of dead processes: due at once, the attempt counted. A job
-- whose cancel was asked for is cancelled. One statement, so that a job taken
-- again meanwhile is left alone. A write at a ledger that may take one number
-- twice (FreeAgent) is given back only when a call under way has timed out too.
-- name: QueueGiveBackOrphans :many
WITH orphan AS (
    SELECT job.id
    FROM river.river_job AS job
    JOIN worker_processes AS process ON process.client_id = job.attempted_by[array_upper(job.attempted_by, 1)]
    WHERE job.state = 'running'
        AND towpath_process_dead(process, @grace::interval, @frozen::interval)
        AND (job.kind <> 'post_invoice'
            OR process.last_seen < clock_timestamp() - @longest_call::interval
            OR NOT EXISTS (
                SELECT 1
                FROM sync_runs AS run
                JOIN bindings AS binding ON binding.id = run.binding_id
                WHERE run.river_job_id = job.id
                    AND binding.provider = 'freeagent'
            ))
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river.river_job AS job
SET state = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN 'cancelled' ELSE 'available' END::river.river_job_state,
    finalized_at = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN clock_timestamp() END,
    scheduled_at = clock_timestamp(),
    max_attempts = greatest(job.max_attempts, job.attempt + 1),
    errors = array_append(job.errors, jsonb_build_object('at', job.attempted_at, 'attempt', job.attempt,
        'error', 'the process that worked on it ended', 'trace', ''))
FROM orphan
WHERE job.id = orphan.id
RETURNING job.id;

-- name: WorkerProcessDeleteDead :execrows
DELETE FROM worker_processes AS process
WHERE process.started_at < clock_timestamp() - interval '1 day'
    AND towpath_process_dead(process, interval '1 day', interval '1 day')
    AND NOT EXISTS (
        SELECT 1
        FROM river.river_job AS job
        WHERE job.state = 'running'
            AND job.attempted_by[array_upper(job.attempted_by, 1)] = process.client_id
    );

-- When the last event was accepted; no row before the first.
-- name: QueueLastArrival :one
SELECT received_at
FROM sync_runs
ORDER BY received_at DESC, id DESC
LIMIT 1;
