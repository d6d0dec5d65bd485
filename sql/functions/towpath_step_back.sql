-- Where more are in flight than there is room for (let in by hand, or with the
-- triggers off), completions keep the number as it is: what nobody has begun steps back.
CREATE OR REPLACE FUNCTION towpath_step_back(kind text, share text) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    excess integer;
    moved integer := 0;
BEGIN
    SELECT count(*) - 5 INTO excess
    FROM river.river_job AS job
    WHERE job.kind = towpath_step_back.kind
        AND job.args ->> 'share' = towpath_step_back.share
        AND job.state IN ('available', 'running')
        AND job.finalized_at IS NULL
        AND NOT (job.state = 'running' AND job.metadata ->> 'batch' IS NOT DISTINCT FROM job.attempt::text);
    IF excess > 0 THEN
        UPDATE river.river_job AS job
        SET state = 'pending'
        FROM (
            SELECT last.id
            FROM river.river_job AS last
            WHERE last.kind = towpath_step_back.kind
                AND last.args ->> 'share' = towpath_step_back.share
                AND last.state = 'available'
                AND last.finalized_at IS NULL
            ORDER BY last.priority DESC, last.scheduled_at DESC, last.id DESC
            LIMIT excess
            FOR UPDATE SKIP LOCKED
        ) AS last
        WHERE job.id = last.id;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    RETURN moved;
END
$$;
