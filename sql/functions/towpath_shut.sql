-- Why a share is shut until a person acts: the hold reason of its runs; null: it
-- is open. A share is a tenant's, but at the stage that writes to a ledger a binding's.
CREATE OR REPLACE FUNCTION towpath_shut(kind text, share text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
    IF towpath_stage(kind) = 'post' THEN
        RETURN (SELECT CASE status WHEN 'needs_consent' THEN 'auth' WHEN 'revoked' THEN 'binding_revoked' END
            FROM bindings WHERE id = share::uuid);
    END IF;
    RETURN (SELECT CASE connection_status WHEN 'token_revoked' THEN 'auth' END FROM tenants WHERE id = share::uuid);
END
$$;
