-- needs: towpath_full
-- Inserts a set of jobs of one kind, one for each of these runs, and answers their ids in
-- that order. Of a share without room, and beyond what could have room, they are
-- inserted as waiting: the gate would find the same, but a row at a time. One that is to
-- come later, after some seconds, is let in by the heartbeat. A row is what River's
-- client would insert; a test compares them.
CREATE OR REPLACE FUNCTION towpath_insert_jobs(kind text, runs uuid[], shares uuid[], priorities integer[], after double precision[]) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    ids bigint[];
    any_available boolean;
BEGIN
    WITH asked AS (
        SELECT next.*, row_number() OVER (PARTITION BY next.share, next.priority, next.after > 0 ORDER BY next.n) AS nth
        FROM unnest(runs, shares, priorities, after) WITH ORDINALITY AS next (run, share, priority, after, n)
    ), lacking AS MATERIALIZED (
        SELECT lacks.share::uuid, lacks.priority
        FROM towpath_full(towpath_insert_jobs.kind, shares::text[], priorities) AS lacks
    ), inserted AS (
        INSERT INTO river.river_job (kind, args, queue, max_attempts, priority, state, scheduled_at)
        SELECT towpath_insert_jobs.kind, jsonb_build_object('run_id', asked.run, 'share', asked.share), towpath_insert_jobs.kind, 180, asked.priority,
            CASE
                WHEN asked.after > 0 OR asked.nth > 5 OR (asked.share, asked.priority) IN (SELECT lacking.share, lacking.priority FROM lacking) THEN 'pending'
                ELSE 'available'
            END::river.river_job_state,
            clock_timestamp() + make_interval(secs => asked.after)
        FROM asked
        ORDER BY asked.n
        RETURNING id, state
    )
    SELECT array_agg(inserted.id ORDER BY inserted.id), bool_or(inserted.state = 'available')
    INTO ids, any_available
    FROM inserted;
    IF any_available THEN
        PERFORM pg_notify('river.river_insert', json_build_object('queue', kind)::text);
    END IF;
    RETURN ids;
END
$$;
