-- What an attempt that did not succeed called; of a run that is tried for weeks the
-- newest ten such attempts are kept.
-- name: RunCallsInsert :exec
WITH older AS (
    DELETE FROM run_calls
    WHERE run_id = @run_id
        AND id IN (SELECT old.id FROM run_calls AS old WHERE old.run_id = @run_id ORDER BY old.id DESC OFFSET 9)
)
INSERT INTO run_calls (run_id, attempt, calls)
VALUES (@run_id, @attempt, @calls);

-- name: RunCallsList :many
SELECT at, attempt, calls
FROM run_calls
WHERE run_id = @run_id
ORDER BY id;
