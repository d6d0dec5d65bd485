-- The heartbeat of partitions that do not answer: one call at a time, of whichever kind
-- has waited longest, since the others may be answered where one hangs. The interval
-- doubles from five seconds to two minutes, counted from a probe's start: if its process
-- dies, its job waits again within seconds, and the next probe goes at its time. What an
-- operator lets go on is a probe too.
CREATE OR REPLACE FUNCTION towpath_probe() RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    circuit circuits;
    probe record;
    moved integer := 0;
BEGIN
    FOR circuit IN
        SELECT *
        FROM circuits
        WHERE opened_at IS NOT NULL AND key ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
        ORDER BY key
        FOR UPDATE SKIP LOCKED
    LOOP
        -- Who was let in before it opened waits with the others, and of several that were
        -- let go on since all but the last.
        UPDATE river.river_job AS job
        SET state = 'pending'
        FROM (
            SELECT admitted.id, admitted.scheduled_at, row_number() OVER (ORDER BY admitted.scheduled_at DESC, admitted.id DESC) AS place
            FROM (
                SELECT id, scheduled_at
                FROM river.river_job
                WHERE kind = ANY (towpath_kinds()) AND args ->> 'share' = circuit.key AND state = 'available' AND finalized_at IS NULL
                FOR UPDATE SKIP LOCKED
            ) AS admitted
        ) AS admitted
        WHERE job.id = admitted.id AND (admitted.place > 1 OR admitted.scheduled_at < circuit.opened_at);

        CONTINUE WHEN circuit.probe_at > clock_timestamp() OR EXISTS (
            SELECT 1
            FROM river.river_job
            WHERE kind = ANY (towpath_kinds()) AND args ->> 'share' = circuit.key AND state IN ('available', 'running') AND finalized_at IS NULL
        );
        SELECT first.* INTO probe
        FROM unnest(towpath_kinds()) AS known (kind)
        CROSS JOIN LATERAL (
            SELECT job.id, job.kind, job.priority, job.scheduled_at
            FROM river.river_job AS job
            WHERE job.kind = known.kind
                AND job.args ->> 'share' = circuit.key
                AND job.state = 'pending'
                AND job.finalized_at IS NULL
                AND job.scheduled_at <= clock_timestamp()
            ORDER BY job.priority, job.scheduled_at, job.id
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS first
        ORDER BY first.scheduled_at, first.id
        LIMIT 1;
        CONTINUE WHEN NOT FOUND
            OR towpath_blocked(probe.kind, circuit.key) IS DISTINCT FROM circuit.reason
            OR towpath_waits(probe.kind, circuit.key, probe.priority);
        UPDATE river.river_job SET state = 'available', scheduled_at = clock_timestamp() WHERE id = probe.id;
        UPDATE circuits
        SET probes = probes + 1,
            probe_at = clock_timestamp() + least(interval '2 minutes', interval '5 seconds' * power(2, least(probes, 10)))
        WHERE key = circuit.key;
        PERFORM pg_notify('river.river_insert', json_build_object('queue', probe.kind)::text);
        moved := moved + 1;
    END LOOP;
    RETURN moved;
END
$$;
