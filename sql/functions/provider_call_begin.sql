-- A call that was asked for begins: true; false where too many are under way, and
-- null where it was asked for so long ago that it must be asked for anew. It counts
-- from now on, which is later than when it was asked for.
CREATE OR REPLACE FUNCTION provider_call_begin(call bigint, once_limit integer, client text DEFAULT NULL, moment timestamptz DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    binding uuid := (SELECT binding_id FROM provider_calls WHERE id = call);
    under_way integer;
BEGIN
    PERFORM 1 FROM call_budgets WHERE binding_id = binding FOR UPDATE;
    moment := coalesce(moment, clock_timestamp());
    SELECT count(*) INTO under_way
    FROM provider_calls
    WHERE binding_id = binding AND begun AND NOT ended AND counted_at > moment - interval '61 seconds';
    IF under_way >= once_limit THEN
        RETURN false;
    END IF;
    UPDATE provider_calls
    SET begun = true, counted_at = moment, client_id = client
    WHERE id = call AND counted_at > moment - interval '61 seconds';
    RETURN CASE WHEN FOUND THEN true END;
END
$$;
