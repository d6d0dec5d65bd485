-- The next runs whose end lies before a time and that still have what is personal, the
-- oldest end first, behind (after_at, after_id). Not those in whose lane a run is under way.
-- name: RetentionDue :many
SELECT run.id, run.finished_at::timestamptz AS finished_at
FROM sync_runs AS run
WHERE coalesce(run.blanked_at, 'infinity') = 'infinity'
    AND run.finished_at < @before::timestamptz
    AND (run.finished_at, run.id) > (@after_at::timestamptz, @after_id::uuid)
    AND NOT EXISTS (
        SELECT 1
        FROM sync_runs AS open
        WHERE open.lane = run.lane
            AND open.binding_id = run.binding_id
            AND coalesce(open.finished_at, 'infinity') = 'infinity'
    )
ORDER BY run.finished_at, run.id
LIMIT @max_rows;

-- What would be blanked of these runs, by table: rows, and bytes as they are stored.
-- name: RetentionSizes :one
WITH chosen AS MATERIALIZED (
    SELECT run.id, coalesce(pg_column_size(run.body), 0) + coalesce(pg_column_size(run.canonical), 0) + coalesce(pg_column_size(run.decision), 0)
        + coalesce(pg_column_size(run.document), 0) + coalesce(pg_column_size(run.error_message), 0) + coalesce(pg_column_size(run.error_detail), 0) AS bytes
    FROM sync_runs AS run
    WHERE run.id = ANY (@ids::uuid[])
        AND run.finished_at IS NOT NULL
        AND run.blanked_at IS NULL
), known AS (
    SELECT count(*) AS rows, coalesce(sum(pg_column_size(search.customer) + pg_column_size(search.terms)), 0) AS bytes
    FROM chosen
    JOIN run_search AS search ON search.run_id = chosen.id
), told AS (
    SELECT count(*) AS rows, coalesce(sum(pg_column_size(event.why)), 0) AS bytes
    FROM chosen
    JOIN sync_run_events AS event ON event.run_id = chosen.id
    WHERE NOT towpath_own_words(event)
), called AS (
    SELECT count(*) AS rows, coalesce(sum(pg_column_size(made.calls)), 0) AS bytes
    FROM chosen
    JOIN run_calls AS made ON made.run_id = chosen.id
)
SELECT (SELECT count(*) FROM chosen)::bigint AS runs, (SELECT coalesce(sum(chosen.bytes), 0) FROM chosen)::bigint AS run_bytes,
    known.rows::bigint AS search_rows, known.bytes::bigint AS search_bytes, told.rows::bigint AS event_rows, told.bytes::bigint AS event_bytes,
    called.rows::bigint AS call_rows, called.bytes::bigint AS call_bytes
FROM known, told, called;

-- Blanks what is personal of these runs, as far as they have ended and nobody is at them.
-- What stays: ids, keys, times, states and codes; the number and the store, in the body
-- where search and gaps look for them; of the document the sums and the id of its contact,
-- which a credit memo is booked on; the rules that were asked, without what they were asked of.
-- name: RetentionBlank :one
WITH chosen AS MATERIALIZED (
    SELECT run.id, run.status,
        coalesce(nullif(substring(run.body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})'), 'null'),
            substring(run.canonical::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})')) AS number,
        substring(run.canonical::text FROM '"order_increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})') AS order_number,
        substring(run.canonical::text FROM '"store_id"\s*:\s*"?([0-9]{1,9})')::bigint AS store_id,
        coalesce(pg_column_size(run.body), 0) + coalesce(pg_column_size(run.canonical), 0) + coalesce(pg_column_size(run.decision), 0)
            + coalesce(pg_column_size(run.document), 0) + coalesce(pg_column_size(run.error_message), 0) + coalesce(pg_column_size(run.error_detail), 0) AS bytes
    FROM sync_runs AS run
    WHERE run.id = ANY (@ids::uuid[])
        AND run.finished_at IS NOT NULL
        AND run.blanked_at IS NULL
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
), blanked AS (
    UPDATE sync_runs AS run
    SET blanked_at = clock_timestamp(), blanked_by = @who::text,
        body = json_build_object('blanked', true, 'store_id', coalesce(nullif(run.store_id, 0), chosen.store_id), 'payload', json_build_object('increment_id', chosen.number)),
        canonical = NULL,
        decision = CASE WHEN jsonb_typeof(run.decision) = 'object' THEN jsonb_build_object('blanked', true,
            'action', run.decision -> 'action', 'reason', run.decision -> 'reason', 'rules',
            (SELECT jsonb_agg(rule - 'text') FROM jsonb_array_elements(CASE jsonb_typeof(run.decision -> 'rules') WHEN 'array' THEN run.decision -> 'rules' ELSE '[]' END) AS rule)) END,
        document = CASE WHEN jsonb_typeof(run.document) = 'object' THEN jsonb_build_object('blanked', true) || coalesce(
            (SELECT jsonb_object_agg(part.key, CASE WHEN part.key = 'body' AND jsonb_typeof(part.value) <> 'null' THEN '{"blanked": true}' ELSE part.value END)
            FROM jsonb_each(run.document) AS part (key, value)
            WHERE part.key IN ('number', 'contact_id', 'currency', 'status', 'body', 'sub_total', 'total_tax', 'total', 'rounding', 'amount', 'date', 'document_id', 'account_id')), '{}')
            ELSE run.document END,
        error_message = CASE WHEN run.error_message IS NOT NULL THEN 'blanked' END, error_detail = NULL,
        updated_at = clock_timestamp()
    FROM chosen
    WHERE run.id = chosen.id
    RETURNING run.id
), known AS (
    UPDATE run_search AS search
    SET customer = '', terms = array_to_tsvector(ARRAY(
            SELECT DISTINCT word
            FROM regexp_split_to_table(lower(concat_ws(' ', search.number, search.amount, chosen.order_number)), '\s+') AS word
            WHERE word <> ''
                AND octet_length(word) <= 100
        ))
    FROM chosen
    WHERE search.run_id = chosen.id
), told AS (
    UPDATE sync_run_events AS event
    SET why = 'blanked'
    FROM chosen
    WHERE event.run_id = chosen.id
        AND NOT towpath_own_words(event)
), called AS (
    DELETE FROM run_calls AS made
    USING chosen
    WHERE made.run_id = chosen.id
), noted AS (
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, who, why)
    SELECT chosen.id, 'blank', chosen.status, chosen.status, @who::text, @why::text
    FROM chosen
    WHERE @why::text <> ''
)
SELECT (SELECT count(*) FROM blanked)::bigint AS runs, (SELECT coalesce(sum(chosen.bytes), 0) FROM chosen)::bigint AS bytes;

-- Whether somebody has to go before who tidies up: a server that takes no writes, jobs that
-- are due and wait for a worker, or earlier runs that are still to be added to the search.
-- name: RetentionMay :one
SELECT (current_setting('transaction_read_only') = 'on')::boolean AS read_only,
    EXISTS (
        SELECT 1
        FROM river.river_job AS job
        WHERE job.state = 'available'
            AND job.scheduled_at < clock_timestamp() - interval '5 seconds'
    )::boolean AS busy,
    EXISTS (SELECT 1 FROM run_search_fill)::boolean AS filling;

-- One process at a time: the lock goes with the transaction.
-- name: RetentionLock :one
SELECT pg_try_advisory_xact_lock(@class::int, @number::int)::boolean AS mine;

-- A page of runs in the order of their arrival, with whether any text of one names an
-- e-mail: as it is, or escaped as JSON of ASCII has it. The whole of every text is read: a
-- message may quote it too, and what names somebody else of a like address is told by the
-- characters around it.
-- name: ForgetScan :many
WITH page AS MATERIALIZED (
    SELECT run.id, run.received_at,
        CASE WHEN run.blanked_at IS NULL THEN lower(concat_ws(E'\n', run.body::text, run.canonical::text, run.decision::text, run.document::text,
            run.error_message, run.error_detail)) ELSE '' END AS said
    FROM sync_runs AS run
    WHERE (run.received_at, run.id) > (@after_at::timestamptz, @after_id::uuid)
    ORDER BY run.received_at, run.id
    LIMIT @max_rows
)
SELECT page.id, page.received_at,
    (position(@email::text IN page.said) > 0 AND page.said ~ @pattern::text
        OR position(@escaped::text IN page.said) > 0 AND page.said ~ @escaped_pattern::text
        OR coalesce(told.named, false)
        OR coalesce(called.named, false))::boolean AS named
FROM page
-- An aggregate each, so that it is a look-up for each run: as EXISTS beside an OR the whole
-- table would be read for every page.
CROSS JOIN LATERAL (
    SELECT bool_or(position(@email::text IN lower(event.why)) > 0 AND lower(event.why) ~ @pattern::text) AS named
    FROM sync_run_events AS event
    WHERE event.run_id = page.id
) AS told
CROSS JOIN LATERAL (
    SELECT bool_or(position(@email::text IN made.said) > 0 AND made.said ~ @pattern::text
        OR position(@escaped::text IN made.said) > 0 AND made.said ~ @escaped_pattern::text) AS named
    FROM (SELECT lower(run_calls.calls::text) AS said FROM run_calls WHERE run_calls.run_id = page.id OFFSET 0) AS made
) AS called
ORDER BY page.received_at, page.id;

-- These runs, and the others of the same document, customer or product.
-- name: ForgetRuns :many
SELECT run.id, tenant.name AS tenant, tenant.magento_url, run.binding_id, binding.provider, run.event, run.magento_entity_id, run.status,
    run.received_at, run.finished_at, run.provider_reference, run.provider_url,
    coalesce(known.number, '')::text AS number, coalesce(known.amount, '')::text AS amount, coalesce(known.currency, '')::text AS currency,
    coalesce(run.document ->> 'contact_id', '')::text AS contact_id
FROM sync_runs AS run
JOIN tenants AS tenant ON tenant.id = run.tenant_id
JOIN bindings AS binding ON binding.id = run.binding_id
LEFT JOIN LATERAL (SELECT * FROM run_search WHERE run_search.run_id = run.id OFFSET 0) AS known ON true
WHERE run.blanked_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM sync_runs AS named
        WHERE named.id = ANY (@ids::uuid[])
            AND named.magento_entity_id = run.magento_entity_id
            AND named.entity_type = run.entity_type
            AND named.binding_id = run.binding_id
    )
ORDER BY run.received_at, run.id;

-- What River keeps of the jobs of these runs for some days yet: the errors' texts.
-- name: ForgetJobs :execrows
UPDATE river.river_job AS job
SET errors = NULL, metadata = job.metadata - 'towpath'
WHERE job.finalized_at IS NOT NULL
    AND job.args ->> 'run_id' = ANY (@run_ids::text[]);
