-- name: PolicyInsert :exec
INSERT INTO policies (binding_id, version, policy, who)
VALUES (@binding_id, @version, @policy, sqlc.narg('who'));

-- name: PolicyGet :one
SELECT *
FROM policies
WHERE binding_id = @binding_id
    AND version = @version;

-- Every version of a binding's settings, the first one first.
-- name: PolicyList :many
SELECT *
FROM policies
WHERE binding_id = @binding_id
ORDER BY version;
