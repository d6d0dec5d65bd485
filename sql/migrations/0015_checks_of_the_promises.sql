-- What the last look at each promise found (pkg/verify): the leader of the queue looks
-- hourly, one promise at a time, and every process shows it in its metrics.
CREATE TABLE verify_checks (
    name text PRIMARY KEY,
    broken bigint NOT NULL,
    samples text[] NOT NULL, -- a few of what breaks it
    error text NOT NULL DEFAULT '', -- why it could not be checked; then broken is that of the look before
    since timestamptz NOT NULL, -- it looked at runs received since
    checked_at timestamptz NOT NULL
);
