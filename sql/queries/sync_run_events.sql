-- name: SyncRunEventInsert :exec
INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
VALUES (@run_id, @step, sqlc.narg('from_status'), @to_status, @attempt, @who, @why);

-- What was about to be written, of a set of attempts under way.
-- name: SyncRunEventInsertIntents :exec
INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
SELECT noted.run_id, 'intend', 'running', 'running', noted.attempt, noted.who, noted.why
FROM (
    SELECT unnest(@run_ids::uuid[]) AS run_id, unnest(@attempts::int[]) AS attempt, unnest(@whos::text[]) AS who, unnest(@whys::text[]) AS why
) AS noted;

-- The newest row of all, which says whether anything has changed.
-- name: SyncRunEventNewest :one
SELECT coalesce(max(id), 0)::bigint
FROM sync_run_events;

-- name: SyncRunEventList :many
SELECT *
FROM sync_run_events
WHERE run_id = @run_id
ORDER BY id;
