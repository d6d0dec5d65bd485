-- Ends a live run without success and lets the shop be told, as one change.
CREATE OR REPLACE FUNCTION sync_run_end(run sync_runs, new_status text, code text, message text, detail text, tries integer, who text, calls text[])
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE sync_runs
    SET status = new_status, stage = 'push', shop_told = 'pending',
        river_job_id = towpath_insert_push(run.id),
        attempt = tries, next_attempt_at = NULL, hold_reason = NULL,
        error_code = code, error_message = message, error_detail = detail,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = run.id;
    -- It holds nothing any more; a later try still finds that it had tried.
    UPDATE provider_intents
    SET settled_at = clock_timestamp()
    WHERE run_id = run.id AND settled_at IS NULL;
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why, calls)
    VALUES (run.id, run.stage, run.status, new_status, tries, who, coalesce(message, ''), calls);
    PERFORM towpath_wake(ARRAY[run.id]);
END
$$;
