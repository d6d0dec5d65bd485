-- Which organisation a binding writes to has become known: what was recorded under
-- its address moves there. An organisation that was known keeps its own.
CREATE OR REPLACE FUNCTION binding_organisation_known() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE entity_xref AS x
    SET org_key = NEW.org_key,
        disputed = x.disputed OR x.entity_type = 'invoice' AND EXISTS (
            SELECT 1
            FROM entity_xref AS other
            WHERE other.entity_type = 'invoice'
                AND (other.provider, other.org_key, other.provider_id) = (x.provider, NEW.org_key, x.provider_id)
                AND NOT other.disputed
        )
    FROM sync_runs AS run
    WHERE run.id = x.run_id
        AND run.binding_id = NEW.id
        AND x.org_key = OLD.org_key
        AND NOT EXISTS (
            SELECT 1
            FROM entity_xref AS same
            WHERE (same.tenant_id, same.provider, same.org_key, same.entity_type, same.shop_id)
                = (x.tenant_id, x.provider, NEW.org_key, x.entity_type, x.shop_id)
        );
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER bindings_organisation_known
AFTER UPDATE OF org_id, reference ON bindings
FOR EACH ROW
WHEN (OLD.org_key IS DISTINCT FROM NEW.org_key AND OLD.api_url = NEW.api_url
    AND OLD.org_id = '' AND coalesce(OLD.reference -> 'organisation' ->> 'id', '') = '')
EXECUTE FUNCTION binding_organisation_known();
