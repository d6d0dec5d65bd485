-- What each live binding may call and what waits for it. Bindings of one
-- organisation have one budget; null: it was not asked yet.
-- name: CallBudgetList :many
SELECT binding.id AS binding_id, binding.status, binding.provider, binding.wire, call_budget_key(binding)::text AS budget_key, binding.paused_until,
    budget.state AS budget, clock_timestamp()::timestamptz AS now,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.finished_at IS NULL AND run.status = 'queued' AND run.stage = 'fetch')::bigint AS to_fetch,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.finished_at IS NULL AND run.status = 'queued' AND run.stage = 'post')::bigint AS to_post,
    (SELECT count(*) FROM sync_runs AS run
        WHERE run.binding_id = binding.id AND run.finished_at IS NULL AND run.hold_reason IS NOT NULL)::bigint AS held
FROM bindings AS binding
LEFT JOIN call_budgets AS budget ON budget.key = call_budget_key(binding)
WHERE binding.status <> 'revoked'
ORDER BY binding.created_at, binding.id;
