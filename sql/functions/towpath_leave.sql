-- needs: towpath_has_share
-- Jobs gave up their place: in each share as many are admitted as left. A job that a
-- claim took along has no place: taken out of those that had one it leaves it, and its
-- end leaves none. One that steps back
-- from available to pending was not replaced by whoever did that. Shares in order, so
-- that two sets wait for each other and do not block each other.
CREATE OR REPLACE FUNCTION towpath_leave() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    left_by record;
BEGIN
    IF NOT EXISTS (SELECT FROM jobs_before WHERE state IN ('available', 'running')) THEN
        RETURN NULL;
    END IF;
    FOR left_by IN
        SELECT job.kind, job.args ->> 'share' AS share,
            count(*) FILTER (WHERE job.priority <= 1) AS live, count(*) FILTER (WHERE job.priority > 1) AS backfill
        FROM jobs_before AS was
        JOIN jobs_after AS job ON job.id = was.id
        WHERE was.state IN ('available', 'running')
            AND (job.state NOT IN ('available', 'running')
                OR job.state = 'running' AND job.metadata ->> 'batch' IS NOT DISTINCT FROM job.attempt::text)
            AND NOT (was.state = 'available' AND job.state = 'pending')
            AND NOT (was.state = 'running' AND was.metadata ->> 'batch' IS NOT DISTINCT FROM was.attempt::text)
            AND towpath_has_share(job.kind, job.args)
        GROUP BY 1, 2
        ORDER BY 1, 2
    LOOP
        PERFORM towpath_refill(left_by.kind, left_by.share, left_by.live::integer, left_by.backfill::integer);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER towpath_leave_update
AFTER UPDATE ON river.river_job
REFERENCING OLD TABLE AS jobs_before NEW TABLE AS jobs_after
FOR EACH STATEMENT
EXECUTE FUNCTION towpath_leave();
