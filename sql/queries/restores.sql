-- What there is to see at each look: whether what was remembered is there (event_id 0:
-- nothing was), and the last row of the history. Rows that another database wrote, which
-- began at another time, or a new one, say nothing of this one. A standby may not have
-- all yet.
-- name: RestoreLook :one
SELECT pg_is_in_recovery()::boolean AS standby,
    restores_dumped()::boolean AS dumped,
    coalesce(first.at, 'epoch')::timestamptz AS begun,
    coalesce(last.id, 0)::bigint AS last_id,
    coalesce(last.at, 'epoch')::timestamptz AS last_at,
    (@event_id::bigint = 0
        OR coalesce(first.at <> @begun::timestamptz, last.id IS NULL)
        OR EXISTS (
            SELECT 1
            FROM sync_run_events AS event
            WHERE event.id = @event_id
                AND event.at = @at::timestamptz
        ))::boolean AS known
FROM (VALUES (0)) AS one
LEFT JOIN (SELECT at FROM restores ORDER BY id LIMIT 1) AS first ON true
LEFT JOIN (SELECT id, at FROM sync_run_events ORDER BY id DESC LIMIT 1) AS last ON true;

-- One process at a time notes what all of them notice.
-- name: RestoreLock :exec
LOCK TABLE restores IN SHARE ROW EXCLUSIVE MODE;

-- Whether a loss of what happened at a time is on record.
-- name: RestoreNoted :one
SELECT EXISTS (
    SELECT 1
    FROM restores
    WHERE back_to < @at::timestamptz
        AND at >= @at
)::boolean AS noted;

-- The last change before a time is what the database went back to.
-- name: RestoreNote :exec
SELECT restore_note(@what::text, coalesce((
    SELECT event.at
    FROM sync_run_events AS event
    WHERE event.at < @before::timestamptz
    ORDER BY event.id DESC
    LIMIT 1
), @before));

-- name: RestoreTell :exec
SELECT restore_note('told', @back_to::timestamptz);

-- name: RestoreMark :exec
SELECT restore_note(@what::text, NULL);

-- What was noticed and not acknowledged, the oldest first.
-- name: RestoreOpen :many
SELECT id, at, what, back_to::timestamptz AS back_to
FROM restores
WHERE back_to IS NOT NULL
    AND id > coalesce((SELECT max(id) FROM restores WHERE what = 'acknowledged'), 0)
ORDER BY id;

-- The live bindings, with the last of the shop's documents that each knew at a time.
-- name: RestoreKnown :many
SELECT binding.id AS binding_id, binding.tenant_id, tenant.name AS tenant,
    coalesce((
        SELECT max(run.magento_entity_id)
        FROM sync_runs AS run
        WHERE run.binding_id = binding.id
            AND run.event = 'invoice.created'
            AND run.received_at <= @back_to::timestamptz
    ), 0)::bigint AS last_invoice,
    coalesce((
        SELECT max(run.magento_entity_id)
        FROM sync_runs AS run
        WHERE run.binding_id = binding.id
            AND run.event = 'creditmemo.created'
            AND run.received_at <= @back_to
    ), 0)::bigint AS last_memo
FROM bindings AS binding
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
WHERE binding.status <> 'revoked'
ORDER BY tenant.name, binding.id;

-- A binding's documents from an id on that some event named.
-- name: RestoreNamed :many
SELECT DISTINCT magento_entity_id
FROM sync_runs
WHERE binding_id = @binding_id
    AND event = @event
    AND magento_entity_id = ANY (@ids::bigint[]);

-- Invoices that came between two times and whose payment did not.
-- name: RestoreUnpaid :many
SELECT DISTINCT run.magento_entity_id
FROM sync_runs AS run
WHERE run.binding_id = @binding_id
    AND run.event = 'invoice.created'
    AND run.received_at BETWEEN @since AND @back_to
    AND NOT EXISTS (
        SELECT 1
        FROM sync_runs AS paid
        WHERE paid.magento_entity_id = run.magento_entity_id
            AND paid.entity_type = 'invoice'
            AND paid.binding_id = run.binding_id
            AND paid.event = 'invoice.paid'
    )
ORDER BY run.magento_entity_id;
