-- needs: towpath_has_share
-- The gate. A job that a worker gave back for a moment since it waits for another
-- run steps behind those that wait, which may well have that run among them; one
-- that waits for its slot keeps its place. A partition that is refused lets its own
-- probe come back; one that does not answer lets nobody in here (towpath_probe).
CREATE OR REPLACE FUNCTION towpath_gate() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    share text := NEW.args ->> 'share';
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'running' AND NEW.scheduled_at > clock_timestamp() THEN
        IF towpath_blocked(NEW.kind, share) LIKE '%\_no\_answer' OR NOT towpath_waits(NEW.kind, share, NEW.priority) AND EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = NEW.kind AND job.args ->> 'share' = share AND job.state = 'pending' AND job.finalized_at IS NULL
        ) THEN
            NEW.state := 'pending';
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.state IN ('scheduled', 'retryable') AND towpath_blocked(NEW.kind, share) NOT LIKE '%\_no\_answer' THEN
        RETURN NEW;
    -- Counted alone, or not at all: where somebody else lets in at this moment, the
    -- job waits for the heartbeat. Waiting for the lock could block rows of a set each other.
    ELSIF NOT pg_try_advisory_xact_lock(844323, hashtext(NEW.kind || share)) OR NOT towpath_has_room(NEW.kind, share, NEW.priority) THEN
        NEW.state := 'pending';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER towpath_gate_insert
BEFORE INSERT ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_gate();

CREATE OR REPLACE TRIGGER towpath_gate_update
BEFORE UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND OLD.state NOT IN ('available', 'pending') AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_gate();
