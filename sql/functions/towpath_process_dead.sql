-- Whether a worker process is dead. It holds an advisory lock as long as it is
-- connected, so a killed one is known within seconds; but a lock may be gone for a
-- moment (a connection cut, Postgres restarted: nobody is taken for dead in its
-- first ten seconds), and one that is frozen or cut off keeps its lock while its
-- host's kernel does. grace is for the first, frozen for the second.
-- 844321 marks these locks.
CREATE OR REPLACE FUNCTION towpath_process_dead(process worker_processes, grace interval, frozen interval) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_postmaster_start_time() < clock_timestamp() - interval '10 seconds'
        AND process.last_seen < clock_timestamp() - grace
        AND (process.last_seen < clock_timestamp() - frozen
            OR NOT EXISTS (
                SELECT 1
                FROM pg_locks
                WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND classid = 844321::oid
                    AND objid = process.lock_number::oid
                    AND granted
            ))
$$;
