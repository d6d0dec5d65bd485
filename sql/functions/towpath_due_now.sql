-- A job that is due at once is due by the database's clock: the one that inserts
-- it stamps it by its own, and a clock ahead would park it for that long.
CREATE OR REPLACE FUNCTION towpath_due_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.scheduled_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER towpath_due_now
BEFORE INSERT ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND NEW.scheduled_at > clock_timestamp())
EXECUTE FUNCTION towpath_due_now();
