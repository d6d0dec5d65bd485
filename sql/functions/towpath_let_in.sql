-- Makes so many of a share's waiting jobs available, the most urgent first and none
-- less urgent than the priority, and wakes the workers as River does.
CREATE OR REPLACE FUNCTION towpath_let_in(kind text, share text, least_urgent integer, places integer) RETURNS integer
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    admitted integer;
BEGIN
    UPDATE river.river_job AS job
    SET state = 'available'
    FROM (
        SELECT waiting.id
        FROM river.river_job AS waiting
        WHERE waiting.kind = towpath_let_in.kind
            AND waiting.args ->> 'share' = towpath_let_in.share
            AND waiting.state = 'pending'
            AND waiting.priority <= least_urgent
            AND waiting.finalized_at IS NULL
            AND waiting.scheduled_at <= clock_timestamp()
        ORDER BY waiting.priority, waiting.scheduled_at, waiting.id
        LIMIT places
        FOR UPDATE SKIP LOCKED
    ) AS next
    WHERE job.id = next.id;
    GET DIAGNOSTICS admitted = ROW_COUNT;
    IF admitted > 0 THEN
        PERFORM pg_notify('river.river_insert', json_build_object('queue', kind)::text);
    END IF;
    RETURN admitted;
END
$$;
