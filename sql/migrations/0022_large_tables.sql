-- What a million runs need. A run's documents are stored beside its row as soon as that
-- grows beyond what a row of Postgres may have at most: rows are half as long, so that
-- what reads many of them reads half, and a change of status writes half. Rows that are
-- there stay as they are until they change.
ALTER TABLE sync_runs SET (toast_tuple_target = 1024);
-- Lists and counts of runs with an error, and of those left out. Each is written by such
-- runs alone.
CREATE INDEX sync_runs_error ON sync_runs (received_at, id, error_code) WHERE error_code IS NOT NULL;
CREATE INDEX sync_runs_skipped ON sync_runs (received_at, id, skip_reason) WHERE skip_reason IS NOT NULL;
-- A run that was never read is looked for by the number in its event.
DROP INDEX sync_runs_unread;
CREATE INDEX sync_runs_unread ON sync_runs (lower(substring(body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})')))
    WHERE error_code IS NOT NULL AND canonical IS NULL AND blanked_at IS NULL;
