-- needs: towpath_ahead
-- Whether a run may wait without looking again: each run ahead of it is locked until
-- this commits, so that its end finds the waiting job (towpath_wake). Where one of
-- them is just being changed, nobody waits for that here: the run comes again soon.
-- One whose invoice is unknown waits for a run of that to come, and to end.
CREATE OR REPLACE FUNCTION towpath_park(run uuid, unknown boolean) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    locked uuid[];
BEGIN
    IF unknown THEN
        RETURN NOT EXISTS (
            SELECT 1
            FROM sync_runs AS mine
            JOIN sync_runs AS created ON created.entity_type = 'invoice'
                AND created.magento_entity_id = split_part(mine.lane, ':', 2)::bigint
                AND created.binding_id = mine.binding_id
                AND created.event = 'invoice.created'
            WHERE mine.id = towpath_park.run
        );
    END IF;
    WITH held AS (
        SELECT other.id
        FROM towpath_ahead(run) AS ahead (id)
        CROSS JOIN LATERAL (
            SELECT sync_runs.id FROM sync_runs WHERE sync_runs.id = ahead.id FOR SHARE SKIP LOCKED
        ) AS other
    )
    SELECT array_agg(id) INTO locked FROM held;
    -- Asked again: one may have ended between the look and its lock. Of those that are
    -- locked now none can.
    RETURN EXISTS (SELECT 1 FROM towpath_ahead(run))
        AND NOT EXISTS (SELECT 1 FROM towpath_ahead(run) AS ahead WHERE ahead <> ALL (coalesce(locked, '{}')));
END
$$;
