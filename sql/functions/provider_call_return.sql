-- Calls that were asked for were not made after all.
CREATE OR REPLACE FUNCTION provider_call_return(calls bigint[]) RETURNS void LANGUAGE sql SET search_path = public AS $$
    WITH unmade AS (
        DELETE FROM provider_calls WHERE id = ANY (calls) AND NOT begun RETURNING binding_id
    )
    -- Who waits for a slot may have one now.
    UPDATE call_budgets
    SET day_left = day_left + (SELECT count(*) FROM unmade),
        live_from = NULL, live_slot = NULL, backfill_from = NULL, backfill_slot = NULL
    WHERE binding_id IN (SELECT binding_id FROM unmade)
$$;
