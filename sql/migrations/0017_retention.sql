-- What is personal of a run is blanked some time after its end (pkg/retention): when, and
-- by whom. The index is for who looks for runs that are due, and is written once when a
-- run ends and once when the shop was told; its condition is one that no other query has.
ALTER TABLE sync_runs ADD COLUMN blanked_at timestamptz, ADD COLUMN blanked_by text;
ALTER TABLE sync_runs ADD CHECK (num_nulls(blanked_at, blanked_by) IN (0, 2));
CREATE INDEX sync_runs_to_blank ON sync_runs (finished_at, id)
    WHERE coalesce(blanked_at, 'infinity') = 'infinity' AND finished_at IS NOT NULL;
-- A failed run that was blanked has no canonical form either, and is not unread.
DROP INDEX sync_runs_unread;
CREATE INDEX sync_runs_unread ON sync_runs (id) WHERE error_code IS NOT NULL AND canonical IS NULL AND blanked_at IS NULL;
