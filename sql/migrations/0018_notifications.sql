-- What is to be told to whoever runs this installation (pkg/notify), a row for each channel
-- that it goes by; and what was told last, so that nothing is told twice.
CREATE TABLE notifications (
    id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('webhook', 'email')),
    type text NOT NULL,
    body json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    sent_at timestamptz,
    PRIMARY KEY (id, channel),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX notifications_pending ON notifications (next_attempt_at) WHERE state = 'pending';

CREATE TABLE notification_marks (
    name text PRIMARY KEY,
    value json NOT NULL
);
