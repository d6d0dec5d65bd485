-- What waits, by kind and state; finished jobs are not counted.
-- name: QueueDepth :many
SELECT kind, state::text AS state, count(*) AS jobs,
    extract(epoch FROM clock_timestamp() - min(scheduled_at))::float8 AS oldest_seconds,
    extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS made_seconds
FROM river.river_job
WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
GROUP BY kind, state;

-- Whether any job of these queues has been due for longer than @after and nobody took it,
-- though nobody paused its queue.
-- name: QueueOverdue :one
SELECT EXISTS (
    SELECT 1
    FROM river.river_job AS job
    WHERE job.state = 'available'
        AND job.queue = ANY(@queues::text[])
        AND job.scheduled_at < clock_timestamp() - @after::interval
        AND NOT EXISTS (
            SELECT 1
            FROM river.river_queue AS queue
            WHERE queue.name = job.queue
                AND queue.paused_at IS NOT NULL
        )
);

-- name: WorkerProcessInsert :one
INSERT INTO worker_processes (client_id)
VALUES (@client_id)
RETURNING lock_number;

-- A process says that it lives.
-- name: WorkerProcessBeat :exec
UPDATE worker_processes
SET last_seen = clock_timestamp()
WHERE lock_number = @lock_number;

-- Gives back the jobs of dead processes, the attempt counted. The first death at a job says little (a deploy, a host that went away):
-- it is due at once. From the second on it waits 5 s, 10 s, 20 s, up to an hour,
-- with jitter: a job that ends every process which takes it must leave the
-- process alive for everybody else's. A job
-- whose cancel was asked for is cancelled. One statement, so that a job taken
-- again meanwhile is left alone. A write at a ledger that may take one document
-- twice is given back only when a call under way has timed out too.
-- name: QueueGiveBackOrphans :many
WITH orphan AS (
    SELECT job.id, (
            SELECT CASE WHEN count(*) = 0 THEN interval '0'
                ELSE least(interval '1 hour', interval '5 seconds' * power(2, least(count(*) - 1, 10))) * (0.75 + random() / 2) END
            FROM unnest(job.errors) AS said
            WHERE said ->> 'error' = 'the process that worked on it ended'
        ) AS wait
    FROM river.river_job AS job
    JOIN worker_processes AS process ON process.client_id = job.attempted_by[array_upper(job.attempted_by, 1)]
    WHERE job.state = 'running'
        AND towpath_process_dead(process, @grace::interval, @frozen::interval)
        AND (towpath_stage(job.kind) IS DISTINCT FROM 'post'
            OR process.last_seen < clock_timestamp() - @longest_call::interval
            OR NOT EXISTS (
                SELECT 1
                FROM sync_runs AS run
                JOIN bindings AS binding ON binding.id = run.binding_id
                WHERE run.river_job_id = job.id
                    AND towpath_may_duplicate(binding.provider, binding.wire)
            ))
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE river.river_job AS job
SET state = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN 'cancelled'
        WHEN orphan.wait > interval '0' THEN 'retryable'
        ELSE 'available' END::river.river_job_state,
    finalized_at = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN clock_timestamp() END,
    scheduled_at = clock_timestamp() + orphan.wait,
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

-- The beat of the shares: what a pause or a race left waiting is admitted.
-- name: QueueKeepShares :one
SELECT towpath_keep_shares();

-- Inserts a job of this kind for each run; their ids in that order.
-- name: QueueInsertMany :one
SELECT towpath_insert_jobs(@kind::text, @runs::uuid[], @shares::uuid[], @priorities::int[], @after::double precision[])::bigint[] AS ids;

-- name: QueueAdmit :one
SELECT towpath_admit(@kind::text, @share::text);

-- How many jobs of a share are due and not begun, counted up to most.
-- name: QueueWaiting :one
SELECT count(*)
FROM (
    SELECT 1
    FROM river.river_job AS job
    WHERE job.kind = @kind::text
        AND job.args ->> 'share' = @share::text
        AND job.state IN ('available', 'pending')
        AND job.finalized_at IS NULL
        AND job.scheduled_at <= clock_timestamp()
    LIMIT @most::int
) AS waiting;

-- Takes jobs of a share that are due and not begun, as River takes available ones:
-- they are this process's from here on. None that is less urgent than priority, and none
-- of a partition that is blocked: its probe goes alone. If
-- the process dies, they are given back like any other of its jobs. The mark says that
-- this attempt is one that was taken along. Each state by itself is in the index's
-- order: a long backlog is not sorted.
-- name: QueueTake :many
WITH admitted AS (
    SELECT waiting.id, waiting.priority, waiting.scheduled_at
    FROM river.river_job AS waiting
    WHERE @also_admitted::boolean
        AND waiting.kind = @kind::text
        AND waiting.args ->> 'share' = @share::text
        AND (SELECT towpath_blocked(@kind, @share)) IS NULL
        AND waiting.args ->> 'run_id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
        AND waiting.state = 'available'
        AND waiting.priority <= @priority::smallint
        AND waiting.finalized_at IS NULL
        AND waiting.scheduled_at <= clock_timestamp()
    ORDER BY waiting.priority, waiting.scheduled_at, waiting.id
    LIMIT @most::int
    FOR UPDATE SKIP LOCKED
), pending AS (
    SELECT waiting.id, waiting.priority, waiting.scheduled_at
    FROM river.river_job AS waiting
    WHERE waiting.kind = @kind::text
        AND waiting.args ->> 'share' = @share::text
        AND (SELECT towpath_blocked(@kind, @share)) IS NULL
        AND waiting.args ->> 'run_id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
        AND waiting.state = 'pending'
        AND waiting.priority <= @priority::smallint
        AND waiting.finalized_at IS NULL
        AND waiting.scheduled_at <= clock_timestamp()
    ORDER BY waiting.priority, waiting.scheduled_at, waiting.id
    LIMIT @most::int
    FOR UPDATE SKIP LOCKED
)
UPDATE river.river_job AS job
SET state = 'running',
    attempt = job.attempt + 1,
    attempted_at = clock_timestamp(),
    metadata = job.metadata || jsonb_build_object('batch', job.attempt + 1),
    attempted_by = array_append(job.attempted_by[greatest(1, coalesce(array_length(job.attempted_by, 1), 0) - 98):], @client_id::text)
FROM (
    SELECT either.id
    FROM (SELECT * FROM admitted UNION ALL SELECT * FROM pending) AS either
    ORDER BY either.priority, either.scheduled_at, either.id
    LIMIT @most::int
) AS taken
WHERE job.id = taken.id
RETURNING job.id, job.attempt, job.metadata, (job.args ->> 'run_id')::uuid AS run_id;

-- Completes the jobs of a set that are still these attempts', and answers their ids. Locked in order, so that
-- two sets wait for each other and do not block each other.
-- name: QueueCompleteMany :many
WITH mine AS MATERIALIZED (
    SELECT mine.id
    FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@attempts::int[]) AS attempt ORDER BY 1) AS ended
    CROSS JOIN LATERAL (
        -- FOR UPDATE inside keeps this one look-up in an index for each job.
        SELECT job.id
        FROM river.river_job AS job
        WHERE job.id = ended.id
            AND job.attempt = ended.attempt
            AND job.state = 'running'
        FOR UPDATE
    ) AS mine
)
UPDATE river.river_job AS job
SET state = 'completed', finalized_at = clock_timestamp()
FROM mine
WHERE job.id = mine.id
RETURNING job.id;

-- Puts a taken job back, with what the worker says of its attempt. A wait gives
-- the attempt back and is counted, as River does; a job whose cancel was asked for meanwhile is cancelled.
-- name: QueuePutBack :one
UPDATE river.river_job AS job
SET state = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN 'cancelled' ELSE @state::text END::river.river_job_state,
    finalized_at = CASE WHEN job.metadata ? 'cancel_attempted_at' THEN clock_timestamp() END,
    attempt = CASE WHEN @waits::boolean THEN job.attempt - 1 ELSE job.attempt END,
    scheduled_at = clock_timestamp() + make_interval(secs => @seconds::float8),
    metadata = job.metadata - 'batch' || @report::jsonb || CASE WHEN @waits::boolean
        THEN jsonb_build_object('snoozes', CASE WHEN jsonb_typeof(job.metadata -> 'snoozes') = 'number' THEN (job.metadata ->> 'snoozes')::numeric ELSE 0 END + 1)
        ELSE '{}' END,
    errors = CASE WHEN @error::text = '' THEN job.errors
        ELSE array_append(job.errors, jsonb_build_object('at', job.attempted_at, 'attempt', job.attempt, 'error', @error::text, 'trace', '')) END
WHERE job.id = @id
    AND job.state = 'running'
    AND job.attempt = @attempt
RETURNING job.id;

-- Jobs wait for their turn in their share, from now on.
-- name: QueuePark :exec
UPDATE river.river_job AS job
SET state = 'pending', scheduled_at = clock_timestamp()
WHERE job.id = ANY (@ids::bigint[])
    AND job.state IN ('scheduled', 'retryable', 'available', 'pending');
