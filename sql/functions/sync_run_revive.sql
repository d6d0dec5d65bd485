-- Someone made a given up or cancelled job live again: that is a retry of its
-- run, where the run failed or was cancelled at that stage; or the shop is told
-- after all. False where the run has no use for the job.
CREATE OR REPLACE FUNCTION sync_run_revive(old_job river.river_job, new_job river.river_job, who text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    run sync_runs;
    at_stage text := towpath_stage(old_job.kind);
BEGIN
    IF old_job.state NOT IN ('discarded', 'cancelled') THEN
        RETURN false;
    END IF;
    -- The job that tells the shop goes; like every job it is locked before the run.
    PERFORM 1
    FROM river.river_job AS job
    JOIN sync_runs AS waiting ON waiting.river_job_id = job.id
    WHERE waiting.id = (old_job.args ->> 'run_id')::uuid
    FOR UPDATE OF job;
    SELECT * INTO run FROM sync_runs WHERE id = (old_job.args ->> 'run_id')::uuid FOR UPDATE;

    IF at_stage = 'push' AND run.stage = 'done' AND run.shop_told = 'given_up' THEN
        UPDATE sync_runs
        SET stage = 'push', river_job_id = old_job.id, shop_told = 'pending', updated_at = clock_timestamp()
        WHERE id = run.id;
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        VALUES (run.id, 'push', run.status, run.status, new_job.attempt, who, 'job retried');
        RETURN true;
    END IF;
    IF at_stage = 'fetch' AND run.status IN ('failed', 'cancelled')
        OR at_stage = 'post' AND run.status IN ('failed', 'cancelled') AND run.canonical IS NOT NULL THEN
        UPDATE sync_runs
        SET status = 'queued', stage = at_stage, river_job_id = old_job.id,
            shop_told = NULL, told_at = NULL, finished_at = NULL,
            error_code = NULL, error_message = NULL, error_detail = NULL, blanked_at = NULL, blanked_by = NULL,
            updated_at = clock_timestamp()
        WHERE id = run.id;
        DELETE FROM river.river_job WHERE id = run.river_job_id AND state <> 'running';
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        VALUES (run.id, 'retry', run.status, 'queued', new_job.attempt, who, 'job retried');
        RETURN true;
    END IF;
    RETURN false;
END
$$;
