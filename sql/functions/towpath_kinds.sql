-- needs: towpath_stage
-- The kinds of ours that have jobs which have not ended: a look-up in towpath_share for
-- each, so that they are listed in towpath_stage alone.
CREATE OR REPLACE FUNCTION towpath_kinds() RETURNS text[] LANGUAGE sql STABLE SET search_path = public AS $$
    WITH RECURSIVE kinds (kind) AS (
        (SELECT job.kind FROM river.river_job AS job WHERE job.finalized_at IS NULL ORDER BY job.kind LIMIT 1)
        UNION ALL
        SELECT (SELECT job.kind FROM river.river_job AS job WHERE job.finalized_at IS NULL AND job.kind > kinds.kind ORDER BY job.kind LIMIT 1)
        FROM kinds
        WHERE kinds.kind IS NOT NULL
    )
    SELECT coalesce(array_agg(kinds.kind) FILTER (WHERE towpath_stage(kinds.kind) IS NOT NULL), '{}')
    FROM kinds
$$;
