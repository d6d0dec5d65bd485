-- Leave for so many calls: call_ids is empty where there is none, and seconds how
-- long to wait.
-- name: CallBudgetTake :one
SELECT coalesce(call_ids, '{}')::bigint[] AS call_ids, coalesce(extract(epoch FROM wait), 0)::float8 AS seconds
FROM provider_call_take(@binding_id::uuid, @is_backfill::boolean, @free_part::float8, @calls::int, @per_minute::int, @at_once::int);

-- 1: it begins; 0: too many are under way; -1: it must be asked for anew.
-- name: CallBudgetBegin :one
SELECT coalesce(provider_call_begin(@call_id::bigint, @at_once::int, @client_id::text)::int, -1)::int AS begun;

-- name: CallBudgetDone :exec
SELECT provider_call_done(@call_id::bigint, sqlc.narg('minute_left')::int, sqlc.narg('day_left')::int);

-- name: CallBudgetReturn :exec
SELECT provider_call_return(@call_ids::bigint[]);

-- What each live binding has left and what waits for it. Bindings that have not
-- called yet have no budget of their own.
-- name: CallBudgetList :many
SELECT binding.id AS binding_id, binding.status, binding.provider, binding.wire, coalesce(budget.per_minute, 0)::int AS per_minute, coalesce(budget.at_once, 0)::int AS at_once,
    (SELECT count(*) FROM provider_calls AS call
        WHERE call.binding_id = binding.id AND call.counted_at > clock_timestamp() - interval '61 seconds')::int AS used,
    (SELECT count(*) FROM provider_calls AS call
        WHERE call.binding_id = binding.id AND call.begun AND NOT call.ended AND call.counted_at > clock_timestamp() - interval '61 seconds')::int AS under_way,
    budget.day_left, budget.day_limit, budget.day_left_at,
    binding.paused_until, budget.live_from, budget.backfill_from,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.status = 'queued' AND run.stage = 'fetch')::bigint AS to_fetch,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.status = 'queued' AND run.stage = 'post')::bigint AS to_post,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.finished_at IS NULL AND run.status = 'held')::bigint AS held
FROM bindings AS binding
LEFT JOIN call_budgets AS budget ON budget.binding_id = binding.id
WHERE binding.status <> 'revoked'
ORDER BY binding.created_at, binding.id;
