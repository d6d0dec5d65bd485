-- An attempt that was overtaken by the end of its run opened its intent again: every later
-- run of that customer waits for a run that has ended.
UPDATE provider_intents AS intent
SET settled_at = clock_timestamp()
FROM sync_runs AS run
WHERE run.id = intent.run_id
    AND intent.settled_at IS NULL
    AND run.finished_at IS NOT NULL;
