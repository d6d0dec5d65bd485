-- Lets as many of a share's waiting jobs in as there is room for, and wakes the
-- workers as River does; none where somebody else lets in at this moment: the
-- heartbeat comes again.
CREATE OR REPLACE FUNCTION towpath_admit(kind text, share text) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    next river.river_job;
    admitted integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(844323, hashtext(kind || share)) THEN
        RETURN 0;
    END IF;
    LOOP
        SELECT * INTO next
        FROM river.river_job AS job
        WHERE job.kind = towpath_admit.kind
            AND job.args ->> 'share' = towpath_admit.share
            AND job.state = 'pending'
            AND job.finalized_at IS NULL
            AND job.scheduled_at <= clock_timestamp()
        ORDER BY job.priority, job.scheduled_at, job.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND OR NOT towpath_has_room(kind, share, next.priority);
        UPDATE river.river_job SET state = 'available' WHERE id = next.id;
        admitted := admitted + 1;
    END LOOP;
    IF admitted > 0 THEN
        PERFORM pg_notify('river.river_insert', json_build_object('queue', kind)::text);
    END IF;
    RETURN admitted;
END
$$;
