-- A revoked binding keeps no secret, whoever revokes it.
CREATE OR REPLACE FUNCTION binding_forget_grant() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    DELETE FROM oauth_states WHERE binding_id = NEW.id;
    DELETE FROM oauth_grants WHERE binding_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER bindings_forget_grant
AFTER UPDATE OF status ON bindings
FOR EACH ROW
WHEN (NEW.status = 'revoked')
EXECUTE FUNCTION binding_forget_grant();
