-- Spends a token. No row comes back where it was spent already.
-- name: SpentJTIInsert :execrows
INSERT INTO spent_jtis (tenant_id, jti, request_key, expires_at)
VALUES (@tenant_id, @jti, @request_key, @expires_at)
ON CONFLICT DO NOTHING;

-- name: SpentJTIGet :one
SELECT *
FROM spent_jtis
WHERE tenant_id = @tenant_id
    AND jti = @jti;

-- name: SpentJTIDeleteExpired :execrows
DELETE FROM spent_jtis
WHERE expires_at < @before::timestamptz;
