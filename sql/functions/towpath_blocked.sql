-- Why a partition is blocked: the hold reason of its runs; null: it is not. Until a
-- person acts (auth, binding_revoked), or until a probe is answered (..._no_answer). A
-- partition is a tenant's, but at the stage that writes to a ledger a binding's.
CREATE OR REPLACE FUNCTION towpath_blocked(kind text, share text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
    IF towpath_stage(kind) = 'post' THEN
        RETURN (SELECT coalesce(CASE binding.status WHEN 'needs_consent' THEN 'auth' WHEN 'revoked' THEN 'binding_revoked' END, circuit.reason)
            FROM bindings AS binding
            LEFT JOIN circuits AS circuit ON circuit.key = share AND circuit.opened_at IS NOT NULL
            WHERE binding.id = share::uuid);
    END IF;
    RETURN (SELECT coalesce(CASE tenant.connection_status WHEN 'token_revoked' THEN 'auth' END, circuit.reason)
        FROM tenants AS tenant
        LEFT JOIN circuits AS circuit ON circuit.key = share AND circuit.opened_at IS NOT NULL
        WHERE tenant.id = share::uuid);
END
$$;
