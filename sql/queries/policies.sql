-- name: PolicyInsert :exec
INSERT INTO policies (binding_id, version, policy)
VALUES (@binding_id, @version, @policy);

-- name: PolicyGet :one
SELECT *
FROM policies
WHERE binding_id = @binding_id
    AND version = @version;
