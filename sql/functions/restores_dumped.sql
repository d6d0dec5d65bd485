-- Whether the rows of this database came out of a dump since the mark was written: the
-- table is another one, or in another server the same number by chance, and then the row
-- is of another transaction. In the same server pg_repack gives a row another transaction,
-- and pg_upgrade another server to the same row.
CREATE OR REPLACE FUNCTION restores_dumped() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT mark.table_id <> mark.tableoid
            OR (mark.system_id <> server.system_identifier AND mark.xid & 4294967295 <> mark.xmin::text::bigint)
        FROM restores AS mark
        CROSS JOIN pg_control_system() AS server
        ORDER BY mark.id DESC
        LIMIT 1
    ), false)
$$;
