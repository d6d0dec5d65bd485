-- name: TenantInsert :exec
INSERT INTO tenants (id, name, magento_url, api_key_sealed, connection_status)
VALUES (@id, @name, @magento_url, @api_key_sealed, @connection_status);

-- name: TenantGet :one
SELECT *
FROM tenants
WHERE id = @id;

-- name: TenantList :many
SELECT *
FROM tenants
ORDER BY created_at, id;

-- The tenants of a name, in whatever case, oldest first.
-- name: TenantByName :many
SELECT *
FROM tenants
WHERE lower(trim(name)) = lower(trim(@name::text))
ORDER BY created_at, id;

-- name: TenantSetConnection :execrows
UPDATE tenants
SET connection_status = @connection_status
WHERE id = @id
    AND connection_status <> @connection_status;

-- Serialises what is decided about a tenant's keys.
-- name: TenantLock :one
SELECT *
FROM tenants
WHERE id = @id
FOR UPDATE;

-- A key is stored before a pairing hands it to the shop.
-- name: TenantOfferKey :exec
UPDATE tenants
SET offered_key_sealed = @offered_key_sealed
WHERE id = @id;

-- Old key out, new key in: tokens of the old one are good for a while yet, where it
-- can be opened.
-- name: TenantSetKey :execrows
UPDATE tenants
SET api_key_sealed = @api_key_sealed, offered_key_sealed = NULL, connection_status = 'active',
    previous_key_sealed = CASE WHEN @keep_previous::boolean THEN api_key_sealed END,
    previous_key_until = CASE WHEN @keep_previous THEN now() + make_interval(secs => @grace_seconds::float8) END
WHERE id = @id;

-- A tenant that was stored for a pairing that certainly did not take place.
-- name: TenantDeleteUnpaired :execrows
DELETE FROM tenants
WHERE tenants.id = @id
    AND connection_status = 'pending'
    AND NOT EXISTS (SELECT FROM bindings WHERE tenant_id = tenants.id)
    AND NOT EXISTS (SELECT FROM spent_jtis WHERE tenant_id = tenants.id);

-- Changes what is given.
-- name: TenantChange :one
UPDATE tenants
SET name = coalesce(sqlc.narg('name'), name), magento_url = coalesce(sqlc.narg('magento_url'), magento_url)
WHERE id = @id
RETURNING *;

-- The runs of a tenant: whoever holds TenantLock finds no new one before he lets go,
-- since a run's row refers to the tenant's.
-- name: TenantRuns :one
SELECT count(*)
FROM sync_runs
WHERE tenant_id = @id;

-- A tenant without runs, with its bindings and what belongs to them. In one statement, so
-- that what refers to what does not matter.
-- name: TenantDelete :exec
WITH theirs AS (
    SELECT id
    FROM bindings
    WHERE tenant_id = @id
), states AS (
    DELETE FROM oauth_states WHERE binding_id IN (SELECT id FROM theirs)
), grants AS (
    DELETE FROM oauth_grants WHERE binding_id IN (SELECT id FROM theirs)
), settings AS (
    DELETE FROM policies WHERE binding_id IN (SELECT id FROM theirs)
), tokens AS (
    DELETE FROM spent_jtis WHERE spent_jtis.tenant_id = @id
), accounts AS (
    DELETE FROM bindings WHERE id IN (SELECT id FROM theirs)
)
DELETE FROM tenants
WHERE tenants.id = @id;
