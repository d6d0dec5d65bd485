-- What T1 writes for a set of events.
-- name: SyncRunAccept :one
SELECT towpath_accept(@who::text, @kind::text, @unseen::boolean,
    @token_tenant_id::uuid[], @jti::text[], @request_key::text[], @expires_at::timestamptz[],
    @id::uuid[], @tenant_id::uuid[], @binding_id::uuid[], @policy_version::int[], @event::text[], @entity_type::text[], @magento_entity_id::bigint[],
    @website_id::bigint[], @store_id::bigint[], @idempotency_key::text[], @dedupe_key::text[], @lane::text[], @occurred_at::timestamptz[],
    @body::json[], @backfill::boolean[], @starts_over::uuid[], @share::uuid[], @priority::int[], @after::double precision[])::bigint[] AS jobs;

-- What is known of a set of events, a row each: what its token was used for, the
-- first run that came under its key, and the run that the event itself made, with
-- whether that failed and the shop knows. A subquery each, so that every one is a
-- look-up in an index whatever the statistics.
-- name: SyncRunKnown :many
SELECT asked.n,
    coalesce((SELECT spent.request_key FROM spent_jtis AS spent WHERE spent.tenant_id = asked.tenant_id AND spent.jti = asked.jti), '')::text AS spent_for,
    coalesce(run.event, '')::text AS event, coalesce(run.magento_entity_id, 0)::bigint AS magento_entity_id,
    coalesce(same.id, '00000000-0000-0000-0000-000000000000')::uuid AS run_id,
    coalesce(same.status = 'failed' AND same.stage = 'done', false)::boolean AS failed
FROM (
    SELECT unnest(@n::int[])::int AS n, unnest(@tenant_id::uuid[]) AS tenant_id, unnest(@jti::text[]) AS jti,
        unnest(@binding_id::uuid[]) AS binding_id, unnest(@idempotency_key::text[]) AS idempotency_key,
        unnest(@dedupe_key::text[]) AS dedupe_key
) AS asked
LEFT JOIN LATERAL (
    SELECT earlier.event, earlier.magento_entity_id
    FROM sync_runs AS earlier
    WHERE earlier.binding_id = asked.binding_id
        AND earlier.idempotency_key = asked.idempotency_key
    -- Any: all under one key are of one entity. In an order, the index of that order
    -- would be read from its start.
    LIMIT 1
) AS run ON true
LEFT JOIN LATERAL (
    SELECT known.id, known.status, known.stage
    FROM sync_runs AS known
    WHERE known.binding_id = asked.binding_id
        AND known.idempotency_key = asked.idempotency_key -- or an index of its binding alone would do as well
        AND known.dedupe_key = asked.dedupe_key
    LIMIT 1
) AS same ON true;

-- Another use of the key: the first run that came under it.
-- name: SyncRunByIdempotencyKey :one
SELECT id, event, entity_type, magento_entity_id
FROM sync_runs
WHERE binding_id = @binding_id
    AND idempotency_key = @idempotency_key
ORDER BY received_at, id
LIMIT 1;

-- The newest run of each of these keys of a binding that has one.
-- name: SyncRunOfKeys :many
SELECT DISTINCT ON (idempotency_key) idempotency_key, id
FROM sync_runs
WHERE binding_id = @binding_id
    AND idempotency_key = ANY (@idempotency_keys::text[])
ORDER BY idempotency_key, received_at DESC, id DESC;

-- How runs stand.
-- name: SyncRunStatuses :many
SELECT id, status
FROM sync_runs
WHERE id = ANY (@ids::uuid[]);

-- name: SyncRunGet :one
SELECT *
FROM sync_runs
WHERE id = @id;

-- The documents that are stored of a binding's runs, newest first, a page at a time.
-- The tenant is the binding's: its index is the one that gives the order.
-- name: SyncRunStoredList :many
SELECT run.id, run.event, run.magento_entity_id, run.store_id, run.occurred_at, run.received_at, run.status, run.policy_version,
    run.canonical, run.decision
FROM sync_runs AS run
WHERE run.tenant_id = @tenant_id
    AND run.binding_id = @binding_id
    AND run.canonical IS NOT NULL
    AND run.received_at >= @since
    AND (run.received_at, run.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY run.received_at DESC, run.id DESC
LIMIT @max_rows;

-- How many of a binding's runs of that time are blanked, and so are not compared.
-- name: SyncRunBlankedCount :one
SELECT count(*)
FROM sync_runs AS run
WHERE run.tenant_id = @tenant_id
    AND run.binding_id = @binding_id
    AND run.received_at >= @since
    AND run.blanked_at IS NOT NULL;

-- Everything a worker needs to know of its run.
-- name: SyncRunWork :one
SELECT sqlc.embed(run), sqlc.embed(tenant), sqlc.embed(binding), policy.policy,
    EXISTS (SELECT FROM circuits WHERE circuits.key = (CASE WHEN run.stage = 'post' THEN run.binding_id ELSE run.tenant_id END)::text) AS unanswered
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
JOIN policies AS policy ON policy.binding_id = run.binding_id AND policy.version = run.policy_version
WHERE run.id = @id;

-- What a worker needs to know of the runs that it works: without what they came with
-- and what was written, and where nothing is to be written without the document and
-- the provider's reference data. These are most of the bytes.
-- name: SyncRunClaimed :many
SELECT run.id, run.tenant_id, run.binding_id, run.policy_version, run.event, run.entity_type, run.magento_entity_id, run.website_id, run.store_id,
    run.lane, run.occurred_at, run.received_at, run.backfill, run.status, run.stage, run.river_job_id, run.attempt, run.hold_reason, run.skip_reason,
    run.error_code, run.provider_entity_id, run.provider_reference, run.finished_at,
    CASE WHEN @writes::boolean THEN run.canonical END::json AS canonical,
    CASE WHEN @writes::boolean THEN run.decision END::jsonb AS decision,
    sqlc.embed(tenant),
    binding.provider, binding.wire, binding.status AS binding_status, binding.api_url, binding.org_id, binding.org_key, binding.token_sealed,
    binding.policy_version AS binding_policy_version, binding.paused_until, binding.reference_at,
    CASE WHEN @writes::boolean THEN binding.reference END::jsonb AS reference,
    policy.policy,
    EXISTS (SELECT FROM circuits WHERE circuits.key = (CASE WHEN run.stage = 'post' THEN run.binding_id ELSE run.tenant_id END)::text) AS unanswered,
    (NOT @writes::boolean AND EXISTS (
        SELECT 1
        FROM sync_runs AS other
        WHERE other.magento_entity_id = run.magento_entity_id
            AND other.entity_type = run.entity_type
            AND other.binding_id = run.binding_id
            AND other.id <> run.id
    ))::boolean AS others
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
JOIN policies AS policy ON policy.binding_id = run.binding_id AND policy.version = run.policy_version
WHERE run.id = ANY (@ids::uuid[]);

-- T2 for a set: the run was fetched and decided; its next job is there, and may
-- have to wait for its turn. A run that was held at stage post and now falls under
-- another policy is decided anew.
-- name: SyncRunDecideMany :many
WITH decided AS (
    SELECT unnest(@id::uuid[]) AS id, unnest(@job_id::bigint[]) AS job_id,
        unnest(@next_job_id::bigint[]) AS next_job_id, unnest(@canonical::json[]) AS canonical,
        unnest(@decision::jsonb[]) AS decision, unnest(@skip_reason::text[]) AS skip_reason,
        unnest(@lane::text[]) AS lane,
        unnest(@number::text[]) AS number, unnest(@customer::text[]) AS customer,
        unnest(@amount::text[]) AS amount, unnest(@currency::text[]) AS currency, unnest(@terms::text[]) AS terms -- a line each
), updated AS (
    UPDATE sync_runs AS run
    SET status = CASE WHEN decided.skip_reason <> '' THEN 'skipped_by_policy'
            WHEN next.state = 'pending' THEN 'queued' ELSE 'running' END,
        stage = CASE WHEN decided.skip_reason = '' THEN 'post' ELSE 'push' END,
        shop_told = CASE WHEN decided.skip_reason = '' THEN NULL ELSE 'pending' END,
        finished_at = CASE WHEN decided.skip_reason = '' THEN NULL ELSE clock_timestamp() END,
        river_job_id = decided.next_job_id,
        lane = coalesce(nullif(decided.lane, ''), run.lane),
        canonical = decided.canonical,
        decision = decided.decision,
        skip_reason = nullif(decided.skip_reason, ''),
        error_code = NULL, error_message = NULL, error_detail = NULL,
        updated_at = clock_timestamp()
    FROM decided
    JOIN river.river_job AS next ON next.id = decided.next_job_id
    WHERE run.id = decided.id
        AND run.river_job_id = decided.job_id
        AND run.stage IN ('fetch', 'post')
    RETURNING run.id, run.status, run.attempt, run.skip_reason, run.received_at,
        decided.number, decided.customer, decided.amount, decided.currency, decided.terms
), findable AS (
    INSERT INTO run_search (run_id, received_at, number, customer, amount, currency, terms)
    SELECT updated.id, updated.received_at, updated.number, updated.customer, updated.amount, updated.currency,
        array_to_tsvector(string_to_array(updated.terms, E'\n'))
    FROM updated
    ON CONFLICT (run_id) DO UPDATE
    SET number = excluded.number, customer = excluded.customer, amount = excluded.amount, currency = excluded.currency, terms = excluded.terms
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
    SELECT updated.id, 'fetch', 'running', updated.status, updated.attempt, @who::text,
        CASE updated.status WHEN 'running' THEN 'canonical stored, to be posted'
            WHEN 'queued' THEN 'canonical stored, waits for its turn to be posted'
            ELSE 'skipped: ' || updated.skip_reason END
    FROM updated
)
SELECT updated.id
FROM updated;

-- T3, its first statement: the job is still this attempt's. Locks the job, so
-- that nobody takes it away before the intent is on record.
-- name: SyncRunJobsAreMine :many
SELECT mine.id
FROM (SELECT unnest(@job_ids::bigint[]) AS id, unnest(@attempts::int[]) AS attempt ORDER BY 1) AS asked
CROSS JOIN LATERAL (
    SELECT job.id
    FROM river.river_job AS job
    WHERE job.id = asked.id
        AND job.state = 'running'
        AND job.attempt = asked.attempt
    FOR SHARE
) AS mine;

-- Of these runs those that others come before, a row each: how many of them are under
-- way, how many of those are held, and how many are invoices that failed. The function
-- stands in FROM, or it would be planned anew for each run.
-- name: SyncRunAhead :many
SELECT asked.id AS run_id, count(*) FILTER (WHERE other.finished_at IS NULL) AS live,
    count(*) FILTER (WHERE other.status = 'held') AS held, count(*) FILTER (WHERE other.status = 'failed') AS failed
FROM (SELECT unnest(@ids::uuid[])::uuid AS id) AS asked
CROSS JOIN LATERAL towpath_ahead(asked.id) AS ahead (id)
CROSS JOIN LATERAL (
    SELECT sync_runs.finished_at, sync_runs.status
    FROM sync_runs
    WHERE sync_runs.id = ahead.id
    OFFSET 0
) AS other
GROUP BY asked.id;

-- What is known of the invoice that a run is about: its document, and how the run
-- that had to write it stands.
-- name: SyncRunInvoice :one
SELECT coalesce(x.provider_id, '')::text AS provider_id, coalesce(x.provider_reference, '')::text AS number,
    coalesce(x.provider_url, '')::text AS url, coalesce(created.status, '')::text AS status,
    -- Whom it was written on, unless the ledger has that contact no more.
    coalesce(CASE WHEN NOT EXISTS (
        SELECT 1
        FROM entity_xref AS contact
        WHERE contact.entity_type = 'contact'
            AND contact.provider = binding.provider
            AND contact.org_key = binding.org_key
            AND contact.provider_id = created.contact_id
            AND contact.tenant_id = run.tenant_id
            AND contact.stale
    ) THEN created.contact_id END, '')::text AS contact_id
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
LEFT JOIN entity_xref AS x ON x.tenant_id = run.tenant_id
    AND x.provider = binding.provider
    AND x.org_key = binding.org_key
    AND x.entity_type = 'invoice'
    AND x.shop_id = CAST(@invoice_id::bigint AS text)
    AND NOT x.disputed
LEFT JOIN LATERAL (
    SELECT last.status, last.document ->> 'contact_id' AS contact_id
    FROM sync_runs AS last
    WHERE last.entity_type = 'invoice'
        AND last.magento_entity_id = @invoice_id::bigint
        AND last.binding_id = run.binding_id
        AND last.event = 'invoice.created'
    ORDER BY last.status = 'succeeded' DESC, last.received_at DESC, last.id DESC
    LIMIT 1
) AS created ON true
WHERE run.id = @id;

-- Whether a later change of the same thing has been written.
-- name: SyncRunSuperseded :one
SELECT EXISTS (
    SELECT 1
    FROM sync_runs AS mine
    JOIN sync_runs AS later ON later.entity_type = mine.entity_type
        AND later.magento_entity_id = mine.magento_entity_id
        AND later.binding_id = mine.binding_id
        AND later.status = 'succeeded'
        AND (later.occurred_at, later.received_at, later.id) > (mine.occurred_at, mine.received_at, mine.id)
    WHERE mine.id = @id
);

-- What was left out since its invoice was.
-- name: SyncRunLeftOut :many
SELECT left_out.*
FROM sync_runs AS invoice
JOIN sync_runs AS left_out ON left_out.binding_id = invoice.binding_id
    AND left_out.lane = invoice.lane
    AND left_out.skip_reason = 'invoice_not_synced'
    AND left_out.stage = 'done'
WHERE invoice.id = @id
    AND invoice.event = 'invoice.created'
ORDER BY left_out.id
FOR UPDATE OF left_out;

-- These have ended: what waits in their lanes goes on.
-- name: SyncRunWake :one
SELECT towpath_wake(@ids::uuid[]);

-- T4 for a set: the documents exist; the jobs that tell the shop are there.
-- name: SyncRunPostMany :many
WITH posted AS (
    SELECT unnest(@id::uuid[]) AS id, unnest(@job_id::bigint[]) AS job_id,
        unnest(@next_job_id::bigint[]) AS next_job_id, unnest(@provider_entity_id::text[]) AS provider_entity_id,
        unnest(@provider_reference::text[]) AS provider_reference, unnest(@provider_url::text[]) AS provider_url,
        unnest(@document::jsonb[]) AS document, unnest(@variance::jsonb[]) AS variance, unnest(@why::text[]) AS why,
        unnest(@calls::text[]) AS calls, -- a line each
        unnest(@call_log::json[]) AS call_log
), updated AS (
    UPDATE sync_runs AS run
    SET status = 'succeeded', stage = 'push', shop_told = 'pending', river_job_id = posted.next_job_id,
        provider_entity_id = nullif(posted.provider_entity_id, ''), provider_reference = nullif(posted.provider_reference, ''),
        provider_url = nullif(posted.provider_url, ''), document = posted.document,
        variance = CASE WHEN posted.variance <> 'null'::jsonb THEN posted.variance END,
        error_code = NULL, error_message = NULL, error_detail = NULL,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM posted
    WHERE run.id = posted.id
        AND run.river_job_id = posted.job_id
        AND run.stage = 'post'
    RETURNING run.id, run.attempt, posted.why, posted.calls, posted.call_log
), called AS (
    INSERT INTO run_calls (run_id, attempt, calls)
    SELECT updated.id, updated.attempt, updated.call_log
    FROM updated
    WHERE updated.call_log IS NOT NULL
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why, calls)
    SELECT updated.id, 'post', 'running', 'succeeded', updated.attempt, @who::text, updated.why,
        string_to_array(nullif(updated.calls, ''), E'\n')
    FROM updated
)
SELECT updated.id
FROM updated;

-- A run ends by its worker's own word: refused, gone, given up.
-- name: SyncRunFail :one
WITH updated AS (
    UPDATE sync_runs AS run
    SET status = 'failed', stage = 'push', shop_told = 'pending', river_job_id = @next_job_id::bigint,
        error_code = @error_code, error_message = @error_message, error_detail = sqlc.narg('error_detail'),
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE run.id = @id
        AND run.river_job_id = @job_id::bigint
        AND run.stage IN ('fetch', 'post')
    RETURNING run.id, run.attempt
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why, calls)
    SELECT updated.id, @step::text, 'running', 'failed', updated.attempt, @who::text, @error_message, nullif(@calls::text[], '{}')
    FROM updated
)
SELECT updated.id
FROM updated;

-- The run whose end the shop is shown of the document that a run is about.
-- name: SyncRunLastWord :one
SELECT run.id, run.event, run.status, run.skip_reason, run.error_code, run.provider_entity_id, run.provider_reference, run.finished_at
FROM towpath_last_word(@run_id::uuid) AS word
JOIN sync_runs AS run ON run.id = word.id;

-- T5 for a set: the shop knows. Not where another end is to be shown by now than the
-- one that was told.
-- name: SyncRunTellMany :many
WITH told AS (
    SELECT unnest(@id::uuid[]) AS id, unnest(@job_id::bigint[]) AS job_id, unnest(@attempt::int[]) AS attempt,
        unnest(@word::uuid[]) AS word, unnest(@word_at::timestamptz[]) AS word_at
), updated AS (
    UPDATE sync_runs AS run
    SET stage = 'done', shop_told = 'told', river_job_id = NULL, told_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM told
    WHERE run.id = told.id
        AND run.river_job_id = told.job_id
        AND run.stage = 'push'
        AND EXISTS (SELECT 1 FROM towpath_last_word(told.id) AS word WHERE word.id = told.word AND word.finished_at = told.word_at)
    RETURNING run.id, run.status, told.attempt
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
    SELECT updated.id, 'push', updated.status, updated.status, updated.attempt, @who::text, 'the shop was told'
    FROM updated
)
SELECT updated.id
FROM updated;

-- The shop was told an end by a job that its run does not wait for any more, after the job
-- that does may have told another one: it is told once more. No row where both are the same.
-- name: SyncRunToldLate :one
WITH word AS MATERIALIZED (
    SELECT run.id
    FROM towpath_last_word(@run_id::uuid) AS last
    JOIN sync_runs AS run ON run.id = last.id
    WHERE run.id <> @word::uuid
        OR run.finished_at <> @word_at::timestamptz
), job AS MATERIALIZED (
    SELECT towpath_insert_push(word.id) AS id
    FROM word
), updated AS (
    UPDATE sync_runs AS run
    SET stage = 'push', shop_told = 'pending', river_job_id = job.id, updated_at = clock_timestamp()
    FROM word
    CROSS JOIN job
    WHERE run.id = word.id
        AND run.finished_at IS NOT NULL
    RETURNING run.id, run.status
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, who, why)
    SELECT updated.id, 'push', updated.status, updated.status, @who::text, 'an earlier word reached the shop late: it is told again'
    FROM updated
)
SELECT updated.id
FROM updated;

-- Whether a run still waits for this job to tell its end.
-- name: SyncRunTells :one
SELECT EXISTS (SELECT 1 FROM sync_runs WHERE id = @id AND river_job_id = @job_id::bigint AND stage = 'push');

-- An operator's retry of an ended run, or of one whose job is lost; its new job
-- is there already.
-- name: SyncRunRequeue :one
WITH updated AS (
    UPDATE sync_runs AS run
    SET status = 'queued', stage = 'fetch', river_job_id = @next_job_id::bigint, shop_told = NULL, told_at = NULL,
        attempt = 0, next_attempt_at = NULL, finished_at = NULL, skip_reason = NULL, hold_reason = NULL,
        backfill = @backfill::boolean,
        policy_version = (SELECT binding.policy_version FROM bindings AS binding WHERE binding.id = run.binding_id),
        error_code = NULL, error_message = NULL, error_detail = NULL, blanked_at = NULL, blanked_by = NULL, updated_at = clock_timestamp()
    FROM (SELECT old.id, old.status FROM sync_runs AS old WHERE old.id = @id FOR UPDATE) AS before
    WHERE run.id = before.id
        AND (before.status IN ('failed', 'cancelled', 'skipped_by_policy') OR @job_lost::boolean)
    RETURNING run.id, before.status AS from_status
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, who, why)
    SELECT updated.id, 'retry', updated.from_status, 'queued', @who::text, @why::text
    FROM updated
)
SELECT updated.id
FROM updated;

-- The shop is told once more: it was given up, or the job that had to was lost.
-- name: SyncRunTellAgain :one
WITH updated AS (
    UPDATE sync_runs AS run
    SET stage = 'push', shop_told = 'pending', river_job_id = @next_job_id::bigint, updated_at = clock_timestamp()
    WHERE run.id = @id
        AND run.status = 'succeeded'
        AND (run.shop_told = 'given_up' OR @job_lost::boolean)
    RETURNING run.id, run.status
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, who, why)
    SELECT updated.id, 'retry', updated.status, updated.status, @who::text, 'the shop is told again'
    FROM updated
)
SELECT updated.id
FROM updated;

-- Newest first; before_at and before_id are those of the last row of the page before.
-- name: SyncRunList :many
SELECT run.id, run.tenant_id, tenant.name AS tenant, run.binding_id, binding.provider, run.event, run.entity_type,
    run.magento_entity_id, run.idempotency_key, run.status, run.stage, run.attempt, run.next_attempt_at, run.hold_reason,
    run.skip_reason, run.error_code, run.error_message, run.provider_entity_id, run.provider_reference,
    run.provider_url, run.shop_told, run.occurred_at, run.received_at, run.finished_at, run.told_at,
    coalesce(nullif(known.number, ''), nullif(substring(run.body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})'), 'null'), '')::text AS number, coalesce(known.customer, '')::text AS customer,
    coalesce(known.amount, '')::text AS amount, coalesce(known.currency, '')::text AS currency
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
LEFT JOIN LATERAL (SELECT * FROM run_search WHERE run_search.run_id = run.id OFFSET 0) AS known ON true
WHERE (sqlc.narg('statuses')::text[] IS NULL OR run.status = ANY (sqlc.narg('statuses')))
    -- What the statuses imply is said too, for the planner: see DashboardRunList.
    AND (sqlc.narg('statuses') IS NULL OR NOT sqlc.narg('statuses') <@ '{failed,cancelled}' OR run.error_code IS NOT NULL)
    AND (sqlc.narg('statuses') IS NULL OR NOT sqlc.narg('statuses') <@ '{cancelled}' OR run.error_code = 'cancelled')
    AND (sqlc.narg('statuses') IS NULL OR NOT sqlc.narg('statuses') <@ '{skipped_by_policy}' OR run.skip_reason IS NOT NULL)
    AND (sqlc.narg('statuses') IS NULL OR NOT sqlc.narg('statuses') <@ '{queued,running,held}' OR run.finished_at IS NULL)
    AND (sqlc.narg('events')::text[] IS NULL OR run.event = ANY (sqlc.narg('events')))
    AND (sqlc.narg('tenants')::uuid[] IS NULL OR run.tenant_id = ANY (sqlc.narg('tenants')))
    AND (sqlc.narg('reasons')::text[] IS NULL
        OR run.error_code = ANY (sqlc.narg('reasons'))
        OR run.hold_reason = ANY (sqlc.narg('reasons'))
        OR run.skip_reason = ANY (sqlc.narg('reasons')))
    AND (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
    AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
    AND (sqlc.narg('found')::uuid[] IS NULL OR run.id = ANY (sqlc.narg('found')))
    AND (sqlc.narg('before_at')::timestamptz IS NULL OR (run.received_at, run.id) < (sqlc.narg('before_at'), sqlc.narg('before_id')::uuid))
ORDER BY run.received_at DESC, run.id DESC
LIMIT @max_rows;

-- name: SyncRunCountByStatus :many
SELECT status, count(*) AS runs
FROM sync_runs
GROUP BY status;

-- The runs of a binding that have not ended, and those of them that are held.
-- name: SyncRunCountOpen :one
SELECT count(*) AS open, count(*) FILTER (WHERE status = 'held') AS held
FROM sync_runs
WHERE binding_id = @binding_id
    AND finished_at IS NULL;

-- name: SyncRunHeldByReason :many
SELECT hold_reason::text AS reason, count(*) AS runs
FROM sync_runs
WHERE hold_reason IS NOT NULL
GROUP BY hold_reason;

-- The bindings that have runs held for a reason.
-- name: SyncRunHeldBindings :many
SELECT DISTINCT binding_id
FROM sync_runs
WHERE hold_reason = @hold_reason::text
ORDER BY binding_id;

-- The jobs of a binding's held runs (of one reason, or of all), locked job first.
-- name: SyncRunHeldJobs :many
SELECT job.id
FROM river.river_job AS job
WHERE job.id IN (
    SELECT run.river_job_id
    FROM sync_runs AS run
    WHERE run.binding_id = @binding_id
        AND run.finished_at IS NULL
        AND run.hold_reason IS NOT NULL
        AND (sqlc.narg('hold_reason')::text IS NULL OR run.hold_reason = sqlc.narg('hold_reason'))
)
ORDER BY job.id
FOR UPDATE OF job;

-- Claims the next look for a run; no row where another one of the same binding,
-- stage and reason has it.
-- name: HoldLookClaim :one
INSERT INTO hold_looks (binding_id, stage, reason, run_id, until)
VALUES (@binding_id, @stage, @reason, @run_id, clock_timestamp() + make_interval(secs => @seconds::float8))
ON CONFLICT (binding_id, stage, reason) DO UPDATE
SET run_id = excluded.run_id, until = excluded.until
WHERE hold_looks.until < clock_timestamp()
    OR hold_looks.run_id = excluded.run_id
RETURNING run_id;

-- The run that had the look has ended or goes on: the next that is held has it.
-- name: HoldLookEnd :exec
DELETE FROM hold_looks
WHERE binding_id = @binding_id
    AND run_id = @run_id;

-- Held runs wait for their turn again, under the settings as they are now; their
-- jobs are locked and parked already.
-- name: SyncRunUnhold :execrows
WITH released AS (
    UPDATE sync_runs AS run
    SET status = 'queued', hold_reason = NULL, next_attempt_at = NULL, policy_version = @policy_version, updated_at = clock_timestamp()
    FROM (SELECT old.id, old.policy_version FROM sync_runs AS old WHERE old.river_job_id = ANY (@job_ids::bigint[])) AS before
    WHERE run.id = before.id
        AND run.status = 'held'
    RETURNING run.id, run.stage, run.attempt,
        'released' || CASE WHEN before.policy_version <> @policy_version THEN ', under policy version ' || @policy_version::int ELSE '' END AS why
)
INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
SELECT released.id, released.stage, 'held', 'queued', released.attempt, @who::text, released.why
FROM released;

-- An operator's word is given job first, then run.
-- name: SyncRunLockJob :one
SELECT job.id, job.state::text AS state
FROM river.river_job AS job
WHERE job.id = @job_id
FOR UPDATE;

-- Either side may be missing: then its columns are empty, or 0.
-- name: RunQueueMismatchList :many
SELECT coalesce(run_id::text, '')::text AS run_id, coalesce(job_id, 0)::bigint AS job_id, coalesce(status, '')::text AS status,
    coalesce(stage, '')::text AS stage, coalesce(kind, '')::text AS kind, coalesce(job_state, '')::text AS job_state, problem::text AS problem
FROM run_queue_mismatch
LIMIT 100;
