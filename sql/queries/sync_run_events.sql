-- name: SyncRunEventInsert :exec
INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
VALUES (@run_id, @step, sqlc.narg('from_status'), @to_status, @attempt, @who, @why);

-- name: SyncRunEventList :many
SELECT *
FROM sync_run_events
WHERE run_id = @run_id
ORDER BY id;
