-- The heartbeat: every partition that has jobs waiting is looked at, by one process at
-- a time.
CREATE OR REPLACE FUNCTION towpath_keep_shares() RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    at record;
    reason text;
    moved integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(844322, 1) THEN
        RETURN 0;
    END IF;
    FOR at IN
        -- One step of the index for each share, however many jobs wait in it.
        WITH RECURSIVE shares AS (
            (SELECT job.kind, job.args ->> 'share' AS share
            FROM river.river_job AS job
            WHERE job.finalized_at IS NULL AND job.args ->> 'share' IS NOT NULL
            ORDER BY 1, 2
            LIMIT 1)
            UNION ALL
            SELECT next.kind, next.share
            FROM shares
            CROSS JOIN LATERAL (
                SELECT job.kind, job.args ->> 'share' AS share
                FROM river.river_job AS job
                WHERE job.finalized_at IS NULL
                    AND (job.kind, job.args ->> 'share') > (shares.kind, shares.share)
                ORDER BY 1, 2
                LIMIT 1
            ) AS next
        )
        SELECT shares.kind, shares.share
        FROM shares
        WHERE towpath_has_share(shares.kind, jsonb_build_object('share', shares.share)) AND EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = shares.kind AND job.args ->> 'share' = shares.share AND job.state = 'pending' AND job.finalized_at IS NULL
        )
    LOOP
        reason := towpath_blocked(at.kind, at.share);
        IF towpath_stage(at.kind) = 'push' THEN
            NULL; -- its runs have ended, and are not held
        ELSIF reason IS NOT NULL THEN
            moved := moved + towpath_hold_blocked(at.kind, at.share, reason);
        ELSE
            moved := moved + towpath_release_open(at.kind, at.share);
        END IF;
        moved := moved + towpath_step_back(at.kind, at.share) + towpath_admit(at.kind, at.share);
    END LOOP;
    RETURN moved + towpath_probe();
END
$$;
