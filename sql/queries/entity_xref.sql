-- name: EntityXrefGet :one
SELECT *
FROM entity_xref
WHERE tenant_id = @tenant_id
    AND provider = @provider
    AND org_id = @org_id
    AND entity_type = @entity_type
    AND shop_id = @shop_id;

-- The first one written stays: what exists at the provider does not move.
-- name: EntityXrefInsert :exec
INSERT INTO entity_xref (tenant_id, provider, org_id, entity_type, shop_id, provider_id,
    provider_reference, provider_url, run_id)
VALUES (@tenant_id, @provider, @org_id, @entity_type, @shop_id, @provider_id,
    sqlc.narg('provider_reference'), sqlc.narg('provider_url'), @run_id)
ON CONFLICT (tenant_id, provider, org_id, entity_type, shop_id) DO NOTHING;

-- Forgets what another run remembered; what this run has just made sure of stays.
-- name: EntityXrefForget :execrows
DELETE FROM entity_xref
WHERE tenant_id = @tenant_id
    AND provider = @provider
    AND org_id = @org_id
    AND entity_type = @entity_type
    AND shop_id = @shop_id
    AND run_id <> @run_id;
