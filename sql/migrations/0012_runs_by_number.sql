-- What people know a run by: see schema.sql. Runs that were read before this are added
-- afterwards, newest first, by the worker processes (pkg/find): run_search_fill says how
-- far they are, and is empty when that is done.
CREATE TABLE run_search (
    run_id uuid PRIMARY KEY,
    received_at timestamptz NOT NULL,
    number text NOT NULL,
    customer text NOT NULL,
    amount text NOT NULL,
    currency text NOT NULL,
    terms tsvector NOT NULL
);
CREATE INDEX run_search_terms ON run_search USING gin (terms) WITH (fastupdate = off);
CREATE INDEX sync_runs_unread ON sync_runs (id) WHERE error_code IS NOT NULL AND canonical IS NULL;
CREATE INDEX entity_xref_reference ON entity_xref (lower(provider_reference))
    WHERE entity_type IN ('invoice', 'creditmemo');

CREATE TABLE run_search_fill (
    before_at timestamptz NOT NULL,
    before_id uuid NOT NULL
);
INSERT INTO run_search_fill (before_at, before_id)
SELECT '9999-01-01Z', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
WHERE EXISTS (SELECT 1 FROM sync_runs);
