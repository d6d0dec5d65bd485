-- needs: towpath_stage
-- Promise 1 as a query: in no snapshot does this have a row.
CREATE OR REPLACE VIEW run_queue_mismatch AS
SELECT run.id AS run_id, job.id AS job_id, run.status, run.stage, job.kind, job.state::text AS job_state,
    CASE
        WHEN job.id IS NULL THEN 'the run waits for a job that does not exist'
        WHEN job.finalized_at IS NOT NULL THEN 'the run waits for a job that is finished'
        WHEN towpath_stage(job.kind) IS DISTINCT FROM run.stage THEN 'the job is of another stage than the run'
        WHEN job.args ->> 'run_id' IS DISTINCT FROM run.id::text THEN 'the job is another run''s'
        ELSE 'the run''s status is not what its job''s state means'
    END AS problem
FROM sync_runs AS run
LEFT JOIN river.river_job AS job ON job.id = run.river_job_id
WHERE run.river_job_id IS NOT NULL
    AND (job.id IS NULL
        OR job.finalized_at IS NOT NULL
        OR towpath_stage(job.kind) IS DISTINCT FROM run.stage
        OR job.args ->> 'run_id' IS DISTINCT FROM run.id::text
        OR NOT CASE run.status
            WHEN 'queued' THEN job.state IN ('available', 'pending', 'scheduled', 'retryable')
            -- between two stages the next job has not been taken yet
            WHEN 'running' THEN job.state = 'running' OR (run.stage = 'post' AND job.state = 'available' AND job.attempt = 0)
            WHEN 'held' THEN job.state IN ('available', 'pending', 'scheduled', 'retryable')
            ELSE run.stage = 'push'
        END)
UNION ALL
SELECT run.id, job.id, run.status, run.stage, job.kind, job.state::text,
    CASE WHEN run.id IS NULL THEN 'the job''s run does not exist' ELSE 'the job waits, but its run does not wait for it' END
FROM river.river_job AS job
LEFT JOIN sync_runs AS run
    ON run.id = CASE WHEN job.args ->> 'run_id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN (job.args ->> 'run_id')::uuid END
WHERE towpath_stage(job.kind) IS NOT NULL
    AND job.state IN ('available', 'pending', 'scheduled', 'retryable')
    AND run.river_job_id IS DISTINCT FROM job.id;
COMMENT ON VIEW run_queue_mismatch IS 'runs and jobs that contradict each other; empty in every snapshot';
