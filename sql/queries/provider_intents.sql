-- Records the intent, or takes up the run's own earlier one. No row where
-- another run is at the same object, or has meanwhile made the same invoice known.
-- A settled intent is opened again with its tries kept: what it wrote may still be
-- there. Others are all shops of the organisation, since a number is the
-- organisation's; a contact's key is the shop's own. forgotten: this database went back
-- in time, and a run that is not there any more may have written it: a document of what
-- happened before that was noticed (by the shop's clock, which is an hour off at most), or
-- a contact or an item at any time.
-- name: ProviderIntentTake :batchone
WITH mine AS (
    SELECT run.tenant_id, run.magento_entity_id, run.occurred_at, run.backfill, binding.provider, binding.org_key
    FROM sync_runs AS run
    JOIN bindings AS binding ON binding.id = run.binding_id
    WHERE run.id = @run_id
)
INSERT INTO provider_intents AS intent (run_id, operation, object_key, binding_id, body_hash)
SELECT @run_id, @operation, @object_key, @binding_id, @body_hash
WHERE NOT EXISTS (
        SELECT 1
        FROM provider_intents
        WHERE binding_id = @binding_id
            AND operation = @operation
            AND object_key = @object_key
            AND settled_at IS NULL
            AND run_id <> @run_id
    ) AND NOT EXISTS (
        SELECT 1
        FROM mine
        JOIN entity_xref AS x ON x.tenant_id = mine.tenant_id
            AND x.provider = mine.provider
            AND x.org_key = mine.org_key
            AND x.entity_type = @operation -- not the constant: an index of documents alone would be read through
            AND x.shop_id = mine.magento_entity_id::text
            AND NOT x.disputed
        WHERE @operation = 'invoice'
    )
ON CONFLICT (run_id, operation, object_key) DO UPDATE
SET tries = intent.tries + 1,
    body_hash = excluded.body_hash,
    maybe = NOT intent.certain,
    certain = false,
    settled_at = NULL
RETURNING tries, generation, maybe, EXISTS (
    SELECT 1
    FROM mine
    JOIN bindings AS binding ON binding.provider = mine.provider
        AND binding.org_key = mine.org_key
        AND (binding.tenant_id = mine.tenant_id OR @operation = 'invoice')
    JOIN provider_intents AS other ON other.binding_id = binding.id
        AND other.operation = @operation
        AND other.object_key = @object_key
        AND other.run_id <> @run_id
) AS tried_by_others, EXISTS (
    SELECT 1
    FROM mine
    JOIN bindings AS binding ON binding.provider = mine.provider
        AND binding.org_key = mine.org_key
        AND binding.tenant_id <> mine.tenant_id
) AS shared, EXISTS (
    SELECT 1
    FROM mine
    JOIN restores ON restores.back_to IS NOT NULL
        AND (mine.occurred_at < restores.at + interval '1 hour' OR mine.backfill OR @operation IN ('contact', 'item'))
) AS forgotten;

-- A try failed. Unless it may be under way, others may be at the object meanwhile: they
-- look first, since this run has tried. Certain is that nothing was written by any try.
-- What its run's end has settled meanwhile stays settled, or all others would wait for a
-- run that has ended; and a try that another has followed has no say any more.
-- name: ProviderIntentFailed :exec
UPDATE provider_intents
SET generation = generation + CASE WHEN @key_spent::boolean THEN 1 ELSE 0 END,
    certain = @certain::boolean,
    settled_at = coalesce(settled_at, CASE WHEN @settled::boolean THEN clock_timestamp() END)
WHERE run_id = @run_id
    AND operation = @operation
    AND object_key = @object_key
    AND tries = @tries;

-- name: ProviderIntentSettle :exec
UPDATE provider_intents
SET settled_at = clock_timestamp()
WHERE run_id = @run_id
    AND operation = @operation
    AND object_key = @object_key
    AND settled_at IS NULL;

-- A run that ended holds nothing.
-- name: ProviderIntentSettleRun :exec
UPDATE provider_intents
SET settled_at = clock_timestamp()
WHERE run_id = @run_id
    AND settled_at IS NULL;

-- The same for a set.
-- name: ProviderIntentSettleRuns :exec
UPDATE provider_intents
SET settled_at = clock_timestamp()
WHERE run_id = ANY (@run_ids::uuid[])
    AND settled_at IS NULL;

-- The keys under which what these runs write may exist already.
-- name: ProviderIntentKeys :many
SELECT asked.run_id, may.object_key
FROM (SELECT unnest(@run_ids::uuid[])::uuid AS run_id) AS asked
CROSS JOIN LATERAL (
    SELECT intent.object_key
    FROM provider_intents AS intent
    WHERE intent.run_id = asked.run_id
        AND intent.operation = @operation
        AND NOT intent.certain
    ORDER BY intent.made_at
    LIMIT 1
) AS may;
