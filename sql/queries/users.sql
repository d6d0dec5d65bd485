-- name: UserAdd :one
INSERT INTO users (name, role, password_hash, password_at, tenant_id)
VALUES (@name, @role, @password_hash, @password_at, @tenant_id)
RETURNING *;

-- name: UserGet :one
SELECT *
FROM users
WHERE name = @name;

-- name: UserGetForUpdate :one
SELECT *
FROM users
WHERE name = @name
FOR UPDATE;

-- Of the account that an identity provider means.
-- name: UserGetOfIssuerForUpdate :one
SELECT *
FROM users
WHERE oidc_issuer = @oidc_issuer::text AND oidc_subject = @oidc_subject::text
FOR UPDATE;

-- name: UserAddVouched :one
INSERT INTO users (name, role, oidc_issuer, oidc_subject)
VALUES (@name, @role, @oidc_issuer::text, @oidc_subject::text)
RETURNING *;

-- What the identity provider says of a user from now on.
-- name: UserVouch :one
UPDATE users
SET role = @role, oidc_issuer = @oidc_issuer::text, oidc_subject = @oidc_subject::text
WHERE id = @id
RETURNING *;

-- name: UserList :many
SELECT sqlc.embed(users), (
        SELECT count(*)
        FROM user_sessions AS live
        WHERE live.user_id = users.id AND live.expires_at > @now AND live.seen_at > @idle_since
    ) AS sessions
FROM users
ORDER BY name;

-- name: UserAny :one
SELECT EXISTS (SELECT FROM users WHERE disabled_at IS NULL);

-- name: UserSetPassword :exec
UPDATE users
SET password_hash = @password_hash, password_at = @password_at
WHERE id = @id;

-- The same password under today's cost: nobody's session ends.
-- name: UserRehash :exec
UPDATE users
SET password_hash = @after
WHERE id = @id AND password_hash = @before::text;

-- name: UserSetRole :exec
UPDATE users
SET role = @role
WHERE id = @id;

-- name: UserSetDisabled :exec
UPDATE users
SET disabled_at = @disabled_at
WHERE id = @id;

-- name: UserDelete :exec
DELETE FROM users
WHERE id = @id;

-- How many could still change users, but for this one.
-- name: UserOtherAdmins :one
SELECT count(*)
FROM users
WHERE role = 'admin' AND disabled_at IS NULL AND id <> @id;

-- Made where there is none of the name; no row where there is.
-- name: UserAddMissing :execrows
INSERT INTO users (name, role, password_hash, password_at)
VALUES (@name, @role, @password_hash, @password_at)
ON CONFLICT DO NOTHING;

-- name: UserSessionAdd :exec
INSERT INTO user_sessions (token_hash, user_id, created_at, seen_at, expires_at)
VALUES (@token_hash, @user_id, @now, @now, @expires_at);

-- name: UserSessionGet :one
SELECT sqlc.embed(users), s.seen_at
FROM user_sessions AS s
JOIN users ON users.id = s.user_id
WHERE s.token_hash = @token_hash AND s.expires_at > @now AND s.seen_at > @idle_since AND users.disabled_at IS NULL;

-- name: UserSessionSeen :exec
UPDATE user_sessions
SET seen_at = @now
WHERE token_hash = @token_hash AND seen_at < @now;

-- name: UserSessionEnd :exec
DELETE FROM user_sessions
WHERE token_hash = @token_hash;

-- name: UserSessionEndAll :execrows
DELETE FROM user_sessions
WHERE user_id = @user_id;

-- name: UserSessionSweep :exec
DELETE FROM user_sessions
WHERE expires_at <= @now;

-- Takes one from the allowance of a key, which is whole again at whole_at if it is
-- whole now. No row where nothing was left, which is where it is whole only after
-- spent_at.
-- name: SignInCharge :execrows
INSERT INTO sign_in_slowed AS slowed (key, clear_at)
VALUES (@key, sqlc.arg(whole_at)::timestamptz)
ON CONFLICT (key) DO UPDATE
SET clear_at = greatest(sqlc.arg(whole_at), slowed.clear_at + (sqlc.arg(whole_at) - sqlc.arg(now)::timestamptz))
WHERE slowed.clear_at <= sqlc.arg(spent_at)::timestamptz;

-- name: SignInClearAt :one
SELECT clear_at
FROM sign_in_slowed
WHERE key = @key;

-- What turned out not to be a failure is given back.
-- name: SignInRefund :exec
UPDATE sign_in_slowed
SET clear_at = clear_at - interval '1 second' * sqlc.arg(seconds)::float8
WHERE key = @key;

-- What is whole again, some at a time.
-- name: SignInSweep :exec
DELETE FROM sign_in_slowed
WHERE key IN (
    SELECT old.key
    FROM sign_in_slowed AS old
    WHERE old.clear_at <= @now
    ORDER BY old.clear_at
    LIMIT 100
    FOR UPDATE SKIP LOCKED
);

-- Whose frame it is: the shop in whose admin it stands, and whether anything is
-- written for it.
-- name: EmbedTenantGet :one
SELECT tenant.id, tenant.name, tenant.magento_url, (
        tenant.connection_status <> 'token_revoked'
        AND EXISTS (SELECT FROM bindings AS b WHERE b.tenant_id = tenant.id AND b.status <> 'revoked')
    )::boolean AS live
FROM tenants AS tenant
WHERE tenant.id = @id;
