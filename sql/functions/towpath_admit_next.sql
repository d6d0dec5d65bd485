-- needs: towpath_has_share
-- A job in flight was deleted.
CREATE OR REPLACE FUNCTION towpath_admit_next() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM towpath_admit(OLD.kind, OLD.args ->> 'share');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_leave_delete
AFTER DELETE ON river.river_job
FOR EACH ROW
WHEN (OLD.state IN ('available', 'running') AND towpath_has_share(OLD.kind, OLD.args))
EXECUTE FUNCTION towpath_admit_next();
