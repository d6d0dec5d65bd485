-- needs: towpath_admit
-- The runs have ended, or are held: what waits in their lanes without looking is put in
-- line, to go on or to say what it waits for now. Called in the transaction that changed
-- them, after the change. A job that somebody has locked is just being parked, and will
-- find out by itself. The run says who waits, not the job's metadata: a process that was
-- held for dead may still write those.
CREATE OR REPLACE FUNCTION towpath_wake(runs uuid[]) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    woken record;
    moved integer := 0;
BEGIN
    FOR woken IN
        WITH waiting AS (
            SELECT job.id
            FROM unnest(runs) AS changed (id)
            JOIN sync_runs AS run ON run.id = changed.id
            JOIN sync_runs AS behind ON behind.binding_id = run.binding_id
                AND behind.lane = run.lane
                AND behind.finished_at IS NULL
                AND behind.id <> run.id
            JOIN river.river_job AS job ON job.id = behind.river_job_id
            WHERE job.state = 'scheduled'
                AND (behind.status = 'queued'
                    OR run.finished_at IS NOT NULL AND behind.hold_reason IN ('invoice_failed', 'invoice_held', 'invoice_unknown'))
            ORDER BY job.id
            FOR UPDATE OF job SKIP LOCKED
        ), moved AS (
            UPDATE river.river_job AS job
            SET state = 'pending', scheduled_at = clock_timestamp()
            FROM waiting
            WHERE job.id = waiting.id
            RETURNING job.kind, job.args ->> 'share' AS share
        )
        SELECT DISTINCT moved.kind, moved.share FROM moved ORDER BY 1, 2
    LOOP
        moved := moved + towpath_admit(woken.kind, woken.share);
    END LOOP;
    RETURN moved;
END
$$;
