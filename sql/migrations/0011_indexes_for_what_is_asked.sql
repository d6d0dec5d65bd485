-- A planner without current statistics (a new database, a burst after a quiet time)
-- finds all indexes whose first column is given equally good, and may read every run of
-- a binding for one. So each of these starts with the column that tells rows apart. Of an
-- index with a condition it thinks that it has one row: that of the lanes is not IS NULL,
-- or sync_runs_open would be read from end to end. And none speaks of status, or every
-- start of a job would write to all indexes of its run.
DROP INDEX sync_runs_lane;
DROP INDEX sync_runs_key;
DROP INDEX sync_runs_entity;
DROP INDEX sync_runs_failed;
DROP INDEX sync_runs_held;
DROP INDEX sync_runs_queued;
ALTER TABLE sync_runs DROP CONSTRAINT sync_runs_binding_id_dedupe_key_key;

ALTER TABLE sync_runs ADD CONSTRAINT sync_runs_dedupe UNIQUE (dedupe_key, binding_id);
CREATE INDEX sync_runs_failed ON sync_runs (binding_id, finished_at) WHERE error_code IS NOT NULL;
CREATE INDEX sync_runs_held ON sync_runs (hold_reason) WHERE hold_reason IS NOT NULL;
CREATE INDEX sync_runs_open ON sync_runs (binding_id, stage, hold_reason) WHERE finished_at IS NULL;
CREATE INDEX sync_runs_key ON sync_runs (idempotency_key, binding_id);
CREATE INDEX sync_runs_entity ON sync_runs (magento_entity_id, entity_type, binding_id, received_at);
CREATE INDEX sync_runs_lane ON sync_runs (lane, binding_id)
    WHERE coalesce(finished_at, 'infinity') = 'infinity';

-- River makes these for searches in arguments and metadata, which nothing here does.
-- Each job is written to them three times, and they grow the fastest of all.
DROP INDEX IF EXISTS river.river_job_args_index, river.river_job_metadata_index;
