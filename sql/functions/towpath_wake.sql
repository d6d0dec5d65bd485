-- needs: towpath_admit
-- The runs have ended, or are held: what waits in their lanes without looking is put in
-- line, to go on or to say what it waits for now. Called in the transaction that changed
-- them, after the change. A job that somebody has locked is just being parked, and will
-- find out by itself. The run says who waits, not the job's metadata: a process that was
-- held for dead may still write those.
CREATE OR REPLACE FUNCTION towpath_wake(runs uuid[]) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    waiting record;
    partition text;
    partitions text[] := '{}';
    moved integer := 0;
BEGIN
    FOR waiting IN
        -- Each look-up is one in an index, whatever the statistics: see towpath_ahead.
        SELECT DISTINCT job.id, job.kind, job.share
        FROM unnest(runs) AS changed (id)
        CROSS JOIN LATERAL (
            SELECT sync_runs.* FROM sync_runs WHERE sync_runs.id = changed.id OFFSET 0
        ) AS run
        CROSS JOIN LATERAL (
            SELECT behind.river_job_id
            FROM sync_runs AS behind
            WHERE behind.lane = run.lane
                AND behind.binding_id = run.binding_id
                AND coalesce(behind.finished_at, 'infinity') = 'infinity'
                AND behind.id <> run.id
                AND (behind.status = 'queued'
                    OR run.finished_at IS NOT NULL AND behind.hold_reason IN ('invoice_failed', 'invoice_held', 'invoice_unknown'))
            OFFSET 0
        ) AS behind
        CROSS JOIN LATERAL (
            SELECT river_job.id, river_job.kind, river_job.args ->> 'share' AS share
            FROM river.river_job
            WHERE river_job.id = behind.river_job_id
                AND river_job.state = 'scheduled'
            FOR UPDATE SKIP LOCKED
        ) AS job
    LOOP
        UPDATE river.river_job AS job
        SET state = 'pending', scheduled_at = clock_timestamp()
        WHERE job.id = waiting.id;
        partitions := partitions || (waiting.kind || ' ' || waiting.share);
    END LOOP;
    -- In order, so that two that admit at once do not block each other.
    FOR partition IN SELECT DISTINCT unnest(partitions) ORDER BY 1 LOOP
        moved := moved + towpath_admit(split_part(partition, ' ', 1), split_part(partition, ' ', 2));
    END LOOP;
    RETURN moved;
END
$$;
