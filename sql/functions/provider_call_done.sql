-- A call has ended. minute_left and new_day_left are what the answer said; null:
-- nothing. If this is lost, the call counts as under way for a minute. Calls of
-- others are guessed at from minute_left: where the guess is too low, the provider's
-- 429 says exactly how long to wait, while one that is too high would waste calls.
CREATE OR REPLACE FUNCTION provider_call_done(call bigint, minute_left integer, new_day_left integer)
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    binding uuid;
    ours integer;
BEGIN
    UPDATE provider_calls SET ended = true WHERE id = call RETURNING binding_id INTO binding;
    IF minute_left IS NULL AND new_day_left IS NULL OR binding IS NULL THEN
        RETURN;
    END IF;
    UPDATE call_budgets
    SET others = greatest(0, per_minute - minute_left - (SELECT count(*) FROM provider_calls WHERE binding_id = binding AND begun)),
        others_at = clock_timestamp()
    WHERE binding_id = binding AND minute_left IS NOT NULL;
    -- A new day has begun where more is left than was, what was asked for and not
    -- made aside: nobody waits for the old one.
    SELECT count(*) INTO ours FROM provider_calls WHERE binding_id = binding;
    UPDATE call_budgets
    SET day_left = new_day_left - (SELECT count(*) FROM provider_calls WHERE binding_id = binding AND begun AND NOT ended),
        day_left_at = clock_timestamp(), day_limit = greatest(day_limit, new_day_left),
        live_from = CASE WHEN new_day_left > day_left + ours THEN NULL ELSE live_from END,
        backfill_from = CASE WHEN new_day_left > day_left + ours THEN NULL ELSE backfill_from END
    WHERE binding_id = binding AND new_day_left IS NOT NULL;
END
$$;
