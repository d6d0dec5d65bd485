-- Shops with when their last event came, by name, or one of them; no sealed column.
-- name: ShopList :many
SELECT tenant.id, tenant.name, tenant.magento_url, tenant.connection_status, tenant.created_at,
    (tenant.offered_key_sealed IS NOT NULL)::boolean AS key_offered, tenant.previous_key_until,
    newest.received_at AS last_event_at,
    silent.opened_at AS silent_since, silent.probe_at
FROM tenants AS tenant
LEFT JOIN sync_runs AS newest ON newest.id = (
    SELECT run.id
    FROM sync_runs AS run
    WHERE run.tenant_id = tenant.id
    ORDER BY run.received_at DESC
    LIMIT 1
)
LEFT JOIN circuits AS silent ON silent.key = tenant.id::text AND silent.opened_at IS NOT NULL
WHERE (sqlc.narg('id')::uuid IS NULL OR tenant.id = sqlc.narg('id'))
ORDER BY lower(tenant.name), tenant.created_at, tenant.id
LIMIT @max_rows;

-- The ways to pay, stores and websites that the newest invoices of a shop came with, out
-- of their canonical forms, with how many of them did.
-- name: ShopSeen :many
WITH newest AS MATERIALIZED (
    SELECT run.canonical::text AS form
    FROM sync_runs AS run
    WHERE run.tenant_id = @tenant_id
        AND run.entity_type = 'invoice'
        AND run.event = 'invoice.created'
        AND run.canonical IS NOT NULL
    ORDER BY run.received_at DESC
    LIMIT @max_runs
), seen AS (
    SELECT 'payment_method' AS what, substring(form FROM '"payment_method"\s*:\s*"([^"\\]+)"') AS value
    FROM newest
    UNION ALL
    SELECT 'store', substring(form FROM '"store_id"\s*:\s*"?([0-9]{1,9})')
    FROM newest
    UNION ALL
    SELECT 'website', substring(form FROM '"website_id"\s*:\s*"?([0-9]{1,9})')
    FROM newest
)
SELECT seen.what::text AS what, seen.value::text AS value, count(*) AS invoices
FROM seen
WHERE seen.value IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 3 DESC, 2
LIMIT 300;
