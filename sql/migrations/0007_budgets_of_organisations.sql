-- Calls are counted by organisation, over all of its bindings, and the rules are
-- pkg/quota's: a budget is one row, with its state as JSON.
LOCK TABLE bindings, call_budgets, provider_calls IN ACCESS EXCLUSIVE MODE;
-- What was counted so far goes along; what was only asked for counts as made.
-- FreeAgent's are counted by the clock's minute and hour from here on.
CREATE TEMPORARY TABLE carried ON COMMIT DROP AS
WITH keys AS (
    SELECT id, wire, CASE WHEN org_key LIKE '%#' THEN id::text ELSE provider || '/' || org_key END AS key
    FROM bindings
), calls AS (
    SELECT binding.key, counted.in_window, counted.at, count(*) AS n
    FROM provider_calls AS call
    JOIN keys AS binding ON binding.id = call.binding_id
    CROSS JOIN LATERAL (
        SELECT 'minute' AS in_window,
            CASE WHEN binding.wire = 'v2' THEN date_trunc('minute', call.counted_at, 'UTC') ELSE call.counted_at END AS at
        UNION ALL
        SELECT 'hour', date_trunc('hour', call.counted_at, 'UTC')
        WHERE binding.wire = 'v2'
    ) AS counted
    GROUP BY 1, 2, 3
), lists AS (
    SELECT key, in_window, json_agg(json_build_array((extract(epoch FROM at) * 1e6)::bigint, n) ORDER BY at) AS list
    FROM calls
    GROUP BY 1, 2
), windows AS (
    SELECT key, json_object_agg(in_window, list) AS calls
    FROM lists
    GROUP BY 1
), budgets AS (
    SELECT binding.key,
        max(budget.live_from) AS live_from, max(budget.live_slot) AS live_slot,
        max(budget.backfill_from) AS backfill_from, max(budget.backfill_slot) AS backfill_slot,
        max(budget.others) AS others, max(budget.others_at) AS others_at,
        min(budget.day_left) AS day_left, max(budget.day_limit) AS day_limit, max(budget.day_left_at) AS day_left_at
    FROM call_budgets AS budget
    JOIN keys AS binding ON binding.id = budget.binding_id
    GROUP BY 1
)
SELECT budgets.key, budgets.live_from, budgets.backfill_from, json_strip_nulls(json_build_object(
    'calls', windows.calls,
    'others', CASE WHEN others_at IS NOT NULL
        THEN json_build_object('n', others, 'at', (extract(epoch FROM others_at) * 1e6)::bigint) END,
    'day', CASE WHEN day_left_at IS NOT NULL
        THEN json_build_object('left', day_left, 'limit', day_limit, 'at', (extract(epoch FROM day_left_at) * 1e6)::bigint) END,
    'live', json_build_object('from', (extract(epoch FROM live_from) * 1e6)::bigint, 'last', (extract(epoch FROM live_slot) * 1e6)::bigint),
    'backfill', json_build_object('from', (extract(epoch FROM backfill_from) * 1e6)::bigint,
        'last', (extract(epoch FROM backfill_slot) * 1e6)::bigint)
)) AS state
FROM budgets
LEFT JOIN windows USING (key);

DROP FUNCTION provider_call_take;
DROP FUNCTION provider_call_begin;
DROP FUNCTION provider_call_return;
DROP FUNCTION provider_call_done;
DROP TABLE provider_calls;
DROP TABLE call_budgets;

CREATE TABLE call_budgets (
    key text PRIMARY KEY,
    live_from timestamptz,
    backfill_from timestamptz,
    clients text[] NOT NULL DEFAULT '{}',
    state json NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
INSERT INTO call_budgets (key, live_from, backfill_from, state)
SELECT key, live_from, backfill_from, state
FROM carried;
