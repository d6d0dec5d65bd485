-- Workers took jobs: River's fetch, or a claim. A set at a time, since both take
-- many in one statement. No exception block here: this is the hot path, and if it
-- ever raised, the fetch as a whole would be rolled back and nothing lost.
CREATE OR REPLACE FUNCTION sync_run_follow_start() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    -- Most changes of jobs start none (a fetch of an idle queue changes nothing at all):
    -- they do not pay for the plan of what follows, 4 to 27 ms a connection.
    IF NOT EXISTS (SELECT FROM jobs_after WHERE state = 'running') THEN
        RETURN NULL;
    END IF;
    WITH taken AS (
        SELECT job.id, job.attempt, job.attempted_by[array_upper(job.attempted_by, 1)] AS who
        FROM jobs_after AS job
        JOIN jobs_before AS was ON was.id = job.id
        WHERE job.state = 'running' AND was.state <> 'running'
    ), before AS (
        -- FOR UPDATE inside keeps this one look-up in an index for each job.
        SELECT run.id, run.status, taken.attempt, taken.who
        FROM taken
        CROSS JOIN LATERAL (
            SELECT sync_runs.id, sync_runs.status
            FROM sync_runs
            WHERE sync_runs.river_job_id = taken.id AND sync_runs.status IN ('queued', 'held')
            FOR UPDATE
        ) AS run
    ), started AS (
        UPDATE sync_runs
        SET status = 'running', hold_reason = NULL, attempt = before.attempt,
            next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM before
        WHERE sync_runs.id = before.id
        RETURNING sync_runs.id, sync_runs.stage, before.status AS from_status, before.attempt, before.who
    )
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who)
    SELECT started.id, started.stage, started.from_status, 'running', started.attempt, started.who
    FROM started;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_follow_start
AFTER UPDATE ON river.river_job
REFERENCING OLD TABLE AS jobs_before NEW TABLE AS jobs_after
FOR EACH STATEMENT
EXECUTE FUNCTION sync_run_follow_start();
