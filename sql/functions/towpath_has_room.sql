-- Whether one more job of this priority may be in flight. Backfill (2 and above)
-- leaves a place to what happens now. Jobs that a batch took besides its own do not
-- count: they share its calls. A partition that is refused keeps one job that
-- finds out, every few minutes, whether it still is; one that waits for the
-- provider's or the budget's time has none, nor has one that does not answer:
-- towpath_probe lets its probes in.
CREATE OR REPLACE FUNCTION towpath_has_room(kind text, share text, priority integer) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    size integer := CASE WHEN priority > 1 THEN 4 ELSE 5 END;
    reason text := towpath_blocked(kind, share);
BEGIN
    IF reason LIKE '%\_no\_answer' THEN
        RETURN false;
    ELSIF reason IS NOT NULL THEN
        RETURN NOT EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = towpath_has_room.kind
                AND job.args ->> 'share' = towpath_has_room.share
                AND job.finalized_at IS NULL
                AND (job.state IN ('available', 'running')
                    OR job.state IN ('scheduled', 'retryable')
                        AND job.metadata -> 'towpath' ->> 'reason' = 'auth'
                        AND job.scheduled_at < clock_timestamp() + interval '15 minutes')
        );
    ELSIF towpath_waits(kind, share, priority) THEN
        RETURN false;
    END IF;
    RETURN size > (SELECT count(*) FROM (
        SELECT 1
        FROM river.river_job AS job
        WHERE job.kind = towpath_has_room.kind
            AND job.args ->> 'share' = towpath_has_room.share
            AND job.state IN ('available', 'running')
            AND job.finalized_at IS NULL
            AND NOT (job.state = 'running' AND job.metadata ->> 'batch' IS NOT DISTINCT FROM job.attempt::text)
        LIMIT size
    ) AS in_flight);
END
$$;
