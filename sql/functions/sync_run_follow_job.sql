-- Everything but start and success. It raises only what passes (a deadlock, a
-- shutdown): one row that always raised would fail a whole batch of River's and be
-- tried without end. What it could not carry shows in run_queue_mismatch.
CREATE OR REPLACE FUNCTION sync_run_follow_job() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM sync_run_carry(OLD, OLD, 'deleted');
    ELSE
        PERFORM sync_run_carry(OLD, NEW, NEW.state::text);
    END IF;
    RETURN NULL;
EXCEPTION
    -- What passes is the writer's to try again, with the run as it was.
    WHEN deadlock_detected OR serialization_failure OR lock_not_available OR query_canceled OR admin_shutdown THEN
        RAISE;
    WHEN OTHERS THEN
        RAISE WARNING 'towpath: job % (%) not carried to its run: %', OLD.id, TG_OP, SQLERRM;
        RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_follow_job
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state NOT IN ('running', 'completed'))
EXECUTE FUNCTION sync_run_follow_job();

CREATE OR REPLACE TRIGGER towpath_follow_delete
AFTER DELETE ON river.river_job
FOR EACH ROW
WHEN (OLD.finalized_at IS NULL)
EXECUTE FUNCTION sync_run_follow_job();
