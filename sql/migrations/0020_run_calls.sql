-- The calls to the provider that an attempt made: see schema.sql. Attempts before this
-- have none.
CREATE TABLE run_calls (
    run_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt integer NOT NULL,
    calls json NOT NULL,
    PRIMARY KEY (run_id, id)
);
CREATE INDEX run_calls_at ON run_calls USING brin (at);
