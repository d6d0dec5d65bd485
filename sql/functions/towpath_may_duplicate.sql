-- Whether a provider may take one document twice: then a call of a process that is
-- given up for dead must have timed out before anybody tries again. False only where
-- the provider is known to refuse the second (Xero: by number and idempotency key).
CREATE OR REPLACE FUNCTION towpath_may_duplicate(provider text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT provider <> 'xero'
$$;
