-- Gives the places that jobs left to those that wait, without counting: what leaves
-- and what comes is one change, so to everybody else as many are in flight as before.
-- Backfill takes the places of backfill only; whether it may have one that a live job
-- left, and whether a partition that is blocked or waits may have any, is counted.
CREATE OR REPLACE FUNCTION towpath_refill(kind text, share text, live integer, backfill integer) RETURNS void
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    admitted integer;
BEGIN
    PERFORM 1
    FROM river.river_job AS job
    WHERE job.kind = towpath_refill.kind
        AND job.args ->> 'share' = towpath_refill.share
        AND job.state = 'pending'
        AND job.finalized_at IS NULL
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF towpath_blocked(kind, share) IS NOT NULL OR towpath_waits(kind, share, 1) THEN
        PERFORM towpath_admit(kind, share);
        RETURN;
    END IF;
    admitted := towpath_let_in(kind, share, 1, live + backfill);
    IF admitted < live + backfill AND backfill > 0 AND NOT towpath_waits(kind, share, 2) THEN
        admitted := admitted + towpath_let_in(kind, share, 4, least(backfill, live + backfill - admitted));
    END IF;
    IF admitted < live + backfill THEN
        PERFORM towpath_admit(kind, share);
    END IF;
END
$$;
