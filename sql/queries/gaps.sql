-- The numbers of invoices and credit memos before which one is missing. A number is that of
-- the search; of a run that has none there it is taken out of the event's body, else out of
-- the canonical form, as text: JSON may hold what Postgres cannot. A series
-- is what a store numbers one after another: one kind, what stands before and after the
-- digits, and no jump of more than @jump, which is a new series. Where ten numbers or
-- more are never closer than a step, the shop counts by it. A run's own store is 0
-- where it was asked for by hand: an invoice's form has it too.
-- name: GapList :many
WITH seen AS MATERIALIZED (
    SELECT run.tenant_id, run.binding_id, run.event, run.magento_entity_id, run.received_at,
        coalesce(nullif(run.store_id, 0), substring(run.canonical::text FROM '"store_id"\s*:\s*"?([0-9]{1,9})')::bigint,
            CASE WHEN run.blanked_at IS NOT NULL THEN substring(run.body::text FROM '"store_id"\s*:\s*"?([0-9]{1,9})')::bigint END, 0) AS store_id,
        coalesce(nullif(known.number, ''), nullif(substring(run.body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]+)'), 'null'),
            substring(run.canonical::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]+)')) AS number
    FROM sync_runs AS run
    LEFT JOIN run_search AS known ON known.run_id = run.id
    WHERE (sqlc.narg('tenant_id')::uuid IS NULL OR run.tenant_id = sqlc.narg('tenant_id'))
        AND run.event IN ('invoice.created', 'creditmemo.created')
        AND run.received_at >= @since
), cut AS (
    SELECT seen.*, CASE WHEN strpos('0123456789', right(seen.number, 1)) > 0 THEN '' ELSE substring(seen.number FROM '[^0-9]*$') END AS suffix
    FROM seen
    WHERE seen.number <> ''
), stems AS (
    SELECT cut.*, left(cut.number, length(cut.number) - length(cut.suffix)) AS stem
    FROM cut
), parted AS MATERIALIZED (
    -- No regular expression where a number ends in digits: over a million they take seconds.
    SELECT stems.*, right(substr(stems.stem, length(rtrim(stems.stem, '0123456789')) + 1), 18) AS digits
    FROM stems
    WHERE stems.stem <> ''
), numbered AS (
    SELECT parted.tenant_id, parted.binding_id, parted.event, parted.store_id, parted.suffix, parted.digits::bigint AS n,
        left(parted.number, length(parted.number) - length(parted.digits) - length(parted.suffix)) AS prefix,
        min(length(parted.digits)) AS width, min(parted.magento_entity_id) AS entity_id, min(parted.received_at) AS received_at
    FROM parted
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), beside AS (
    SELECT numbered.*, lag(numbered.n) OVER series AS before, lag(numbered.entity_id) OVER series AS before_id,
        lag(numbered.width) OVER series AS before_width
    FROM numbered
    WINDOW series AS (PARTITION BY numbered.binding_id, numbered.event, numbered.store_id, numbered.prefix, numbered.suffix ORDER BY numbered.n)
), stepped AS (
    SELECT beside.*, CASE WHEN count(*) OVER series >= 10 THEN min(beside.n - beside.before) OVER series ELSE 1 END AS step
    FROM beside
    WINDOW series AS (PARTITION BY beside.binding_id, beside.event, beside.store_id, beside.prefix, beside.suffix)
)
SELECT tenant.name AS tenant, stepped.tenant_id, stepped.binding_id, stepped.event, stepped.store_id::bigint AS store_id, stepped.prefix::text AS prefix,
    stepped.suffix::text AS suffix, stepped.before::bigint AS before, stepped.before_id::bigint AS before_id, stepped.before_width::int AS width,
    stepped.n::bigint AS after, stepped.entity_id::bigint AS after_id, stepped.step::bigint AS step, stepped.received_at::timestamptz AS noticed_at
FROM stepped
JOIN tenants AS tenant ON tenant.id = stepped.tenant_id
WHERE stepped.n - stepped.before > stepped.step
    AND stepped.n - stepped.before <= @jump::bigint
ORDER BY tenant.name, stepped.binding_id, stepped.event, stepped.store_id, stepped.prefix, stepped.n
LIMIT @max_rows;

-- The ids of a kind between two others that no event of a binding has named.
-- name: GapIDs :many
SELECT ids.id::bigint AS id
FROM generate_series(@first::bigint, @last::bigint) AS ids (id)
WHERE NOT EXISTS (
    SELECT 1
    FROM sync_runs AS run
    WHERE run.tenant_id = @tenant_id
        AND run.entity_type = @entity_type
        AND run.magento_entity_id = ids.id
        AND run.binding_id = @binding_id
        AND run.event = @event
)
ORDER BY 1
LIMIT @max_rows;

-- When the shops' events came: the first of each hour that had one, since a time. It walks from hour to hour along an index, so that a busy hour costs
-- as much as a quiet one. What was asked for by hand is not the shop's rhythm.
-- name: ArrivalHourList :many
WITH RECURSIVE walk AS (
    SELECT tenant.id AS tenant_id, (
        SELECT run.received_at
        FROM sync_runs AS run
        WHERE run.tenant_id = tenant.id
            AND run.received_at >= @since
            AND NOT run.backfill
        ORDER BY run.received_at
        LIMIT 1
    ) AS at
    FROM tenants AS tenant
    UNION ALL
    SELECT walk.tenant_id, (
        SELECT run.received_at
        FROM sync_runs AS run
        WHERE run.tenant_id = walk.tenant_id
            AND run.received_at >= date_trunc('hour', walk.at, 'UTC') + interval '1 hour'
            AND NOT run.backfill
        ORDER BY run.received_at
        LIMIT 1
    )
    FROM walk
    WHERE walk.at IS NOT NULL
)
SELECT tenant.id AS tenant_id, tenant.name AS tenant, coalesce(walk.at, '0001-01-01Z')::timestamptz AS at,
    EXISTS (SELECT 1 FROM bindings AS binding WHERE binding.tenant_id = tenant.id AND binding.status <> 'revoked')::boolean AS live
FROM walk
JOIN tenants AS tenant ON tenant.id = walk.tenant_id
ORDER BY tenant.name, tenant.id, walk.at NULLS FIRST;

-- The last event of each shop, as far as it sent any.
-- name: ArrivalLastList :many
SELECT tenant.id AS tenant_id, last.received_at
FROM tenants AS tenant
JOIN LATERAL (
    SELECT run.received_at
    FROM sync_runs AS run
    WHERE run.tenant_id = tenant.id
        AND NOT run.backfill
    ORDER BY run.received_at DESC
    LIMIT 1
) AS last ON true;
