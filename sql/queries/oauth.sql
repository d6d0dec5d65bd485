-- name: OAuthGrantInsert :exec
INSERT INTO oauth_grants (binding_id, kind, client_id, client_secret_sealed, identity_url)
VALUES (@binding_id, @kind, @client_id, @client_secret_sealed, @identity_url);

-- Another app for a binding: what the app before got is forgotten.
-- name: OAuthGrantSet :exec
INSERT INTO oauth_grants (binding_id, kind, client_id, client_secret_sealed, identity_url)
VALUES (@binding_id, @kind, @client_id, @client_secret_sealed, @identity_url)
ON CONFLICT (binding_id) DO UPDATE
SET kind = @kind, client_id = @client_id, client_secret_sealed = @client_secret_sealed, identity_url = @identity_url,
    tokens_sealed = NULL, issued_at = NULL, refresh_at = NULL, expires_at = NULL, refused = NULL, refused_at = NULL;

-- The grant, how long its tokens last (the database's clock decides), and whose
-- it is. No row: the binding has a fixed token, or is revoked.
-- name: OAuthGrantGet :one
SELECT sqlc.embed(oauth_grants), bindings.provider, bindings.api_url, bindings.org_id,
    coalesce(extract(epoch FROM clock_timestamp() - oauth_grants.issued_at), 0)::float8 AS age,
    coalesce(extract(epoch FROM oauth_grants.refresh_at - clock_timestamp()), 0)::float8 AS refresh_in,
    coalesce(extract(epoch FROM oauth_grants.expires_at - clock_timestamp()), 0)::float8 AS expires_in,
    coalesce(extract(epoch FROM clock_timestamp() - oauth_grants.refused_at), 0)::float8 AS refused_for
FROM oauth_grants
JOIN bindings ON bindings.id = oauth_grants.binding_id
WHERE oauth_grants.binding_id = @binding_id;

-- One refresh of a binding at a time, over all processes. The limits are of this
-- transaction: a holder whose machine vanished is cut off by the server.
-- name: OAuthGrantLimits :exec
SELECT set_config('lock_timeout', @lock_timeout::text, true),
    set_config('idle_in_transaction_session_timeout', @idle_timeout::text, true);

-- Read it after this, not with it: what waited for the lock may have been read before.
-- name: OAuthGrantLock :one
SELECT binding_id
FROM oauth_grants
WHERE binding_id = @binding_id
FOR UPDATE;

-- No row: the binding has another app by now, or none.
-- name: OAuthGrantStore :execrows
UPDATE oauth_grants
SET tokens_sealed = @tokens_sealed, refused = NULL, refused_at = NULL,
    issued_at = clock_timestamp(),
    refresh_at = clock_timestamp() + make_interval(secs => @refresh_in),
    expires_at = clock_timestamp() + make_interval(secs => @expires_in)
WHERE binding_id = @binding_id
    AND client_id = @client_id
    AND identity_url = @identity_url;

-- name: OAuthGrantRefuse :exec
UPDATE oauth_grants
SET refused = @refused::text, refused_at = clock_timestamp()
WHERE binding_id = @binding_id;

-- name: OAuthGrantSetSecret :execrows
UPDATE oauth_grants
SET client_secret_sealed = @client_secret_sealed
WHERE binding_id = @binding_id;

-- The tokens that are due. One whose consent was withdrawn is not: only a person
-- can mend that.
-- name: OAuthGrantsDue :many
SELECT binding_id
FROM oauth_grants
WHERE refresh_at <= clock_timestamp()
    AND (refused IS NULL
        OR refused <> 'invalid_grant' AND refused_at < clock_timestamp() - make_interval(secs => @recheck))
ORDER BY expires_at;

-- When the first access token expires, in seconds from now; negative: it has.
-- Without tokens there is no such time: grants is 0.
-- name: OAuthEarliestExpiry :one
SELECT count(expires_at) AS grants,
    coalesce(extract(epoch FROM min(expires_at) - clock_timestamp()), 0)::float8 AS seconds
FROM oauth_grants;

-- Not if a consent came meanwhile.
-- name: OAuthBindingNeedsConsent :execrows
UPDATE bindings
SET status = 'needs_consent'
WHERE id = @id
    AND status = 'active'
    AND EXISTS (SELECT 1 FROM oauth_grants WHERE binding_id = bindings.id AND refused IS NOT NULL);

-- A binding is pinned to the organisation of its first consent, for good. The
-- pin is kept letter by letter: what was posted is found by it. The released
-- runs need not wait for a read of the reference data that failed before.
-- name: OAuthBindingConnect :one
UPDATE bindings
SET status = 'active', org_id = CASE WHEN org_id = '' THEN @org_id ELSE org_id END, token_sealed = NULL,
    reference_tried_at = NULL
WHERE id = @id
    AND status <> 'revoked'
    AND (org_id = '' OR lower(org_id) = lower(@org_id))
RETURNING policy_version;

-- name: OAuthBindingPin :execrows
UPDATE bindings
SET org_id = @org_id
WHERE id = @id
    AND org_id = '';

-- name: OAuthStateInsert :exec
INSERT INTO oauth_states (state_hash, binding_id, redirect_uri, expires_at)
VALUES (@state_hash, @binding_id, @redirect_uri, clock_timestamp() + make_interval(secs => @seconds));

-- What a link that nobody has followed yet connects.
-- name: OAuthStateLink :one
SELECT oauth_states.binding_id, oauth_states.redirect_uri, tenants.name AS tenant
FROM oauth_states
JOIN bindings ON bindings.id = oauth_states.binding_id
JOIN tenants ON tenants.id = bindings.tenant_id
WHERE oauth_states.state_hash = @state_hash
    AND oauth_states.browser_hash IS NULL
    AND oauth_states.expires_at > clock_timestamp();

-- Uses a link up: the consent is one browser's from here on.
-- name: OAuthStateBegin :execrows
UPDATE oauth_states
SET state_hash = @state_hash, browser_hash = @browser_hash, verifier_sealed = @verifier_sealed
WHERE state_hash = @link_hash
    AND browser_hash IS NULL
    AND expires_at > clock_timestamp();

-- Uses a state up, if the browser that began it brings it back.
-- name: OAuthStateTake :one
DELETE FROM oauth_states
WHERE state_hash = @state_hash
    AND browser_hash = @browser_hash
    AND expires_at > clock_timestamp()
RETURNING binding_id, redirect_uri, verifier_sealed;

-- name: OAuthStateDeleteExpired :execrows
DELETE FROM oauth_states
WHERE expires_at <= clock_timestamp();
