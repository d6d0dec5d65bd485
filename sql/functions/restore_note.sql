-- Adds a row to restores, which becomes the mark. Its transaction must have no savepoint:
-- then it is the one that the row is of.
CREATE OR REPLACE FUNCTION restore_note(what text, back_to timestamptz) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO restores (what, back_to, system_id, table_id, xid)
    SELECT restore_note.what, restore_note.back_to, server.system_identifier, 'restores'::regclass, pg_current_xact_id()::text::bigint
    FROM pg_control_system() AS server
    RETURNING id
$$;
