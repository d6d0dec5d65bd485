-- A page of runs, newest first, strictly before (before_at, before_id). The body
-- comes whole: taking JSON apart here would fail the page for a text in it that
-- Postgres cannot hold (\u0000). One too large to be looked into is left out.
-- name: DashboardRunList :many
SELECT run.id, tenant.name AS tenant, binding.provider, binding.status AS binding_status, binding.paused_until,
    run.event, run.entity_type, run.magento_entity_id, run.status, run.stage, run.attempt, run.next_attempt_at,
    run.hold_reason, run.skip_reason, run.error_code, run.error_message, run.provider_reference, run.provider_url,
    run.shop_told, run.received_at, run.finished_at, run.told_at, run.variance,
    coalesce(left(run.error_detail, 2000), '')::text AS error_detail,
    CASE WHEN octet_length(run.body::text) <= 4096 THEN run.body::text ELSE '' END::text AS body,
    coalesce(known.customer, '')::text AS customer, coalesce(known.amount, '')::text AS amount,
    coalesce(known.currency, '')::text AS currency
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
LEFT JOIN LATERAL (SELECT * FROM run_search WHERE run_search.run_id = run.id OFFSET 0) AS known ON true
WHERE (sqlc.narg('status')::text IS NULL OR run.status = sqlc.narg('status'))
    -- What a status implies is said too, for the planner: each part has an index of few rows,
    -- where all runs in the order of their arrival are many.
    AND (coalesce(sqlc.narg('status'), '') <> 'failed' OR run.error_code IS NOT NULL)
    AND (coalesce(sqlc.narg('status'), '') <> 'cancelled' OR run.error_code = 'cancelled')
    AND (coalesce(sqlc.narg('status'), '') <> 'skipped_by_policy' OR run.skip_reason IS NOT NULL)
    AND (coalesce(sqlc.narg('status'), '') NOT IN ('queued', 'running', 'held') OR run.finished_at IS NULL)
    AND (sqlc.narg('event')::text IS NULL OR run.event = sqlc.narg('event'))
    AND (sqlc.narg('tenant_id')::uuid IS NULL OR run.tenant_id = sqlc.narg('tenant_id'))
    AND (sqlc.narg('tenant_name')::text IS NULL OR position(lower(sqlc.narg('tenant_name')) IN lower(tenant.name)) > 0)
    AND (sqlc.narg('error_code')::text IS NULL
        OR run.error_code = sqlc.narg('error_code')
        OR run.hold_reason = sqlc.narg('error_code')
        OR run.skip_reason = sqlc.narg('error_code'))
    AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
    AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
    AND (sqlc.narg('found')::uuid[] IS NULL OR run.id = ANY (sqlc.narg('found')))
    AND (run.received_at, run.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY run.received_at DESC, run.id DESC
LIMIT @max_rows;

-- How many runs there are in each status under the other filters.
-- name: DashboardRunCount :many
SELECT run.status, count(*) AS runs
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
WHERE (sqlc.narg('event')::text IS NULL OR run.event = sqlc.narg('event'))
    AND (sqlc.narg('tenant_id')::uuid IS NULL OR run.tenant_id = sqlc.narg('tenant_id'))
    AND (sqlc.narg('tenant_name')::text IS NULL OR position(lower(sqlc.narg('tenant_name')) IN lower(tenant.name)) > 0)
    AND (sqlc.narg('error_code')::text IS NULL
        OR run.error_code = sqlc.narg('error_code')
        OR run.hold_reason = sqlc.narg('error_code')
        OR run.skip_reason = sqlc.narg('error_code'))
    AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
    AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
    AND (sqlc.narg('found')::uuid[] IS NULL OR run.id = ANY (sqlc.narg('found')))
GROUP BY run.status;

-- The same of all runs, or of all that came in a time: nothing but indexes is read, and the
-- rows of runs under way. What has no error, was not left out and is not under way succeeded.
-- name: DashboardRunCountAll :many
WITH open AS MATERIALIZED (
    SELECT run.status, count(*) AS runs, count(run.error_code) AS with_error
    FROM sync_runs AS run
    WHERE run.finished_at IS NULL
        AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
        AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
    GROUP BY run.status
), ended AS (
    SELECT (
            SELECT count(*)
            FROM sync_runs AS run
            WHERE (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
                AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
        ) - (SELECT coalesce(sum(open.runs), 0) FROM open) AS runs,
        (
            SELECT count(*)
            FROM sync_runs AS run
            WHERE run.error_code IS NOT NULL
                AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
                AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
        ) - (SELECT coalesce(sum(open.with_error), 0) FROM open) AS with_error,
        (
            SELECT count(*)
            FROM sync_runs AS run
            WHERE run.error_code = 'cancelled'
                AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
                AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
        ) AS cancelled,
        (
            SELECT count(*)
            FROM sync_runs AS run
            WHERE run.skip_reason IS NOT NULL
                AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
                AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
        ) AS skipped
)
SELECT counted.status::text AS status, counted.runs::bigint AS runs
FROM ended
CROSS JOIN LATERAL (
    VALUES ('succeeded', ended.runs - ended.with_error - ended.skipped), ('failed', ended.with_error - ended.cancelled),
        ('cancelled', ended.cancelled), ('skipped_by_policy', ended.skipped)
) AS counted (status, runs)
UNION ALL
SELECT open.status, open.runs
FROM open;

-- One run with what its page says of tenant and binding; no sealed column.
-- name: DashboardRunGet :one
SELECT sqlc.embed(run), tenant.name AS tenant, tenant.magento_url, tenant.connection_status,
    binding.provider, binding.wire, binding.status AS binding_status, binding.org_id, binding.paused_until
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = @id;

-- The newest steps of a run, newest first; a run that was held for weeks has
-- thousands.
-- name: DashboardEventList :many
SELECT *
FROM sync_run_events
WHERE run_id = @run_id
ORDER BY id DESC
LIMIT @max_rows;

-- name: DashboardIntentList :many
SELECT operation, object_key, tries, certain, made_at, settled_at
FROM provider_intents
WHERE run_id = @run_id
ORDER BY made_at, operation;

-- The runs that this one waits for.
-- name: DashboardRunsAhead :many
SELECT other.id, other.event, other.status, other.received_at
FROM towpath_ahead(@id) AS ahead (id)
JOIN sync_runs AS other ON other.id = ahead.id
ORDER BY towpath_event_rank(other.event), other.occurred_at, other.received_at, other.id
LIMIT 10;

-- For the filter; a service with more tenants than fit is asked by name or id.
-- name: DashboardTenantList :many
SELECT id, name
FROM tenants
ORDER BY name, id
LIMIT 200;

-- The newest run of each of some invoices.
-- name: DashboardRunsOfInvoices :many
SELECT DISTINCT ON (run.magento_entity_id) run.id, run.magento_entity_id, run.status, run.stage, run.attempt,
    run.next_attempt_at, run.hold_reason, run.skip_reason, run.error_code, run.error_message, run.error_detail,
    run.provider_reference, run.provider_url, run.received_at
FROM sync_runs AS run
WHERE run.tenant_id = @tenant_id
    AND run.entity_type = 'invoice'
    AND run.event = 'invoice.created'
    AND run.magento_entity_id = ANY (@invoice_ids::bigint[])
ORDER BY run.magento_entity_id, run.received_at DESC, run.id DESC;

-- The live connections and those revoked since, what needs a person first, with
-- what each may call at its provider and how much of it is used; no sealed column.
-- name: DashboardConnectionList :many
SELECT binding.id, binding.tenant_id, tenant.name AS tenant, tenant.magento_url, tenant.connection_status,
    binding.provider, binding.wire, binding.status, binding.api_url, binding.org_id, binding.policy_version,
    coalesce(binding.reference -> 'organisation' ->> 'name', '')::text AS organisation,
    binding.reference_at, binding.paused_until, binding.revoked_at,
    (binding.token_sealed IS NOT NULL)::boolean AS has_fixed_token,
    coalesce(app.kind, '')::text AS app_kind, (app.tokens_sealed IS NOT NULL)::boolean AS app_has_tokens,
    app.expires_at, app.refused, app.refused_at,
    call_budget_key(binding)::text AS budget_key, budget.state AS budget, clock_timestamp()::timestamptz AS database_now,
    shop.opened_at AS shop_silent_since, shop.probe_at AS shop_probe_at,
    ledger.opened_at AS ledger_silent_since, ledger.probe_at AS ledger_probe_at, coalesce(ledger.message, '')::text AS ledger_said
FROM bindings AS binding
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
LEFT JOIN oauth_grants AS app ON app.binding_id = binding.id
LEFT JOIN call_budgets AS budget ON budget.key = call_budget_key(binding)
LEFT JOIN circuits AS shop ON shop.key = tenant.id::text AND shop.opened_at IS NOT NULL
LEFT JOIN circuits AS ledger ON ledger.key = binding.id::text AND ledger.opened_at IS NOT NULL
WHERE (binding.status <> 'revoked' OR binding.revoked_at > @revoked_since::timestamptz)
    AND (sqlc.narg('tenant_id')::uuid IS NULL OR binding.tenant_id = sqlc.narg('tenant_id'))
ORDER BY binding.status = 'revoked', binding.status = 'active' AND tenant.connection_status = 'active',
    lower(tenant.name), binding.created_at, binding.id
LIMIT @max_rows;

-- What waits in each connection: to be read from the shop, to be posted, and held,
-- of that what only waits for the connection itself. Each part has its own index.
-- name: DashboardBacklogList :many
SELECT waiting.binding_id,
    count(*) FILTER (WHERE waiting.kind = 'fetch') AS to_fetch,
    count(*) FILTER (WHERE waiting.kind = 'post') AS to_post,
    count(*) FILTER (WHERE waiting.kind IN ('held', 'refused')) AS held,
    count(*) FILTER (WHERE waiting.kind = 'refused') AS held_for_access
FROM (
    SELECT run.binding_id, run.stage AS kind
    FROM sync_runs AS run
    WHERE run.finished_at IS NULL
        AND run.status = 'queued'
    UNION ALL
    SELECT run.binding_id, CASE WHEN run.hold_reason = 'auth' THEN 'refused' ELSE 'held' END
    FROM sync_runs AS run
    WHERE run.hold_reason IS NOT NULL
) AS waiting
GROUP BY waiting.binding_id;

-- The runs that arrived since, by the hour of their arrival and how they stand.
-- name: DashboardHourList :many
SELECT date_trunc('hour', run.received_at, 'UTC')::timestamptz AS hour, run.status, count(*) AS runs
FROM sync_runs AS run
WHERE run.received_at >= @since::timestamptz
GROUP BY 1, 2;

-- What is held, by reason, with the oldest run of each and when that was held first. It
-- reads the held runs alone.
-- name: DashboardHeldList :many
WITH held AS MATERIALIZED (
    SELECT run.hold_reason AS reason, count(*) AS runs, count(DISTINCT run.tenant_id) AS tenants, min(run.received_at) AS oldest_at
    FROM sync_runs AS run
    WHERE run.hold_reason IS NOT NULL
    GROUP BY run.hold_reason
)
SELECT held.reason::text AS reason, held.runs, held.tenants, oldest.id AS oldest_id,
    coalesce(since.at, held.oldest_at)::timestamptz AS since
FROM held
CROSS JOIN LATERAL (
    SELECT run.id
    FROM sync_runs AS run
    WHERE run.hold_reason = held.reason
        AND run.received_at = held.oldest_at
    ORDER BY run.id
    LIMIT 1
) AS oldest
LEFT JOIN LATERAL (
    SELECT event.at
    FROM sync_run_events AS event
    WHERE event.run_id = oldest.id
        AND event.to_status = 'held'
    ORDER BY event.id
    LIMIT 1
) AS since ON true
ORDER BY held.runs DESC, held.reason;

-- The worker processes that live; one that died is gone from here within seconds.
-- name: DashboardWorkerList :many
SELECT client_id, started_at
FROM worker_processes
WHERE last_seen > clock_timestamp() - interval '30 seconds'
ORDER BY started_at, client_id
LIMIT 50;

-- The tenants whose name holds a text.
-- name: DashboardTenantNamed :many
SELECT id
FROM tenants
WHERE position(lower(@name::text) IN lower(name)) > 0;
