-- The other way: the partition is open again, though nobody released its runs (a probe
-- was answered).
CREATE OR REPLACE FUNCTION towpath_release_open(kind text, share text) RETURNS integer LANGUAGE sql SET search_path = public AS $$
    WITH waiting AS (
        SELECT job.id
        FROM sync_runs AS run
        JOIN river.river_job AS job ON job.id = run.river_job_id
        WHERE run.binding_id IN (SELECT id FROM bindings WHERE id = share::uuid OR tenant_id = share::uuid)
            AND run.stage = towpath_stage(towpath_release_open.kind)
            AND run.finished_at IS NULL
            AND (run.hold_reason = 'auth' OR run.hold_reason LIKE '%\_no\_answer')
            AND job.state = 'pending'
        LIMIT 1000
        FOR UPDATE OF job SKIP LOCKED
    ), freed AS (
        UPDATE sync_runs AS run
        SET status = 'queued', hold_reason = NULL, updated_at = clock_timestamp()
        FROM waiting
        WHERE run.river_job_id = waiting.id AND run.status = 'held'
        RETURNING run.id, run.stage, run.attempt
    ), noted AS (
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        SELECT freed.id, freed.stage, 'held', 'queued', freed.attempt, towpath_who(), 'its connection works again'
        FROM freed
    )
    SELECT count(*)::integer FROM freed
$$;
