-- A worker took the job. No exception block here: this is the hot path, and if
-- it ever raised, the fetch as a whole would be rolled back and nothing lost.
CREATE OR REPLACE FUNCTION sync_run_follow_start() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    WITH before AS (
        SELECT id, status FROM sync_runs
        WHERE river_job_id = NEW.id AND status IN ('queued', 'held')
        FOR UPDATE
    ), started AS (
        UPDATE sync_runs
        SET status = 'running', hold_reason = NULL, attempt = NEW.attempt,
            next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM before
        WHERE sync_runs.id = before.id
        RETURNING sync_runs.id, sync_runs.stage, before.status AS from_status
    )
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who)
    SELECT id, stage, from_status, 'running', NEW.attempt, NEW.attempted_by[array_upper(NEW.attempted_by, 1)]
    FROM started;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_follow_start
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state <> 'running' AND NEW.state = 'running')
EXECUTE FUNCTION sync_run_follow_start();
