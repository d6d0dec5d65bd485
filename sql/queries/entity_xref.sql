-- What a binding's shop knows of these in the organisation that it writes to. OFFSET 0
-- keeps each look-up one in an index, whatever the statistics.
-- name: EntityXrefList :many
SELECT x.*
FROM bindings AS binding
CROSS JOIN (SELECT unnest(@entity_types::text[])::text AS entity_type, unnest(@shop_ids::text[])::text AS shop_id) AS asked
CROSS JOIN LATERAL (
    SELECT entity_xref.*
    FROM entity_xref
    WHERE entity_xref.tenant_id = binding.tenant_id
        AND entity_xref.provider = binding.provider
        AND entity_xref.org_key = binding.org_key
        AND entity_xref.entity_type = asked.entity_type
        AND entity_xref.shop_id = asked.shop_id
        AND NOT entity_xref.disputed
    OFFSET 0
) AS x
WHERE binding.id = @binding_id;

-- The first one written stays: what exists at the provider does not move. A stale
-- or disputed one gives way.
-- name: EntityXrefInsert :exec
INSERT INTO entity_xref (tenant_id, provider, org_key, entity_type, shop_id, provider_id,
    provider_reference, provider_url, run_id, merged, body_hash, written_at)
SELECT run.tenant_id, binding.provider, binding.org_key, @entity_type, @shop_id, @provider_id,
    sqlc.narg('provider_reference'), sqlc.narg('provider_url'), run.id, @merged, sqlc.narg('body_hash'),
    CASE WHEN sqlc.narg('body_hash')::text IS NOT NULL THEN clock_timestamp() END
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = @run_id
ON CONFLICT (tenant_id, provider, org_key, entity_type, shop_id) DO UPDATE
SET provider_id = excluded.provider_id, provider_reference = excluded.provider_reference, provider_url = excluded.provider_url,
    run_id = excluded.run_id, stale = false, merged = excluded.merged, disputed = false, created_at = excluded.created_at,
    body_hash = excluded.body_hash, written_at = excluded.written_at
WHERE entity_xref.stale OR entity_xref.disputed;

-- What a contact or an item was last written as.
-- name: EntityXrefWritten :exec
UPDATE entity_xref AS x
SET body_hash = @body_hash, written_at = clock_timestamp()
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = @run_id
    AND x.tenant_id = run.tenant_id
    AND x.provider = binding.provider
    AND x.org_key = binding.org_key
    AND x.entity_type = @entity_type
    AND x.shop_id = @shop_id;

-- What another run remembered is asked anew, under this key or as this id (empty: only
-- by the key); what this run has just made sure of stays.
-- name: EntityXrefForget :execrows
UPDATE entity_xref AS x
SET stale = true
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = @run_id
    AND x.tenant_id = run.tenant_id
    AND x.provider = binding.provider
    AND x.org_key = binding.org_key
    AND x.entity_type = @entity_type
    AND (x.shop_id = @shop_id OR x.provider_id = @provider_id)
    AND x.run_id <> run.id
    AND NOT x.stale;

-- Which of these codes are on the price list of an organisation, as far as this shop has
-- put them there, and since when.
-- name: EntityXrefItems :many
SELECT provider_reference::text AS code, created_at
FROM entity_xref
WHERE tenant_id = @tenant_id
    AND provider = @provider
    AND org_key = @org_key
    AND entity_type = 'item'
    AND provider_reference = ANY (@codes::text[])
    AND NOT stale;

-- The organisation has these items no more: they are written anew.
-- name: EntityXrefItemsGone :exec
UPDATE entity_xref AS x
SET stale = true
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = @run_id
    AND x.tenant_id = run.tenant_id
    AND x.provider = binding.provider
    AND x.org_key = binding.org_key
    AND x.entity_type = 'item'
    AND x.provider_reference = ANY (@codes::text[]);

-- Whose the document may be that a run found under its number: that of another
-- invoice of any shop of the organisation. source_run is the run that the
-- document itself names, where it names another one.
--
--   - It names a run that is known: it is that run's invoice's.
--   - It names one that is not known, as after a restore: it may be any shop's of
--     the organisation.
--   - It names none: it may be that of whoever has tried to write the number and
--     was not told that nothing came of it; of two who may both have written it,
--     the first is taken for its writer. Who had never tried has not written it.
-- name: EntityXrefWhose :many
WITH mine AS (
    SELECT run.id, run.tenant_id, run.entity_type, run.magento_entity_id, run.binding_id, binding.provider, binding.org_key,
        coalesce(intent.maybe, false) AS maybe, intent.made_at
    FROM sync_runs AS run
    JOIN bindings AS binding ON binding.id = run.binding_id
    LEFT JOIN provider_intents AS intent ON intent.run_id = run.id
        AND intent.operation = @operation
        AND intent.object_key = @number
    WHERE run.id = @run_id
)
SELECT tenant.name AS tenant, ('run ' || other.id)::text AS what, false AS maybe
FROM mine
JOIN sync_runs AS other ON other.id = sqlc.narg('source_run')::uuid
    AND (other.tenant_id, other.entity_type, other.magento_entity_id) <> (mine.tenant_id, mine.entity_type, mine.magento_entity_id)
JOIN tenants AS tenant ON tenant.id = other.tenant_id
UNION ALL
SELECT tenant.name, ('binding ' || binding.id)::text, false
FROM mine
JOIN bindings AS binding ON binding.provider = mine.provider
    AND binding.org_key = mine.org_key
    AND binding.tenant_id <> mine.tenant_id
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
WHERE sqlc.narg('source_run')::uuid IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM sync_runs AS known WHERE known.id = sqlc.narg('source_run')::uuid)
UNION ALL
SELECT tenant.name, ('run ' || other.id)::text, mine.maybe
FROM mine
JOIN bindings AS binding ON binding.provider = mine.provider
    AND binding.org_key = mine.org_key
JOIN provider_intents AS intent ON intent.binding_id = binding.id
    AND intent.operation = @operation
    AND intent.object_key = @number
    AND NOT intent.certain
    AND intent.run_id <> mine.id
    AND (NOT mine.maybe OR intent.made_at < mine.made_at)
JOIN sync_runs AS other ON other.id = intent.run_id
    AND other.status <> 'succeeded' -- its document has its own xref
    AND (other.tenant_id, other.entity_type, other.magento_entity_id) <> (mine.tenant_id, mine.entity_type, mine.magento_entity_id)
JOIN tenants AS tenant ON tenant.id = other.tenant_id
WHERE sqlc.narg('source_run')::uuid IS NULL
LIMIT 1;

-- The shop that a document of a run's organisation is known of.
-- name: EntityXrefOwner :many
SELECT tenant.name AS tenant, x.run_id
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
JOIN entity_xref AS x ON x.provider = binding.provider
    AND x.org_key = binding.org_key
    AND x.entity_type = @entity_type
    AND x.provider_id = @provider_id
    AND NOT x.disputed
JOIN tenants AS tenant ON tenant.id = x.tenant_id
WHERE run.id = @run_id
    AND x.run_id <> run.id;
