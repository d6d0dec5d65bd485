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

-- name: TenantSetConnection :execrows
UPDATE tenants
SET connection_status = @connection_status
WHERE id = @id
    AND connection_status <> @connection_status;

-- Old key out, new key in.
-- name: TenantSetKey :execrows
UPDATE tenants
SET api_key_sealed = @api_key_sealed, connection_status = 'active'
WHERE id = @id;

-- Changes what is given.
-- name: TenantChange :one
UPDATE tenants
SET name = coalesce(sqlc.narg('name'), name), magento_url = coalesce(sqlc.narg('magento_url'), magento_url)
WHERE id = @id
RETURNING *;
