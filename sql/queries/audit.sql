-- A binding's or a run's tenant stands beside it, found here.
-- name: AuditInsert :exec
INSERT INTO audit (who, action, tenant_id, binding_id, run_id, before, after)
VALUES (@who, @action,
    coalesce(sqlc.narg('tenant_id')::uuid, (
        SELECT run.tenant_id
        FROM sync_runs AS run
        WHERE run.id = sqlc.narg('run_id')
    ), (
        SELECT binding.tenant_id
        FROM bindings AS binding
        WHERE binding.id = sqlc.narg('binding_id')
    )),
    sqlc.narg('binding_id'), sqlc.narg('run_id'), sqlc.narg('before'), sqlc.narg('after'));

-- The changes, the newest first, before the row of before_id.
-- name: AuditList :many
SELECT audit.*, coalesce(tenant.name, '')::text AS tenant
FROM audit
LEFT JOIN tenants AS tenant ON tenant.id = audit.tenant_id
WHERE audit.id < @before_id
    AND (sqlc.narg('who')::text IS NULL OR lower(audit.who) = lower(sqlc.narg('who')))
    AND (sqlc.narg('action')::text IS NULL OR audit.action = sqlc.narg('action'))
    AND (sqlc.narg('tenant_id')::uuid IS NULL OR audit.tenant_id = sqlc.narg('tenant_id'))
    AND (sqlc.narg('since')::timestamptz IS NULL OR audit.at >= sqlc.narg('since'))
    AND (sqlc.narg('until')::timestamptz IS NULL OR audit.at < sqlc.narg('until'))
ORDER BY audit.id DESC
LIMIT @max_rows;
