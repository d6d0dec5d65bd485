-- name: BindingInsert :exec
INSERT INTO bindings (id, tenant_id, provider, wire, api_url, org_id, token_sealed)
VALUES (@id, @tenant_id, @provider, @wire, @api_url, @org_id, @token_sealed);

-- name: BindingGet :one
SELECT *
FROM bindings
WHERE id = @id;

-- name: BindingList :many
SELECT *
FROM bindings
ORDER BY created_at, id;

-- All bindings of a tenant, oldest first.
-- name: BindingByTenant :many
SELECT id
FROM bindings
WHERE tenant_id = @tenant_id
ORDER BY created_at, id;

-- The bindings of the tenants of a name, in whatever case, oldest first.
-- name: BindingByTenantName :many
SELECT binding.*
FROM bindings AS binding
JOIN tenants AS tenant ON tenant.id = binding.tenant_id
WHERE lower(trim(tenant.name)) = lower(trim(@name::text))
ORDER BY binding.created_at, binding.id;

-- Every binding of a tenant that may take events; the hot path of the ingress.
-- name: BindingLiveByTenant :many
SELECT id, provider, status, policy_version
FROM bindings
WHERE tenant_id = @tenant_id
    AND status <> 'revoked'
ORDER BY created_at, id;

-- name: BindingRevoke :execrows
UPDATE bindings
SET status = 'revoked', revoked_at = now(), token_sealed = NULL
WHERE id = @id
    AND status <> 'revoked';

-- name: BindingSetStatus :execrows
UPDATE bindings
SET status = @status
WHERE id = @id
    AND status NOT IN ('revoked', @status);

-- A pause only ever grows: two answers that name different times mean the later.
-- name: BindingPauseUntil :exec
UPDATE bindings
SET paused_until = greatest(paused_until, @until::timestamptz)
WHERE id = @id;

-- name: BindingSetReference :exec
UPDATE bindings
SET reference = @reference, reference_at = @reference_at::timestamptz
WHERE id = @id;

-- name: BindingSetPolicyVersion :exec
UPDATE bindings
SET policy_version = @policy_version
WHERE id = @id;

-- Serialises two saves of one binding's policy.
-- name: BindingLock :one
SELECT *
FROM bindings
WHERE id = @id
FOR UPDATE;

-- A new token makes a binding that was refused active again.
-- name: BindingSetToken :execrows
UPDATE bindings
SET token_sealed = @token_sealed, status = 'active', reference_tried_at = NULL
WHERE id = @id
    AND status <> 'revoked';

-- The right to read the reference data, or a part of it: one worker in so many
-- seconds has it.
-- name: BindingTakeReference :execrows
UPDATE bindings
SET reference_tried_at = clock_timestamp()
WHERE id = @id
    AND (reference_tried_at IS NULL OR reference_tried_at < clock_timestamp() - make_interval(secs => @seconds::float8));

-- Who set out to read was not let: the next may at once.
-- name: BindingLeaveReference :exec
UPDATE bindings
SET reference_tried_at = NULL
WHERE id = @id;

-- Live bindings whose reference data are older than a day, or were never read.
-- name: BindingReferenceDue :many
SELECT *
FROM bindings
WHERE status = 'active'
    AND (reference_at IS NULL OR reference_at < clock_timestamp() - make_interval(secs => @seconds::float8))
ORDER BY id;

-- Another address or organisation: what was read of the old one is forgotten.
-- name: BindingSetAddress :execrows
UPDATE bindings
SET api_url = coalesce(sqlc.narg('api_url'), api_url), org_id = coalesce(sqlc.narg('org_id'), org_id),
    reference = NULL, reference_at = NULL, reference_tried_at = NULL
WHERE id = @id
    AND status <> 'revoked';

-- Something has changed: what was read of the provider is looked at again.
-- name: BindingLookAgain :exec
UPDATE bindings
SET reference_tried_at = NULL
WHERE id = @id;

-- A person's word goes before the provider's: the pause is over, and what was read
-- of the provider is looked at again.
-- name: BindingClearPause :exec
UPDATE bindings
SET paused_until = NULL, reference_tried_at = NULL
WHERE id = @id;

-- The other live bindings of a binding's organisation, oldest first. An
-- organisation that is not known has none (schema.sql, bindings.org_key).
-- name: BindingNeighbours :many
SELECT other.id, other.tenant_id, tenant.name AS shop, policy.policy
FROM bindings AS binding
JOIN bindings AS other
    ON other.provider = binding.provider
    AND other.org_key = binding.org_key
    AND other.id <> binding.id
    AND other.status <> 'revoked'
JOIN tenants AS tenant ON tenant.id = other.tenant_id
JOIN policies AS policy ON policy.binding_id = other.id AND policy.version = other.policy_version
WHERE binding.id = @id
    AND binding.org_key NOT LIKE '%#'
ORDER BY other.created_at, other.id;
