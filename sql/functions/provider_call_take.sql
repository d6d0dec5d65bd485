-- Leave for so many calls (two will do), or how long to wait for it: a piece of work
-- asks for all that it may need before it begins, so that it does not break off
-- half-way, and gives back what it did not need. Any 61 seconds hold at most minute_limit calls,
-- so that a fixed window of the provider's does too, wherever it begins. Backfill
-- leaves a fifth of the minute, one call at once and a tenth of the day to what
-- happens now. Work that carries less than it could begins at once while only
-- free_part of the minute is used; after that it keeps a distance, so that the next
-- carries more and nothing waits for a whole minute. A call that has not ended after
-- those 61 seconds is one whose process died: calls are cut off earlier. If the
-- process dies right after this, the calls count as made. What the provider says of
-- the day is believed for an hour; then one call finds out whether a new day has
-- begun.
CREATE OR REPLACE FUNCTION provider_call_take(binding uuid, is_backfill boolean, free_part double precision, calls integer,
    minute_limit integer, once_limit integer, moment timestamptz DEFAULT NULL, OUT call_ids bigint[], OUT wait interval)
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    budget call_budgets;
    win constant interval := interval '61 seconds';
    belief constant interval := interval '1 hour';
    used integer;
    under_way integer;
    last_counted timestamptz;
    room integer;
    free integer;
    least_calls integer;
    slot timestamptz;
BEGIN
    INSERT INTO call_budgets (binding_id, per_minute, at_once)
    VALUES (binding, minute_limit, once_limit)
    ON CONFLICT (binding_id) DO UPDATE SET per_minute = excluded.per_minute, at_once = excluded.at_once
    RETURNING * INTO budget;
    moment := coalesce(moment, clock_timestamp());

    -- What lies ahead was written by a clock that was set back since.
    DELETE FROM provider_calls
    WHERE binding_id = binding AND (counted_at <= moment - win OR counted_at > moment + interval '5 seconds');
    SELECT count(*), count(*) FILTER (WHERE begun AND NOT ended), max(counted_at) INTO used, under_way, last_counted
    FROM provider_calls
    WHERE binding_id = binding;
    room := greatest(1, minute_limit
        - CASE WHEN is_backfill THEN ceil(minute_limit / 5.0)::integer ELSE 0 END
        - CASE WHEN budget.others_at BETWEEN moment - win AND moment THEN budget.others ELSE 0 END);
    calls := least(calls, room);
    least_calls := least(calls, 2);
    free := floor(room * free_part);

    IF budget.day_left_at > moment - belief AND budget.day_left_at <= moment
        AND budget.day_left <= (CASE WHEN is_backfill THEN budget.day_limit / 10 ELSE 0 END) THEN
        slot := budget.day_left_at + belief;
    ELSIF used + least_calls > room THEN
        SELECT counted_at + win INTO slot
        FROM provider_calls
        WHERE binding_id = binding
        ORDER BY counted_at
        OFFSET used + least_calls - room - 1
        LIMIT 1;
    ELSIF used >= free AND last_counted + win / (room - free) > moment THEN
        slot := last_counted + win / (room - free);
    ELSIF under_way >= greatest(1, once_limit - (CASE WHEN is_backfill THEN 1 ELSE 0 END)) THEN
        wait := interval '500 milliseconds';
        UPDATE call_budgets
        SET live_from = CASE WHEN is_backfill THEN live_from ELSE greatest(live_from, moment + wait) END,
            backfill_from = greatest(backfill_from, moment + wait)
        WHERE binding_id = binding;
        RETURN;
    ELSE
        WITH taken AS (
            INSERT INTO provider_calls (binding_id, counted_at)
            SELECT binding, moment FROM generate_series(1, least(calls, room - used))
            RETURNING id
        )
        SELECT array_agg(id) INTO call_ids FROM taken;
        -- The one that looks whether a new day has begun: the others wait for its answer.
        UPDATE call_budgets
        SET day_left = greatest(day_left, 0) - cardinality(call_ids),
            day_left_at = CASE WHEN day_left_at > moment - belief AND day_left_at <= moment THEN day_left_at ELSE moment END
        WHERE binding_id = binding AND day_left IS NOT NULL;
        RETURN;
    END IF;

    -- Each gets a slot of its own, and nothing is admitted before the first.
    slot := greatest(slot, moment + interval '100 milliseconds');
    IF is_backfill THEN
        UPDATE call_budgets
        SET backfill_from = slot, backfill_slot = greatest(slot,
                CASE WHEN backfill_slot < slot + win THEN backfill_slot + win / room END)
        WHERE binding_id = binding
        RETURNING backfill_slot - moment INTO wait;
    ELSE
        UPDATE call_budgets
        SET live_from = slot, live_slot = greatest(slot,
                CASE WHEN live_slot < slot + win THEN live_slot + win / room END)
        WHERE binding_id = binding
        RETURNING live_slot - moment INTO wait;
    END IF;
END
$$;
