-- needs: towpath_ahead
-- Whether a run may wait without looking again: each run ahead of it is locked until
-- this commits, so that its end finds the waiting job (towpath_wake). Where one of
-- them is just being changed, nobody waits for that here: the run comes again soon.
CREATE OR REPLACE FUNCTION towpath_park(run uuid) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    ahead integer;
    locked integer;
BEGIN
    SELECT count(*) INTO ahead FROM towpath_ahead(run);
    SELECT count(*) INTO locked
    FROM (
        SELECT 1
        FROM sync_runs
        WHERE id IN (SELECT towpath_ahead(run))
        FOR SHARE SKIP LOCKED
    ) AS held;
    RETURN ahead > 0 AND ahead = locked;
END
$$;
