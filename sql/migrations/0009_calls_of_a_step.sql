-- What the provider's support asks for.
ALTER TABLE sync_run_events ADD COLUMN calls text[];

-- It takes them too: sql/functions has the new one.
DROP FUNCTION IF EXISTS sync_run_end(sync_runs, text, text, text, text, integer, text);
