-- The runs that bear all the words, newest first. No index has this order, on purpose: a
-- beginning of a word is taken for more frequent than it is, and the index would be read to its end.
-- name: RunSearchTerms :many
SELECT run_id
FROM run_search
WHERE terms @@ CAST(@words::text AS tsquery)
    AND (sqlc.narg('since')::timestamptz IS NULL OR received_at >= sqlc.narg('since'))
    AND (sqlc.narg('until')::timestamptz IS NULL OR received_at < sqlc.narg('until'))
ORDER BY received_at DESC, run_id DESC
LIMIT @max_rows;

-- The same among the newest runs alone, which are read one after the other: of words that
-- many bear the index above gives all.
-- name: RunSearchRecent :many
SELECT found.run_id
FROM (
    SELECT run.id, run.received_at
    FROM sync_runs AS run
    WHERE (sqlc.narg('since')::timestamptz IS NULL OR run.received_at >= sqlc.narg('since'))
        AND (sqlc.narg('until')::timestamptz IS NULL OR run.received_at < sqlc.narg('until'))
    ORDER BY run.received_at DESC, run.id DESC
    LIMIT @newest::int
) AS recent
JOIN LATERAL (
    SELECT run_search.run_id, run_search.terms
    FROM run_search
    WHERE run_search.run_id = recent.id
    OFFSET 0 -- one by its key after the other, until enough are found
) AS found ON true
WHERE found.terms @@ CAST(@words::text AS tsquery)
ORDER BY recent.received_at DESC, recent.id DESC
LIMIT @max_rows;

-- The runs of a document that has this number at its provider.
-- name: RunSearchReference :many
SELECT run.id
FROM entity_xref AS x
JOIN LATERAL (
    SELECT of_it.id
    FROM sync_runs AS of_it
    WHERE of_it.magento_entity_id = CASE WHEN x.shop_id ~ '^[0-9]{1,18}$' THEN x.shop_id::bigint END
        AND of_it.entity_type = x.entity_type
        AND of_it.tenant_id = x.tenant_id
    ORDER BY of_it.received_at DESC
    LIMIT 1000
) AS run ON true
WHERE lower(x.provider_reference) = lower(@reference::text)
    AND x.entity_type IN ('invoice', 'creditmemo')
LIMIT @max_rows;

-- The runs that were never read from the shop, and so have no row in run_search, whose
-- event names this number: those under way, of a great backlog a part, and those that
-- failed, of which the number is in an index.
-- name: RunSearchUnread :many
SELECT run.id
FROM (
    (SELECT live.id, live.body
    FROM sync_runs AS live
    WHERE live.finished_at IS NULL
        AND live.stage = 'fetch'
    LIMIT 10000)
    UNION ALL
    (SELECT failed.id, failed.body
    FROM sync_runs AS failed
    WHERE failed.error_code IS NOT NULL
        AND failed.canonical IS NULL
        AND failed.blanked_at IS NULL
        AND failed.finished_at IS NOT NULL
        AND lower(substring(failed.body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})')) = lower(@number::text)
    LIMIT 1000)
) AS run
WHERE position(lower(@number::text) IN lower(run.body::text)) > 0
    AND lower(substring(run.body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})')) = lower(@number::text)
LIMIT 1000;

-- Where the fill is; nobody else fills meanwhile. No row: it is done, or another's.
-- name: RunSearchFillGet :one
SELECT before_at, before_id
FROM run_search_fill
FOR UPDATE SKIP LOCKED;

-- name: RunSearchFillLeft :one
SELECT EXISTS (SELECT 1 FROM run_search_fill);

-- name: RunSearchFillNext :many
SELECT run.id, run.event, run.received_at, run.canonical
FROM sync_runs AS run
WHERE (run.received_at, run.id) < (@before_at::timestamptz, @before_id::uuid)
ORDER BY run.received_at DESC, run.id DESC
LIMIT @max_rows;

-- A row that a worker has written since stays.
-- name: RunSearchInsertMany :exec
INSERT INTO run_search (run_id, received_at, number, customer, amount, currency, terms)
SELECT unnest(@run_id::uuid[]), unnest(@received_at::timestamptz[]), unnest(@number::text[]), unnest(@customer::text[]),
    unnest(@amount::text[]), unnest(@currency::text[]), array_to_tsvector(string_to_array(unnest(@terms::text[]), E'\n'))
ON CONFLICT (run_id) DO NOTHING;

-- name: RunSearchFillMove :exec
UPDATE run_search_fill
SET before_at = @before_at, before_id = @before_id;

-- name: RunSearchFillEnd :exec
DELETE FROM run_search_fill;
