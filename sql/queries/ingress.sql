-- Whose keys verify a token, and which bindings may take its event, for a set of
-- tenants: one row a live binding, or one with nulls; no row for an unknown tenant.
-- name: IngressCaller :many
SELECT tenant.id AS tenant_id, tenant.api_key_sealed, tenant.offered_key_sealed, tenant.previous_key_sealed,
    coalesce(tenant.previous_key_until > now(), false)::boolean AS previous_key_good, tenant.connection_status, binding.id AS binding_id, binding.provider, binding.policy_version
FROM tenants AS tenant
LEFT JOIN bindings AS binding ON binding.tenant_id = tenant.id AND binding.status <> 'revoked'
WHERE tenant.id = ANY (@tenant_ids::uuid[])
ORDER BY binding.created_at, binding.id;

-- The shop's own key has signed a token: it is paired, and the key before it has
-- had its time.
-- name: IngressKeySeen :exec
UPDATE tenants
SET connection_status = CASE connection_status WHEN 'pending' THEN 'active' ELSE connection_status END,
    previous_key_until = CASE WHEN previous_key_until > now() THEN now() ELSE previous_key_until END
WHERE id = @tenant_id
    AND api_key_sealed = @api_key_sealed;

-- An offered key has signed a token, so the shop took it: it is the key now, and
-- the one before it has had its time.
-- name: IngressTakeOffered :exec
UPDATE tenants
SET api_key_sealed = offered_key_sealed, offered_key_sealed = NULL, connection_status = 'active',
    previous_key_sealed = api_key_sealed, previous_key_until = now()
WHERE id = @tenant_id
    AND offered_key_sealed = @offered_key_sealed::bytea;

-- The last run of one entity, at any of the tenant's bindings or at one provider's.
-- name: IngressEntityStatus :one
SELECT run.id, binding.provider, run.event, run.status, run.provider_entity_id, run.provider_reference, run.provider_url,
    run.hold_reason, run.skip_reason, run.error_code, run.error_message, run.finished_at
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE binding.tenant_id = @tenant_id
    AND run.entity_type = @entity_type
    AND run.magento_entity_id = @magento_entity_id
    AND (sqlc.narg('provider')::text IS NULL OR binding.provider = sqlc.narg('provider'))
ORDER BY run.received_at DESC, run.id DESC
LIMIT 1;

-- The binding that the shop's tile shows: a live one before a revoked one, then
-- the newest.
-- name: IngressTileBinding :one
SELECT status
FROM bindings
WHERE tenant_id = @tenant_id
    AND (sqlc.narg('provider')::text IS NULL OR provider = sqlc.narg('provider'))
ORDER BY status = 'revoked', created_at DESC, id
LIMIT 1;

-- What the shop's tile counts. Two subqueries: one with an OR would read every run.
-- name: IngressTileCounts :one
SELECT (
        SELECT count(*)
        FROM bindings AS binding
        JOIN sync_runs AS run ON run.binding_id = binding.id AND run.finished_at IS NULL
        WHERE binding.tenant_id = @tenant_id
            AND (sqlc.narg('provider')::text IS NULL OR binding.provider = sqlc.narg('provider'))
    ) AS pending,
    (
        SELECT count(*)
        FROM bindings AS binding
        JOIN sync_runs AS run ON run.binding_id = binding.id AND run.status = 'failed' AND run.error_code IS NOT NULL
        WHERE binding.tenant_id = @tenant_id
            AND (sqlc.narg('provider')::text IS NULL OR binding.provider = sqlc.narg('provider'))
            AND run.finished_at >= @since::timestamptz
    ) AS failed;

-- When the shop's last event came in.
-- name: IngressLastRunAt :one
SELECT run.received_at
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.tenant_id = @tenant_id
    AND (sqlc.narg('provider')::text IS NULL OR binding.provider = sqlc.narg('provider'))
ORDER BY run.received_at DESC
LIMIT 1;

-- What the request of a spent token was answered; null before it was. Locked, so
-- that of two at once the second sees the first's.
-- name: IngressAnswered :one
SELECT answer
FROM spent_jtis
WHERE tenant_id = @tenant_id
    AND jti = @jti
FOR UPDATE;

-- name: IngressKeepAnswer :exec
UPDATE spent_jtis
SET answer = @answer
WHERE tenant_id = @tenant_id
    AND jti = @jti;

-- Disconnects a shop from one provider, or from all.
-- name: IngressRevoke :many
UPDATE bindings
SET status = 'revoked', revoked_at = now(), token_sealed = NULL
WHERE tenant_id = @tenant_id
    AND status <> 'revoked'
    AND (sqlc.narg('provider')::text IS NULL OR provider = sqlc.narg('provider'))
RETURNING id, provider;
