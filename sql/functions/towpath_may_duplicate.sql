-- Whether a ledger that speaks this wire may take one document twice: then a call of a
-- process that is given up for dead must have timed out before anybody tries again. False
-- only where the second is known to be refused (Xero's Accounting API: by number and
-- idempotency key); wire v2 is FreeAgent's, whoever the provider is.
CREATE OR REPLACE FUNCTION towpath_may_duplicate(provider text, wire text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (provider, wire) <> ('xero', 'accounting')
$$;
