-- A disconnect that is sent again with its token is answered as the first time.
ALTER TABLE spent_jtis ADD COLUMN answer jsonb;
COMMENT ON COLUMN spent_jtis.answer IS 'what the request was answered, where a repeat must not do it again';

-- An event's time is one that RFC 3339 can write, in UTC and in every zone: one
-- row beyond it broke every list that held it.
UPDATE sync_runs SET occurred_at = '0001-01-02T00:00:00Z' WHERE occurred_at < '0001-01-01T00:00:00Z';
UPDATE sync_runs SET occurred_at = '9999-12-30T00:00:00Z' WHERE occurred_at >= '10000-01-01T00:00:00Z';
ALTER TABLE sync_runs ADD CONSTRAINT sync_runs_occurred_at_check
    CHECK (occurred_at >= '0001-01-01T00:00:00Z' AND occurred_at < '10000-01-01T00:00:00Z');
