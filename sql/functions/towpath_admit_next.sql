-- needs: towpath_has_share
-- A job left the hand.
CREATE OR REPLACE FUNCTION towpath_admit_next() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM towpath_admit(OLD.kind, OLD.args ->> 'share');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_leave_update
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state IN ('available', 'running') AND NEW.state NOT IN ('available', 'running')
    AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_admit_next();

CREATE OR REPLACE TRIGGER towpath_leave_delete
AFTER DELETE ON river.river_job
FOR EACH ROW
WHEN (OLD.state IN ('available', 'running') AND towpath_has_share(OLD.kind, OLD.args))
EXECUTE FUNCTION towpath_admit_next();
