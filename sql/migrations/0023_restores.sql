-- The times that this database was noticed to have gone back in time (pkg/restored,
-- decision 23). Rows are added by restore_note and never changed: the last is the mark by
-- which rows that came out of a dump are told.
CREATE TABLE restores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- begun: the first row. dumped: the rows came out of a dump. missing: what a process
    -- had seen committed is not there. told: a person said so. acknowledged: a person has
    -- fetched what was forgotten, of all before.
    what text NOT NULL CHECK (what IN ('begun', 'dumped', 'missing', 'told', 'acknowledged')),
    -- What happened between then and at may be forgotten.
    back_to timestamptz,
    -- Where it was written: the server, the table and the transaction. A copy of the files
    -- keeps all three, pg_upgrade the last two, a dump none.
    system_id bigint NOT NULL,
    table_id oid NOT NULL,
    xid bigint NOT NULL,
    CHECK ((back_to IS NULL) = (what IN ('begun', 'acknowledged')))
);
