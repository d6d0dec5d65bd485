-- Towpath's tables, in reading order. River's own live in the Postgres schema
-- "river" and are made by River's migrations, which come first: one index and the
-- triggers stand on river.river_job. Functions, triggers and the view are in
-- sql/functions, listed at the end of this file.
-- sql/migrations brings a database here step by step; a test compares the two.
-- A paired shop. Its api_key signs nothing: two subkeys are derived from it.
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    magento_url text NOT NULL CHECK (magento_url ~ '^https?://'),
    -- The key that signs our calls to the shop.
    api_key_sealed bytea NOT NULL,
    -- A key that a pairing hands to the shop while it is not known whether the shop
    -- took it. The first token that it signed makes it api_key_sealed.
    offered_key_sealed bytea,
    -- The key before the last pairing. Its tokens are good until this time, or until
    -- the first token of the newer key; after that they are told to come again.
    previous_key_sealed bytea,
    previous_key_until timestamptz,
    connection_status text NOT NULL DEFAULT 'active'
        CHECK (connection_status IN ('active', 'pending', 'token_revoked')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(previous_key_sealed, previous_key_until) IN (0, 2))
);
COMMENT ON COLUMN tenants.api_key_sealed IS 'pkg/secret envelope, bound to the tenant''s id';
COMMENT ON COLUMN tenants.offered_key_sealed IS 'sealed as api_key_sealed is';
COMMENT ON COLUMN tenants.previous_key_sealed IS 'sealed as api_key_sealed is';

-- A tenant's account at a provider. A revoked binding stays: what was synced
-- through it stays known.
CREATE TABLE bindings (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    provider text NOT NULL CHECK (provider IN ('xero', 'freeagent')),
    wire text NOT NULL CHECK (wire IN ('accounting', 'v2')),
    status text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'needs_consent', 'revoked')),
    api_url text NOT NULL CHECK (api_url ~ '^https?://'),
    org_id text NOT NULL DEFAULT '',
    -- The organisation that it writes to, however it was named: on the accounting
    -- wire the id in any spelling, else what the ledger says of itself; on wire v2
    -- the server with the company's id. As long as neither is known it is the
    -- address alone, which is never wrong about a document, since providers' ids are
    -- unique at an address.
    org_key text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN wire = 'accounting' AND coalesce(nullif(org_id, ''), reference -> 'organisation' ->> 'id', '') <> ''
            THEN translate(lower(coalesce(nullif(org_id, ''), reference -> 'organisation' ->> 'id')), '{}-', '')
            ELSE regexp_replace(regexp_replace(lower(api_url), '^https?://', ''), '(/v2|/api\.xro/2\.0)?/*$', '')
                || '#' || lower(coalesce(nullif(reference -> 'organisation' ->> 'id', ''), org_id))
        END
    ) STORED,
    token_sealed bytea,
    policy_version integer NOT NULL DEFAULT 1,
    -- The provider said "not before": every run of the binding waits for it.
    paused_until timestamptz,
    -- What a policy may refer to, as the provider told it; null before the first read.
    reference jsonb,
    reference_at timestamptz,
    -- The last time a worker set out to read it: one at a time, and not for ever.
    reference_tried_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE UNIQUE INDEX bindings_one_live ON bindings (tenant_id, provider) WHERE status <> 'revoked';
CREATE INDEX bindings_organisation ON bindings (provider, org_key);

-- Every version of a binding's settings; a run keeps the one it arrived under.
CREATE TABLE policies (
    binding_id uuid NOT NULL REFERENCES bindings (id),
    version integer NOT NULL CHECK (version > 0),
    policy jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Who saved it, as in sync_run_events; null where nobody did, or it is not known.
    who text,
    PRIMARY KEY (binding_id, version)
);

-- What Towpath holds to renew a binding's access token by itself: the app that
-- asks, and the tokens it has. A binding with a fixed token has none. Times are
-- the database's, so that processes whose clocks differ agree.
CREATE TABLE oauth_grants (
    binding_id uuid PRIMARY KEY REFERENCES bindings (id),
    kind text NOT NULL CHECK (kind IN ('client_credentials', 'authorization_code')),
    client_id text NOT NULL CHECK (client_id <> ''),
    -- Null for an app without one: PKCE alone proves who asks.
    client_secret_sealed bytea,
    -- Another identity server than the provider's own; empty: the provider's own.
    identity_url text NOT NULL DEFAULT '' CHECK (identity_url ~ '^(https?://.+)?$'),
    -- Access token, refresh token and the refresh token before it in one
    -- envelope, since they change together; null before the first consent.
    tokens_sealed bytea,
    issued_at timestamptz,
    refresh_at timestamptz,
    expires_at timestamptz,
    -- The identity server said no: its code, and when it did last.
    refused text,
    refused_at timestamptz,
    CHECK (kind = 'authorization_code' OR client_secret_sealed IS NOT NULL),
    CHECK (num_nulls(tokens_sealed, issued_at, refresh_at, expires_at) IN (0, 4)),
    CHECK (num_nulls(refused, refused_at) IN (0, 2))
);
COMMENT ON TABLE oauth_grants IS 'sealed columns: pkg/secret envelopes, bound to the binding''s id';

-- Consents under way. First a row is a link that was handed out; whoever follows
-- it gets a cookie, and the row is the state that only this browser can bring back.
-- Link, state and cookie are stored as hashes.
CREATE TABLE oauth_states (
    state_hash bytea PRIMARY KEY,
    binding_id uuid NOT NULL REFERENCES bindings (id),
    redirect_uri text NOT NULL,
    verifier_sealed bytea,
    expires_at timestamptz NOT NULL,
    browser_hash bytea,
    CONSTRAINT oauth_states_begun CHECK (num_nulls(browser_hash, verifier_sealed) IN (0, 2))
);

-- Tokens that were used, until they could not be used anyway. The request that
-- used one is kept beside it: the same request again is a repeat, not a replay.
CREATE TABLE spent_jtis (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    jti text NOT NULL,
    request_key text NOT NULL,
    expires_at timestamptz NOT NULL,
    answer jsonb,
    PRIMARY KEY (tenant_id, jti)
);
COMMENT ON COLUMN spent_jtis.answer IS 'what the request was answered, where a repeat must not do it again';
CREATE INDEX spent_jtis_expiry ON spent_jtis (expires_at);

-- One event on its way. status is the run's, stage is the outside touch that
-- comes next, river_job_id is the one job that does it.
CREATE TABLE sync_runs (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    binding_id uuid NOT NULL REFERENCES bindings (id),
    policy_version integer NOT NULL,
    event text NOT NULL CHECK (event IN ('invoice.created', 'invoice.paid',
        'creditmemo.created', 'customer.upserted', 'product.upserted')),
    entity_type text NOT NULL CHECK (entity_type IN ('invoice', 'creditmemo', 'customer', 'product')),
    magento_entity_id bigint NOT NULL CHECK (magento_entity_id > 0),
    website_id bigint NOT NULL DEFAULT 0,
    store_id bigint NOT NULL DEFAULT 0,
    idempotency_key text NOT NULL,
    -- The idempotency key; for events that come again under one key (upserts)
    -- the key and occurred_at.
    dedupe_key text NOT NULL,
    lane text NOT NULL,
    occurred_at timestamptz NOT NULL
        CHECK (occurred_at >= '0001-01-01T00:00:00Z' AND occurred_at < '10000-01-01T00:00:00Z'),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body json NOT NULL,
    -- Its event was old when it came, or it was retried with many others: it lets
    -- what happens now go first.
    backfill boolean NOT NULL DEFAULT false,

    status text NOT NULL DEFAULT 'queued'
        CHECK (status IN ('queued', 'running', 'held', 'succeeded', 'skipped_by_policy', 'failed', 'cancelled')),
    stage text NOT NULL DEFAULT 'fetch' CHECK (stage IN ('fetch', 'post', 'push', 'done')),
    river_job_id bigint,
    attempt integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    hold_reason text,
    skip_reason text,
    error_code text,
    error_message text,
    error_detail text,

    canonical json,
    decision jsonb,
    document jsonb,
    provider_entity_id text,
    provider_reference text,
    provider_url text,
    -- Non-null where the ledger's totals differ from those computed beforehand.
    variance jsonb,
    finished_at timestamptz,
    -- Whether the shop knows how it ended: null until there is an end to tell.
    shop_told text CHECK (shop_told IN ('pending', 'told', 'given_up')),
    told_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When what is personal of it was blanked (sql/queries/retention.sql), and by whom; null
    -- again once it is retried.
    blanked_at timestamptz,
    blanked_by text,

    FOREIGN KEY (binding_id, policy_version) REFERENCES policies (binding_id, version),
    CONSTRAINT sync_runs_dedupe UNIQUE (dedupe_key, binding_id),
    -- A live run has a job, and a job still to come is never at stage done.
    CHECK ((status IN ('queued', 'running', 'held')) = (stage IN ('fetch', 'post'))),
    CHECK ((stage = 'done') = (river_job_id IS NULL)),
    CHECK ((stage = 'push') = (shop_told IS NOT DISTINCT FROM 'pending')),
    CHECK ((status = 'held') = (hold_reason IS NOT NULL)),
    CHECK ((status IN ('queued', 'running', 'held')) = (finished_at IS NULL)),
    CHECK (num_nulls(blanked_at, blanked_by) IN (0, 2))
-- A row that grows beyond two kilobytes is cut down to one by storing its documents beside
-- it: what changes or reads many rows does without them.
) WITH (fillfactor = 70, toast_tuple_target = 1024);
CREATE UNIQUE INDEX sync_runs_job ON sync_runs (river_job_id) WHERE river_job_id IS NOT NULL;
CREATE INDEX sync_runs_recent ON sync_runs (received_at, id);
CREATE INDEX sync_runs_tenant ON sync_runs (tenant_id, received_at);
-- None speaks of status: every start of a job would write to all of them.
CREATE INDEX sync_runs_failed ON sync_runs (binding_id, finished_at) WHERE error_code IS NOT NULL;
CREATE INDEX sync_runs_held ON sync_runs (hold_reason) WHERE hold_reason IS NOT NULL;
CREATE INDEX sync_runs_open ON sync_runs (binding_id, stage, hold_reason) WHERE finished_at IS NULL;
-- Each starts with the column that tells rows apart: without current statistics a planner
-- finds indexes equally good whose first column is given, or whose condition is. So that
-- of the lanes is not IS NULL, or sync_runs_open would be read from end to end.
CREATE INDEX sync_runs_key ON sync_runs (idempotency_key, binding_id);
CREATE INDEX sync_runs_entity ON sync_runs (magento_entity_id, entity_type, binding_id, received_at);
CREATE INDEX sync_runs_lane ON sync_runs (lane, binding_id)
    WHERE coalesce(finished_at, 'infinity') = 'infinity';
CREATE INDEX sync_runs_unread ON sync_runs (lower(substring(body::text FROM '"increment_id"\s*:\s*"?([^"\\,{}\s]{1,100})')))
    WHERE error_code IS NOT NULL AND canonical IS NULL AND blanked_at IS NULL;
-- Lists and counts of runs with an error, and of those left out; written by such runs alone.
CREATE INDEX sync_runs_error ON sync_runs (received_at, id, error_code) WHERE error_code IS NOT NULL;
CREATE INDEX sync_runs_skipped ON sync_runs (received_at, id, skip_reason) WHERE skip_reason IS NOT NULL;
-- Its condition is written as no other query's: it is for retention alone.
CREATE INDEX sync_runs_to_blank ON sync_runs (finished_at, id)
    WHERE coalesce(blanked_at, 'infinity') = 'infinity' AND finished_at IS NOT NULL;
CREATE INDEX sync_runs_left_out ON sync_runs (binding_id, lane) WHERE skip_reason = 'invoice_not_synced';

-- What people know a run by, written with T2: once a run, and beside it, since every
-- later change of a run would write its indexes again. A run that was never read from the
-- shop has no row, and is found by the number in its body. customer and terms are personal
-- data: whatever blanks the canonical form blanks them too. No foreign key: a row whose run
-- is gone finds nothing.
CREATE TABLE run_search (
    run_id uuid PRIMARY KEY,
    received_at timestamptz NOT NULL, -- the run's
    number text NOT NULL, -- the document's, or the SKU
    customer text NOT NULL, -- company, or person, or e-mail
    amount text NOT NULL,
    currency text NOT NULL,
    -- Numbers of document and order, e-mail, each word of the names, amount; lower case.
    terms tsvector NOT NULL
);
-- Without a list of pending entries, whose tidying would hold up a whole set.
CREATE INDEX run_search_terms ON run_search USING gin (terms) WITH (fastupdate = off);

-- How far back older runs have their row; no row: all have.
CREATE TABLE run_search_fill (
    before_at timestamptz NOT NULL,
    before_id uuid NOT NULL
);

-- Every step and every change of a run: what its page shows. from_status and
-- to_status are equal where a step was taken inside one status.
CREATE TABLE sync_run_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    step text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    who text,
    why text NOT NULL DEFAULT '',
    -- The provider's own ids of the calls that its attempt made, oldest first: what its
    -- support asks for. Null where it told none.
    calls text[]
);
CREATE INDEX sync_run_events_run ON sync_run_events (run_id, id);

-- The calls to the provider that a run's attempts made, a row an attempt: bodies as they
-- were sent and what was answered (pkg/provider.Call), never a header, so no token. Written
-- with T4, and of an attempt that did not succeed before its job is put back. All of it
-- is personal data: what blanks a run's canonical form deletes its rows. No foreign key,
-- as for run_search.
CREATE TABLE run_calls (
    run_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt integer NOT NULL,
    calls json NOT NULL,
    PRIMARY KEY (run_id, id)
);
CREATE INDEX run_calls_at ON run_calls USING brin (at);

-- Shop id <-> provider id, by organisation: another organisation never inherits
-- them, and no two shops of one have the same document. shop_id is the invoice's id
-- (also of its payment), the credit memo's (also of what is done with its credit), the
-- product's, or the key of a customer.
CREATE TABLE entity_xref (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    provider text NOT NULL,
    org_key text NOT NULL, -- the binding's
    entity_type text NOT NULL CHECK (entity_type IN ('invoice', 'contact', 'payment', 'creditmemo', 'allocation', 'refund', 'item')),
    shop_id text NOT NULL,
    provider_id text NOT NULL,
    provider_reference text,
    provider_url text,
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    -- The provider would not take it any more: it is looked up anew, by this too.
    stale boolean NOT NULL DEFAULT false,
    -- A person at the provider merged the shop's contact into this one.
    merged boolean NOT NULL DEFAULT false,
    -- Recorded before documents were compared over all shops: it is an earlier
    -- run's. verify names it, and a retry of its run books the sale anew.
    disputed boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Of a contact or an item: what was written last, and when.
    body_hash text,
    written_at timestamptz,
    PRIMARY KEY (tenant_id, provider, org_key, entity_type, shop_id)
);
-- Two invoices never share one document, whichever shops they are of; nor do two
-- credit memos, or payments.
CREATE UNIQUE INDEX entity_xref_one_document ON entity_xref (provider, org_key, entity_type, provider_id)
    WHERE entity_type IN ('invoice', 'creditmemo', 'payment', 'refund') AND NOT disputed;
CREATE INDEX entity_xref_item ON entity_xref (tenant_id, provider, org_key, provider_reference) WHERE entity_type = 'item';
CREATE INDEX entity_xref_reference ON entity_xref (lower(provider_reference))
    WHERE entity_type IN ('invoice', 'creditmemo');
CREATE INDEX entity_xref_contact ON entity_xref (provider, org_key, provider_id) WHERE entity_type = 'contact';

-- What is about to be written at the provider, committed before the call: while
-- settled_at is null, "it may exist". Only one run at a time may be at it.
CREATE TABLE provider_intents (
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    operation text NOT NULL
        CHECK (operation IN ('contact', 'invoice', 'payment', 'creditmemo', 'allocation', 'refund', 'contact_update', 'item')),
    object_key text NOT NULL,
    binding_id uuid NOT NULL REFERENCES bindings (id),
    body_hash text NOT NULL,
    -- Goes up when the provider answered: an answer is remembered under its
    -- idempotency key, so the next try needs a new one; a lost answer does not.
    generation integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 1,
    -- No try has written it: the provider has said so, or nothing was sent. Else the
    -- object may exist under this very key, also after the run ended.
    certain boolean NOT NULL DEFAULT false,
    -- An earlier try of this run may have written it.
    maybe boolean NOT NULL DEFAULT false,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    PRIMARY KEY (run_id, operation, object_key)
);
CREATE INDEX provider_intents_object ON provider_intents (binding_id, operation, object_key);
CREATE UNIQUE INDEX provider_intents_open ON provider_intents (binding_id, operation, object_key)
    WHERE settled_at IS NULL;

-- Of the runs that are held for one thing, the one that looks again soon; see
-- riverjobs/hold.go.
CREATE TABLE hold_looks (
    binding_id uuid NOT NULL REFERENCES bindings (id),
    stage text NOT NULL,
    reason text NOT NULL,
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    until timestamptz NOT NULL,
    PRIMARY KEY (binding_id, stage, reason)
);

-- Servers of others that do not answer: circuit breakers. A row is made by a call that
-- timed out, counts those in a row, and goes with the first answer; mostly there is none.
-- Three in a row open it: then its partition is blocked, its runs are held for the reason,
-- and one call at a time finds out whether it answers again (towpath_probe).
CREATE TABLE circuits (
    -- A partition, which is a tenant's id (its shop) or a binding's (its ledger), or the
    -- address of an identity server (pkg/oauth).
    key text PRIMARY KEY,
    reason text NOT NULL CHECK (reason IN ('shop_no_answer', 'ledger_no_answer', 'identity_no_answer')),
    failures integer NOT NULL DEFAULT 1, -- calls without an answer, in a row
    message text NOT NULL DEFAULT '', -- of the last
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_at timestamptz, -- null: closed as yet
    probes integer NOT NULL DEFAULT 0, -- since it opened
    probe_at timestamptz, -- no probe goes before
    CHECK (num_nulls(opened_at, probe_at) IN (0, 2))
);

-- What an organisation's bindings may call at its provider, over all processes and
-- tenants. The rules are pkg/quota's; the row is locked while they decide.
CREATE TABLE call_budgets (
    key text PRIMARY KEY, -- call_budget_key of its bindings
    -- Nothing at all, and nothing of backfill, is admitted before.
    live_from timestamptz,
    backfill_from timestamptz,
    -- The worker processes that have leases: with their death those are over.
    clients text[] NOT NULL DEFAULT '{}',
    state json NOT NULL DEFAULT '{}' -- a quota.Budget
) WITH (fillfactor = 50);

-- What is to be told to whoever runs this installation (pkg/notify): an outbox with a row for
-- each channel that it goes by. Written in the transaction that moves the marks; sent by
-- whichever worker process claims it, by putting next_attempt_at off. No personal data.
CREATE TABLE notifications (
    id uuid NOT NULL, -- the same at every attempt: who gets it twice knows it by this
    channel text NOT NULL CHECK (channel IN ('webhook', 'email')),
    type text NOT NULL,
    body json NOT NULL, -- as it is sent
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

-- What was told last, by subject, so that nothing is told twice.
CREATE TABLE notification_marks (
    name text PRIMARY KEY,
    value json NOT NULL
);

-- The worker processes' names; a live one holds the advisory lock of its number.
CREATE TABLE worker_processes (
    lock_number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL UNIQUE,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- Each beat, once a second, on the connection that holds the lock.
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

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

-- Who changed what: a row for each change that a person made, by a page or by the command
-- line, written with the change itself (pkg/audit). No secret and no data of the shops'
-- customers. No foreign keys: a row outlives what it is about.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL CHECK (who <> ''),
    action text NOT NULL,
    tenant_id uuid,
    binding_id uuid,
    run_id uuid,
    -- What was changed, of the changed parts only; null for nothing.
    before jsonb,
    after jsonb
);
CREATE INDEX audit_tenant ON audit (tenant_id, id);

-- The times that this database was noticed to have gone back in time (pkg/restored,
-- decision 23). Rows are added by restore_note and never changed: the last is the mark by
-- which rows that came out of a dump are told.
CREATE TABLE restores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- begun: the first row. dumped: the rows came out of a dump. missing: what a process
    -- had seen committed is not there. told: a person said so. acknowledged: a person has
    -- fetched what was forgotten, of all before.
    what text NOT NULL CHECK (what IN ('begun', 'dumped', 'missing', 'told', 'acknowledged')),
    -- What happened between then and at may be forgotten.
    back_to timestamptz,
    -- Where it was written: the server, the table and the transaction. A copy of the files
    -- keeps all three, pg_upgrade the last two, a dump none.
    system_id bigint NOT NULL,
    table_id oid NOT NULL,
    xid bigint NOT NULL,
    CHECK ((back_to IS NULL) = (what IN ('begun', 'acknowledged')))
);

-- Who may use the pages. Each change of password or role ends the user's sessions.
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$'),
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    -- In PHC form; null: may not sign in by one.
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    -- Sees this shop's runs only, in the frame of the shop's admin; null: all.
    tenant_id uuid REFERENCES tenants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    password_at timestamptz, -- when it was set
    disabled_at timestamptz, -- may not sign in from then on
    -- The identity provider that vouches for it, and its account there (OpenID Connect:
    -- iss and sub); null: none has. The role is then the provider's word.
    oidc_issuer text,
    oidc_subject text,
    CHECK (num_nulls(password_hash, password_at) IN (0, 2)),
    CHECK (tenant_id IS NULL OR role = 'viewer'),
    UNIQUE (oidc_issuer, oidc_subject),
    CHECK (num_nulls(oidc_issuer, oidc_subject) IN (0, 2))
);
CREATE INDEX users_tenant ON users (tenant_id) WHERE tenant_id IS NOT NULL;

-- Who is signed in. The token itself is the browser's alone: who reads this table
-- cannot use it.
CREATE TABLE user_sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL, -- to the minute
    expires_at timestamptz NOT NULL -- however busy it is
);
CREATE INDEX user_sessions_user ON user_sessions (user_id);
CREATE INDEX user_sessions_expires ON user_sessions (expires_at);

-- Wrong passwords by address, by account and by browser, over all processes: when
-- the allowance is whole again (pkg/users). A row from before now says nothing.
CREATE TABLE sign_in_slowed (
    key text PRIMARY KEY,
    clear_at timestamptz NOT NULL
);
CREATE INDEX sign_in_slowed_clear ON sign_in_slowed (clear_at);

-- River's jobs by share: those in flight, and who comes next.
CREATE INDEX towpath_share ON river.river_job (kind, (args ->> 'share'), state, priority, scheduled_at, id)
    WHERE finalized_at IS NULL;
-- River makes these for searches in arguments and metadata, which nothing here does.
-- Each job would be written to them three times.
DROP INDEX IF EXISTS river.river_job_args_index, river.river_job_metadata_index;

-- Functions, each in sql/functions/<name>.sql with the triggers that call it. A file
-- that changes is applied again, so no migration restates a function.
--
-- The two sides in step. Success is written by the worker in one transaction: its
-- job's completion first, then the run. Everything else is written to
-- river.river_job by others (completer, rescuer, scheduler, River UI, SQL), and
-- triggers carry it to the run inside the same transaction. Locks are always taken
-- job first, then run. Each function names its search_path: who changes a job may
-- come with any.
--   towpath_ahead          the runs that a run of a document waits for
--   towpath_park           whether a run may wait for those without looking again
--   towpath_wake           what waits for runs that ended goes on
--   towpath_last_word      the run whose end the shop is shown
--   towpath_event_rank     the place of an event in its document's lane
--   towpath_who            who is at work, for sync_run_events.who
--   towpath_own_words      whether a step of a history quotes nobody: blanking keeps it
--   towpath_stage          the list of job kinds, each with its stage
--   towpath_kinds          the kinds of that list that have jobs
--   towpath_due_now        a job due at once is due by the database's clock (trigger)
--   sync_run_follow_start  a worker took the job (trigger)
--   sync_run_follow_job    everything but start and success (triggers)
--   sync_run_carry         carries one change of a job to its run
--   sync_run_end           ends a live run without success
--   sync_run_revive        a finished job was made live again
--   towpath_insert_push    inserts the job that tells the shop
--   towpath_insert_jobs    inserts jobs, as waiting where their share is full
--   towpath_accept         what T1 writes for a set of events
--   run_queue_mismatch     promise 1 as a query: empty in every snapshot (view)
--
-- Shares. No tenant's backlog may keep another's invoice waiting. Each job names a
-- share (args.share): the tenant whose shop it touches, or the binding whose
-- ledger. Of one kind and share only a few jobs are in flight (available or
-- running); the rest wait as River's "pending", where no worker sees them and
-- nothing polls. Whatever makes a job available goes through the gate; whatever
-- ends one's flight admits the next; what falls between the two (a pause that ends,
-- two transactions that do not see each other) is admitted by the heartbeat of the
-- worker processes, once a second.
--   towpath_has_share      whether a job has a share
--   towpath_has_room       whether one more job may be in flight
--   towpath_full           which shares have none, and holds the others for the set that asks
--   towpath_blocked        why a partition is blocked: until a person acts, or until it answers again
--   towpath_waits          whether a share waits for its provider's or its budget's time
--   towpath_gate           a job becomes available (triggers)
--   towpath_admit          lets in as many waiting jobs as there is room for
--   towpath_let_in         makes so many waiting jobs available
--   towpath_leave          jobs ended their flight (trigger), as many come in:
--   towpath_refill         gives a share's free places to those that wait
--   towpath_step_back      takes back what was let in beyond the room
--   towpath_admit_next     a job in flight was deleted (trigger)
--   towpath_hold_blocked   holds the runs of a partition that is blocked
--   towpath_release_open   frees them when it is open again
--   towpath_probe          one call at a time where a partition does not answer
--   towpath_keep_shares    the heartbeat: every share that has jobs waiting
--
-- The rest.
--   call_budget_key        the budget that a binding's calls count in
--   binding_forget_grant   a revoked binding keeps no secret (trigger)
--   binding_organisation_known   what was recorded under an address moves to the organisation (trigger)
--   towpath_process_dead   whether a worker process is dead
--   towpath_may_duplicate  whether a ledger may take one document twice
--   restore_note           adds a row to restores
--   restores_dumped        whether the rows came out of a dump since
