-- name: NotificationInsert :exec
INSERT INTO notifications (id, channel, type, body)
SELECT @id, unnest(@channels::text[]), @type, @body;

-- Claims the next one that is due: nobody else tries it before the time that its attempt
-- puts it off to, which is longer than an attempt takes.
-- name: NotificationClaim :one
UPDATE notifications AS one
SET attempts = one.attempts + 1,
    next_attempt_at = clock_timestamp() + make_interval(secs => (@backoff::int[])[least(one.attempts + 1, cardinality(@backoff::int[]))])
WHERE (one.id, one.channel) = (
    SELECT due.id, due.channel
    FROM notifications AS due
    WHERE due.state = 'pending'
        AND due.next_attempt_at <= clock_timestamp()
        AND due.channel = ANY (@channels::text[])
    ORDER BY due.next_attempt_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING one.id, one.channel, one.type, one.body, one.attempts;

-- name: NotificationSent :exec
UPDATE notifications
SET state = 'sent', sent_at = clock_timestamp(), last_error = NULL
WHERE id = @id
    AND channel = @channel;

-- name: NotificationFailed :exec
UPDATE notifications
SET last_error = @last_error, state = CASE WHEN @final::boolean THEN 'given_up' ELSE state END
WHERE id = @id
    AND channel = @channel
    AND state = 'pending';

-- name: NotificationSweep :execrows
DELETE FROM notifications
WHERE state <> 'pending'
    AND created_at < @before;

-- name: NotificationMarkGet :one
SELECT value
FROM notification_marks
WHERE name = @name;

-- name: NotificationMarkSet :exec
INSERT INTO notification_marks (name, value)
VALUES (@name, @value)
ON CONFLICT (name) DO UPDATE
SET value = excluded.value;

-- The runs that failed in a time, by binding and code: a range of sync_runs_failed each.
-- Of those that are internal, how many of them over a shop's answer that cannot be read.
-- name: NotificationFailedList :many
SELECT tenant.name AS tenant, binding.id AS binding_id, binding.provider, failed.error_code::text AS reason, failed.runs::bigint AS runs, failed.unreadable::bigint AS unreadable
FROM bindings AS binding
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
CROSS JOIN LATERAL (
    SELECT run.error_code, count(*) AS runs,
        count(*) FILTER (WHERE run.error_code = 'internal' AND run.error_message LIKE @unreadable::text) AS unreadable
    FROM sync_runs AS run
    WHERE run.binding_id = binding.id
        AND run.error_code IS NOT NULL
        AND run.status = 'failed'
        AND run.finished_at > @since::timestamptz
        AND run.finished_at <= @until::timestamptz
    GROUP BY run.error_code
) AS failed
ORDER BY tenant.name, binding.id, failed.error_code;

-- The runs that are held, by binding and reason; not those whose connection is lost, nor
-- those that only wait for another run, which are told as that.
-- name: NotificationHeldList :many
SELECT tenant.name AS tenant, held.binding_id, binding.provider, held.hold_reason::text AS reason, held.runs::bigint AS runs
FROM (
    SELECT run.binding_id, run.hold_reason, count(*) AS runs
    FROM sync_runs AS run
    WHERE run.hold_reason IS NOT NULL
    GROUP BY run.binding_id, run.hold_reason
) AS held
JOIN bindings AS binding ON binding.id = held.binding_id
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
WHERE held.hold_reason NOT IN ('auth', 'invoice_held', 'invoice_failed', 'shop_no_answer', 'ledger_no_answer', 'identity_no_answer')
ORDER BY tenant.name, held.binding_id, held.hold_reason;

-- The connections that are lost: refused, or without an answer for some minutes.
-- name: NotificationLostList :many
SELECT ('binding:' || binding.id)::text AS key, tenant.name AS tenant, binding.provider, 'needs_consent'::text AS problem
FROM bindings AS binding
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
WHERE binding.status = 'needs_consent'
UNION ALL
SELECT ('tenant:' || tenant.id)::text, tenant.name, '', 'token_revoked'
FROM tenants AS tenant
WHERE tenant.connection_status = 'token_revoked'
    AND EXISTS (SELECT 1 FROM bindings AS binding WHERE binding.tenant_id = tenant.id AND binding.status <> 'revoked')
UNION ALL
SELECT 'circuit:' || circuit.key, coalesce(shop.name, bound.name, circuit.key), coalesce(ledger.provider, ''), circuit.reason
FROM circuits AS circuit
LEFT JOIN tenants AS shop ON shop.id::text = circuit.key
LEFT JOIN bindings AS ledger ON ledger.id::text = circuit.key
LEFT JOIN tenants AS bound ON bound.id = ledger.tenant_id
WHERE circuit.opened_at < clock_timestamp() - interval '5 minutes'
ORDER BY 2, 1;

-- What came in a time, by shop and how it stands.
-- name: NotificationDayList :many
SELECT tenant.name AS tenant, run.status, count(*) AS runs
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
WHERE run.received_at >= @since
    AND run.received_at < @until
GROUP BY tenant.name, run.status
ORDER BY tenant.name, run.status;
