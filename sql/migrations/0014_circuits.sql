-- Servers of others that do not answer.
CREATE TABLE circuits (
    key text PRIMARY KEY,
    reason text NOT NULL CHECK (reason IN ('shop_no_answer', 'ledger_no_answer', 'identity_no_answer')),
    failures integer NOT NULL DEFAULT 1,
    message text NOT NULL DEFAULT '',
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_at timestamptz,
    probes integer NOT NULL DEFAULT 0,
    probe_at timestamptz,
    CHECK (num_nulls(opened_at, probe_at) IN (0, 2))
);

-- Under other names from here on, and called by functions alone.
DROP FUNCTION IF EXISTS towpath_shut(text, text);
DROP FUNCTION IF EXISTS towpath_hold_shut(text, text, text);
DROP FUNCTION IF EXISTS towpath_unhold_open(text, text);
