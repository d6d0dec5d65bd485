-- Inserts the job that tells the shop. The options equal those of
-- riverjobs.PushSyncStateArgs; a test compares them.
CREATE OR REPLACE FUNCTION towpath_insert_push(run uuid) RETURNS bigint LANGUAGE sql SET search_path = public AS $$
    INSERT INTO river.river_job (kind, args, queue, max_attempts, priority, scheduled_at)
    SELECT 'push_sync_state', jsonb_build_object('run_id', sync_runs.id, 'share', sync_runs.tenant_id), 'push_sync_state', 180,
        CASE WHEN sync_runs.backfill THEN 2 ELSE 1 END, clock_timestamp()
    FROM sync_runs
    WHERE sync_runs.id = run
    RETURNING id
$$;
