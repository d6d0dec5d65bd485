-- Runs whose partition is blocked are held, so that they say why they wait; at most a
-- thousand at once, each locked job first. Those that are being worked hold
-- themselves.
CREATE OR REPLACE FUNCTION towpath_hold_blocked(kind text, share text, reason text) RETURNS integer LANGUAGE sql SET search_path = public AS $$
    WITH waiting AS (
        SELECT job.id
        FROM sync_runs AS run
        JOIN river.river_job AS job ON job.id = run.river_job_id
        WHERE run.binding_id IN (SELECT id FROM bindings WHERE id = share::uuid OR tenant_id = share::uuid)
            AND run.finished_at IS NULL
            AND run.stage = towpath_stage(towpath_hold_blocked.kind)
            AND (run.status = 'queued' OR run.status = 'held' AND run.hold_reason <> reason
                AND (run.hold_reason = 'auth' OR run.hold_reason LIKE '%\_no\_answer'))
            AND job.state = 'pending'
        LIMIT 1000
        FOR UPDATE OF job SKIP LOCKED
    ), held AS (
        UPDATE sync_runs AS run
        SET status = 'held', hold_reason = reason, next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM (SELECT old.id, old.status FROM sync_runs AS old JOIN waiting ON waiting.id = old.river_job_id) AS before
        WHERE run.id = before.id AND run.status IN ('queued', 'held')
        RETURNING run.id, run.stage, run.attempt, before.status AS from_status
    ), noted AS (
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        SELECT held.id, held.stage, held.from_status, 'held', held.attempt, towpath_who(), 'waits with all of its connection: ' || reason
        FROM held
    )
    SELECT count(*)::integer FROM held
$$;
