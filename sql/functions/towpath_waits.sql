-- Whether a share waits for its provider's or its budget's time. In plpgsql, which
-- keeps its plans: it is asked for every job.
CREATE OR REPLACE FUNCTION towpath_waits(kind text, share text, priority integer) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
    IF towpath_stage(kind) IS DISTINCT FROM 'post' THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT 1
        FROM bindings
        LEFT JOIN call_budgets ON call_budgets.key = call_budget_key(bindings)
        WHERE bindings.id = share::uuid
            AND (bindings.paused_until > clock_timestamp()
                -- No slot lies further ahead; what does was written by another clock.
                OR greatest(call_budgets.live_from, CASE WHEN priority > 1 THEN call_budgets.backfill_from END)
                    BETWEEN clock_timestamp() AND clock_timestamp() + interval '2 hours')
    );
END
$$;
