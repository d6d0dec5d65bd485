-- Towpath's whole schema, in reading order. River's own tables live in the
-- Postgres schema "river" and are made by River's migrations, which come first:
-- the triggers at the end stand on river.river_job.
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

-- Every version of a binding's settings; a run keeps the one it arrived under.
CREATE TABLE policies (
    binding_id uuid NOT NULL REFERENCES bindings (id),
    version integer NOT NULL CHECK (version > 0),
    policy jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (binding_id, version)
);

-- What Towpath holds to renew a binding's access token by itself: the app that
-- asks, and the tokens it has. A binding with a fixed token has none. Times are
-- the database's, so that processes whose clocks differ agree.
CREATE TABLE oauth_grants (
    binding_id uuid PRIMARY KEY REFERENCES bindings (id),
    kind text NOT NULL CHECK (kind IN ('client_credentials', 'authorization_code')),
    client_id text NOT NULL CHECK (client_id <> ''),
    -- Null for an app without one: its consent carries a PKCE challenge.
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

-- Consents under way. The state itself is in a browser's address only; whoever
-- brings it back uses it up.
CREATE TABLE oauth_states (
    state_hash bytea PRIMARY KEY,
    binding_id uuid NOT NULL REFERENCES bindings (id),
    redirect_uri text NOT NULL,
    verifier_sealed bytea,
    expires_at timestamptz NOT NULL
);

-- A revoked binding keeps no secret, whoever revokes it.
CREATE FUNCTION binding_forget_grant() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    DELETE FROM oauth_states WHERE binding_id = NEW.id;
    DELETE FROM oauth_grants WHERE binding_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER bindings_forget_grant
AFTER UPDATE OF status ON bindings
FOR EACH ROW
WHEN (NEW.status = 'revoked')
EXECUTE FUNCTION binding_forget_grant();

-- Tokens that were used, until they could not be used anyway. The request that
-- used one is kept beside it: the same request again is a repeat, not a replay.
CREATE TABLE spent_jtis (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    jti text NOT NULL,
    request_key text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, jti)
);
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
    occurred_at timestamptz NOT NULL,
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

    FOREIGN KEY (binding_id, policy_version) REFERENCES policies (binding_id, version),
    UNIQUE (binding_id, dedupe_key),
    -- A live run has a job, and a job still to come is never at stage done.
    CHECK ((status IN ('queued', 'running', 'held')) = (stage IN ('fetch', 'post'))),
    CHECK ((stage = 'done') = (river_job_id IS NULL)),
    CHECK ((stage = 'push') = (shop_told IS NOT DISTINCT FROM 'pending')),
    CHECK ((status = 'held') = (hold_reason IS NOT NULL)),
    CHECK ((status IN ('queued', 'running', 'held')) = (finished_at IS NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX sync_runs_job ON sync_runs (river_job_id) WHERE river_job_id IS NOT NULL;
CREATE INDEX sync_runs_lane ON sync_runs (binding_id, lane, occurred_at, received_at)
    WHERE finished_at IS NULL;
CREATE INDEX sync_runs_key ON sync_runs (binding_id, idempotency_key);
CREATE INDEX sync_runs_entity ON sync_runs (tenant_id, entity_type, magento_entity_id, received_at);
CREATE INDEX sync_runs_recent ON sync_runs (received_at, id);
CREATE INDEX sync_runs_tenant ON sync_runs (tenant_id, received_at);
CREATE INDEX sync_runs_failed ON sync_runs (binding_id, finished_at) WHERE status = 'failed';
CREATE INDEX sync_runs_held ON sync_runs (hold_reason) WHERE status = 'held';
CREATE INDEX sync_runs_queued ON sync_runs (binding_id, stage) WHERE status = 'queued';

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
    why text NOT NULL DEFAULT ''
);
CREATE INDEX sync_run_events_run ON sync_run_events (run_id, id);

-- Shop id <-> provider id, by organisation: another organisation never inherits
-- them. shop_id is the invoice's id, or the key of a customer.
CREATE TABLE entity_xref (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    provider text NOT NULL,
    org_id text NOT NULL,
    entity_type text NOT NULL CHECK (entity_type IN ('invoice', 'contact')),
    shop_id text NOT NULL,
    provider_id text NOT NULL,
    provider_reference text,
    provider_url text,
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, provider, org_id, entity_type, shop_id)
);
-- Two invoices of the shop never share one document.
CREATE UNIQUE INDEX entity_xref_one_document ON entity_xref (tenant_id, provider, org_id, provider_id)
    WHERE entity_type = 'invoice';

-- What is about to be written at the provider, committed before the call: while
-- settled_at is null, "it may exist". Only one run at a time may be at it.
CREATE TABLE provider_intents (
    run_id uuid NOT NULL REFERENCES sync_runs (id),
    operation text NOT NULL CHECK (operation IN ('contact', 'invoice')),
    object_key text NOT NULL,
    binding_id uuid NOT NULL REFERENCES bindings (id),
    body_hash text NOT NULL,
    -- Goes up when the provider answered: an answer is remembered under its
    -- idempotency key, so the next try needs a new one; a lost answer does not.
    generation integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 1,
    -- The provider has said what became of every try: nothing was written. Where
    -- it has not, the object may exist under this very key, also after the run ended.
    certain boolean NOT NULL DEFAULT false,
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

-- What a binding may call at its provider, over all processes. The row is locked
-- while a call is asked for (provider_call_take), so the limits are exact.
CREATE TABLE call_budgets (
    binding_id uuid PRIMARY KEY REFERENCES bindings (id),
    per_minute integer NOT NULL CHECK (per_minute > 0),
    at_once integer NOT NULL CHECK (at_once > 0),
    -- Calls of the last minute that the provider counts and we did not make.
    others integer NOT NULL DEFAULT 0 CHECK (others >= 0),
    others_at timestamptz,
    -- What the provider says of the day, less the calls made since; null where it
    -- says nothing. day_limit is the most that was ever left.
    day_left integer,
    day_left_at timestamptz,
    day_limit integer,
    -- Nothing of backfill, and nothing at all, is admitted before; and the last slot
    -- that was given to a job, so that the next one gets a later one.
    backfill_from timestamptz,
    backfill_slot timestamptz,
    live_from timestamptz,
    live_slot timestamptz,
    CHECK (num_nulls(day_left, day_left_at, day_limit) IN (0, 3))
);

-- The calls of the last minute: those that were asked for and not begun, those
-- under way, and those that have ended.
CREATE TABLE provider_calls (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    binding_id uuid NOT NULL REFERENCES call_budgets (binding_id),
    counted_at timestamptz NOT NULL,
    begun boolean NOT NULL DEFAULT false,
    ended boolean NOT NULL DEFAULT false,
    -- The worker process that began it: with its death it is over.
    client_id text
);
CREATE INDEX provider_calls_binding ON provider_calls (binding_id, counted_at);

-- Leave for so many calls (two will do), or how long to wait for it: a piece of work
-- asks for all that it may need before it begins, so that it does not break off
-- half-way, and gives back what it did not need. Any 61 seconds hold at most minute_limit calls,
-- so that a fixed window of the provider's does too, wherever it begins. Backfill
-- leaves a fifth of the minute, one call at once and a tenth of the day to what
-- happens now. Work that carries less than it could begins at once while only
-- free_part of the minute is used; after that it keeps a distance, so that the next
-- carries more and nothing waits for a whole minute. A call that has not ended after
-- those 61 seconds is one whose process died: calls are cut off earlier. If the
-- process dies right after this, the calls count as made. What the provider says of
-- the day is believed for an hour; then one call finds out whether a new day has
-- begun.
CREATE FUNCTION provider_call_take(binding uuid, is_backfill boolean, free_part double precision, calls integer,
    minute_limit integer, once_limit integer, moment timestamptz DEFAULT NULL, OUT call_ids bigint[], OUT wait interval)
LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    budget call_budgets;
    win constant interval := interval '61 seconds';
    belief constant interval := interval '1 hour';
    used integer;
    under_way integer;
    last_counted timestamptz;
    room integer;
    free integer;
    least_calls integer;
    slot timestamptz;
BEGIN
    INSERT INTO call_budgets (binding_id, per_minute, at_once)
    VALUES (binding, minute_limit, once_limit)
    ON CONFLICT (binding_id) DO UPDATE SET per_minute = excluded.per_minute, at_once = excluded.at_once
    RETURNING * INTO budget;
    moment := coalesce(moment, clock_timestamp());

    -- What lies ahead was written by a clock that was set back since.
    DELETE FROM provider_calls
    WHERE binding_id = binding AND (counted_at <= moment - win OR counted_at > moment + interval '5 seconds');
    SELECT count(*), count(*) FILTER (WHERE begun AND NOT ended), max(counted_at) INTO used, under_way, last_counted
    FROM provider_calls
    WHERE binding_id = binding;
    room := greatest(1, minute_limit
        - CASE WHEN is_backfill THEN ceil(minute_limit / 5.0)::integer ELSE 0 END
        - CASE WHEN budget.others_at BETWEEN moment - win AND moment THEN budget.others ELSE 0 END);
    calls := least(calls, room);
    least_calls := least(calls, 2);
    free := floor(room * free_part);

    IF budget.day_left_at > moment - belief AND budget.day_left_at <= moment
        AND budget.day_left <= (CASE WHEN is_backfill THEN budget.day_limit / 10 ELSE 0 END) THEN
        slot := budget.day_left_at + belief;
    ELSIF used + least_calls > room THEN
        SELECT counted_at + win INTO slot
        FROM provider_calls
        WHERE binding_id = binding
        ORDER BY counted_at
        OFFSET used + least_calls - room - 1
        LIMIT 1;
    ELSIF used >= free AND last_counted + win / (room - free) > moment THEN
        slot := last_counted + win / (room - free);
    ELSIF under_way >= greatest(1, once_limit - (CASE WHEN is_backfill THEN 1 ELSE 0 END)) THEN
        wait := interval '500 milliseconds';
        UPDATE call_budgets
        SET live_from = CASE WHEN is_backfill THEN live_from ELSE greatest(live_from, moment + wait) END,
            backfill_from = greatest(backfill_from, moment + wait)
        WHERE binding_id = binding;
        RETURN;
    ELSE
        WITH taken AS (
            INSERT INTO provider_calls (binding_id, counted_at)
            SELECT binding, moment FROM generate_series(1, least(calls, room - used))
            RETURNING id
        )
        SELECT array_agg(id) INTO call_ids FROM taken;
        -- The one that looks whether a new day has begun: the others wait for its answer.
        UPDATE call_budgets
        SET day_left = greatest(day_left, 0) - cardinality(call_ids),
            day_left_at = CASE WHEN day_left_at > moment - belief AND day_left_at <= moment THEN day_left_at ELSE moment END
        WHERE binding_id = binding AND day_left IS NOT NULL;
        RETURN;
    END IF;

    -- Each gets a slot of its own, and nothing is admitted before the first.
    slot := greatest(slot, moment + interval '100 milliseconds');
    IF is_backfill THEN
        UPDATE call_budgets
        SET backfill_from = slot, backfill_slot = greatest(slot,
                CASE WHEN backfill_slot < slot + win THEN backfill_slot + win / room END)
        WHERE binding_id = binding
        RETURNING backfill_slot - moment INTO wait;
    ELSE
        UPDATE call_budgets
        SET live_from = slot, live_slot = greatest(slot,
                CASE WHEN live_slot < slot + win THEN live_slot + win / room END)
        WHERE binding_id = binding
        RETURNING live_slot - moment INTO wait;
    END IF;
END
$$;

-- A call that was asked for begins: true; false where too many are under way, and
-- null where it was asked for so long ago that it must be asked for anew. It counts
-- from now on, which is later than when it was asked for.
CREATE FUNCTION provider_call_begin(call bigint, once_limit integer, client text DEFAULT NULL, moment timestamptz DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    binding uuid := (SELECT binding_id FROM provider_calls WHERE id = call);
    under_way integer;
BEGIN
    PERFORM 1 FROM call_budgets WHERE binding_id = binding FOR UPDATE;
    moment := coalesce(moment, clock_timestamp());
    SELECT count(*) INTO under_way
    FROM provider_calls
    WHERE binding_id = binding AND begun AND NOT ended AND counted_at > moment - interval '61 seconds';
    IF under_way >= once_limit THEN
        RETURN false;
    END IF;
    UPDATE provider_calls
    SET begun = true, counted_at = moment, client_id = client
    WHERE id = call AND counted_at > moment - interval '61 seconds';
    RETURN CASE WHEN FOUND THEN true END;
END
$$;

-- Calls that were asked for were not made after all.
CREATE FUNCTION provider_call_return(calls bigint[]) RETURNS void LANGUAGE sql SET search_path = public AS $$
    WITH unmade AS (
        DELETE FROM provider_calls WHERE id = ANY (calls) AND NOT begun RETURNING binding_id
    )
    -- Who waits for a slot may have one now.
    UPDATE call_budgets
    SET day_left = day_left + (SELECT count(*) FROM unmade),
        live_from = NULL, live_slot = NULL, backfill_from = NULL, backfill_slot = NULL
    WHERE binding_id IN (SELECT binding_id FROM unmade)
$$;

-- A call has ended. minute_left and new_day_left are what the answer said; null:
-- nothing. If this is lost, the call counts as under way for a minute. Calls of
-- others are guessed at from minute_left: where the guess is too low, the provider's
-- 429 says exactly how long to wait, while one that is too high would waste calls.
CREATE FUNCTION provider_call_done(call bigint, minute_left integer, new_day_left integer)
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    binding uuid;
    ours integer;
BEGIN
    UPDATE provider_calls SET ended = true WHERE id = call RETURNING binding_id INTO binding;
    IF minute_left IS NULL AND new_day_left IS NULL OR binding IS NULL THEN
        RETURN;
    END IF;
    UPDATE call_budgets
    SET others = greatest(0, per_minute - minute_left - (SELECT count(*) FROM provider_calls WHERE binding_id = binding AND begun)),
        others_at = clock_timestamp()
    WHERE binding_id = binding AND minute_left IS NOT NULL;
    -- A new day has begun where more is left than was, what was asked for and not
    -- made aside: nobody waits for the old one.
    SELECT count(*) INTO ours FROM provider_calls WHERE binding_id = binding;
    UPDATE call_budgets
    SET day_left = new_day_left - (SELECT count(*) FROM provider_calls WHERE binding_id = binding AND begun AND NOT ended),
        day_left_at = clock_timestamp(), day_limit = greatest(day_limit, new_day_left),
        live_from = CASE WHEN new_day_left > day_left + ours THEN NULL ELSE live_from END,
        backfill_from = CASE WHEN new_day_left > day_left + ours THEN NULL ELSE backfill_from END
    WHERE binding_id = binding AND new_day_left IS NOT NULL;
END
$$;

-- The worker processes' names; a live one holds the advisory lock of its number.
CREATE TABLE worker_processes (
    lock_number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text NOT NULL UNIQUE,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- Each beat, once a second, on the connection that holds the lock.
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- Whether a worker process is dead. It holds an advisory lock as long as it is
-- connected, so a killed one is known within seconds; but a lock may be gone for a
-- moment (a connection cut, Postgres restarted: nobody is taken for dead in its
-- first ten seconds), and one that is frozen or cut off keeps its lock while its
-- host's kernel does. grace is for the first, frozen for the second.
-- 844321 marks these locks.
CREATE FUNCTION towpath_process_dead(process worker_processes, grace interval, frozen interval) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_postmaster_start_time() < clock_timestamp() - interval '10 seconds'
        AND process.last_seen < clock_timestamp() - grace
        AND (process.last_seen < clock_timestamp() - frozen
            OR NOT EXISTS (
                SELECT 1
                FROM pg_locks
                WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND classid = 844321::oid
                    AND objid = process.lock_number::oid
                    AND granted
            ))
$$;

-- ---------------------------------------------------------------------------
-- The two sides in step. Success is written by the worker in one transaction:
-- its job's completion first, then the run. Everything else is written to
-- river.river_job by others (completer, rescuer, scheduler, River UI, SQL), and
-- these triggers carry it to the run inside the same transaction. Locks are
-- always taken job first, then run. Each function names its search_path: who
-- changes a job may come with any.
-- ---------------------------------------------------------------------------

-- Who is at work, for sync_run_events.who.
CREATE FUNCTION towpath_who() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('towpath.who', true), ''),
                    nullif(current_setting('application_name', true), ''),
                    current_user)
$$;

-- The stage that a job kind works at; null for a kind that is not ours.
CREATE FUNCTION towpath_stage(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'fetch_canonical' THEN 'fetch'
        WHEN 'post_invoice' THEN 'post'
        WHEN 'push_sync_state' THEN 'push'
    END
$$;

-- Inserts the job that tells the shop. The options equal those of
-- riverjobs.PushSyncStateArgs; a test compares them.
CREATE FUNCTION towpath_insert_push(run uuid) RETURNS bigint LANGUAGE sql SET search_path = public AS $$
    INSERT INTO river.river_job (kind, args, queue, max_attempts, priority, scheduled_at)
    SELECT 'push_sync_state', jsonb_build_object('run_id', sync_runs.id, 'share', sync_runs.tenant_id), 'push_sync_state', 180,
        CASE WHEN sync_runs.backfill THEN 2 ELSE 1 END, clock_timestamp()
    FROM sync_runs
    WHERE sync_runs.id = run
    RETURNING id
$$;

-- Ends a live run without success and lets the shop be told, as one change.
CREATE FUNCTION sync_run_end(run sync_runs, new_status text, code text, message text, detail text, tries integer, who text)
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    UPDATE sync_runs
    SET status = new_status, stage = 'push', shop_told = 'pending',
        river_job_id = towpath_insert_push(run.id),
        attempt = tries, next_attempt_at = NULL, hold_reason = NULL,
        error_code = code, error_message = message, error_detail = detail,
        finished_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = run.id;
    -- It holds nothing any more; a later try still finds that it had tried.
    UPDATE provider_intents
    SET settled_at = clock_timestamp()
    WHERE run_id = run.id AND settled_at IS NULL;
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
    VALUES (run.id, run.stage, run.status, new_status, tries, who, coalesce(message, ''));
END
$$;

-- Someone made a given up or cancelled job live again: that is a retry of its
-- run, where the run failed or was cancelled at that stage; or the shop is told
-- after all. False where the run has no use for the job.
CREATE FUNCTION sync_run_revive(old_job river.river_job, new_job river.river_job, who text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    run sync_runs;
    at_stage text := towpath_stage(old_job.kind);
BEGIN
    IF old_job.state NOT IN ('discarded', 'cancelled') THEN
        RETURN false;
    END IF;
    -- The job that tells the shop goes; like every job it is locked before the run.
    PERFORM 1
    FROM river.river_job AS job
    JOIN sync_runs AS waiting ON waiting.river_job_id = job.id
    WHERE waiting.id = (old_job.args ->> 'run_id')::uuid
    FOR UPDATE OF job;
    SELECT * INTO run FROM sync_runs WHERE id = (old_job.args ->> 'run_id')::uuid FOR UPDATE;

    IF at_stage = 'push' AND run.stage = 'done' AND run.shop_told = 'given_up' THEN
        UPDATE sync_runs
        SET stage = 'push', river_job_id = old_job.id, shop_told = 'pending', updated_at = clock_timestamp()
        WHERE id = run.id;
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        VALUES (run.id, 'push', run.status, run.status, new_job.attempt, who, 'job retried');
        RETURN true;
    END IF;
    IF at_stage = 'fetch' AND run.status IN ('failed', 'cancelled')
        OR at_stage = 'post' AND run.status IN ('failed', 'cancelled') AND run.canonical IS NOT NULL THEN
        UPDATE sync_runs
        SET status = 'queued', stage = at_stage, river_job_id = old_job.id,
            shop_told = NULL, told_at = NULL, finished_at = NULL,
            error_code = NULL, error_message = NULL, error_detail = NULL, updated_at = clock_timestamp()
        WHERE id = run.id;
        DELETE FROM river.river_job WHERE id = run.river_job_id AND state <> 'running';
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        VALUES (run.id, 'retry', run.status, 'queued', new_job.attempt, who, 'job retried');
        RETURN true;
    END IF;
    RETURN false;
END
$$;

-- Carries one change of a job's state to its run. old_job is the row before,
-- new_job the row after; new_state is 'deleted' where the row is gone.
CREATE FUNCTION sync_run_carry(old_job river.river_job, new_job river.river_job, new_state text)
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    run sync_runs;
    report jsonb := '{}';
    message text;
    was_run boolean := old_job.state = 'running';
    by_whom text := CASE WHEN was_run AND new_state NOT IN ('cancelled', 'deleted')
        THEN old_job.attempted_by[array_upper(old_job.attempted_by, 1)] ELSE towpath_who() END;
    new_status text;
BEGIN
    SELECT * INTO run FROM sync_runs WHERE river_job_id = old_job.id FOR UPDATE;

    IF NOT FOUND THEN
        -- Not the job of any run now. A worker that was still at it when its run
        -- went on without it leaves nothing behind.
        IF was_run AND new_state IN ('available', 'scheduled', 'retryable', 'pending')
            AND towpath_stage(old_job.kind) IS NOT NULL THEN
            UPDATE river.river_job SET state = 'cancelled', finalized_at = clock_timestamp() WHERE id = old_job.id;
        END IF;
        -- If it was finished and someone made it live again (River UI's retry),
        -- its run takes it up where it can; else that is undone.
        IF towpath_stage(old_job.kind) IS NOT NULL AND old_job.finalized_at IS NOT NULL
            AND new_state IN ('available', 'scheduled', 'retryable', 'pending')
            AND NOT sync_run_revive(old_job, new_job, by_whom) THEN
            UPDATE river.river_job SET state = old_job.state, finalized_at = old_job.finalized_at WHERE id = old_job.id;
        END IF;
        RETURN;
    END IF;

    -- What the worker said of this very attempt; another attempt's words are stale.
    IF was_run AND new_state <> 'deleted'
        AND new_job.metadata -> 'towpath' ->> 'attempt' = old_job.attempt::text THEN
        report := new_job.metadata -> 'towpath';
    END IF;
    message := report ->> 'message';
    IF message IS NULL AND new_state <> 'deleted'
        AND coalesce(array_length(new_job.errors, 1), 0) > coalesce(array_length(old_job.errors, 1), 0) THEN
        message := left(new_job.errors[array_upper(new_job.errors, 1)] ->> 'error', 2000);
    END IF;

    IF run.stage = 'push' THEN
        IF new_state IN ('discarded', 'cancelled', 'deleted') THEN
            UPDATE sync_runs
            SET stage = 'done', river_job_id = NULL, shop_told = 'given_up', updated_at = clock_timestamp()
            WHERE id = run.id;
        END IF;
        IF was_run OR new_state IN ('discarded', 'cancelled', 'deleted') THEN
            INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
            VALUES (run.id, CASE WHEN new_state IN ('discarded', 'cancelled', 'deleted') THEN 'give_up' ELSE 'push' END,
                run.status, run.status, old_job.attempt, by_whom, coalesce(message, new_state));
        END IF;
        RETURN;
    END IF;

    CASE new_state
    WHEN 'discarded' THEN
        PERFORM sync_run_end(run, 'failed', coalesce(report ->> 'code', 'internal'),
            coalesce(message, 'given up after all attempts'), report ->> 'detail', old_job.attempt, by_whom);
    WHEN 'cancelled' THEN
        PERFORM sync_run_end(run, 'cancelled', 'cancelled', 'cancelled by an operator', message, old_job.attempt, by_whom);
    WHEN 'deleted' THEN
        PERFORM sync_run_end(run, 'cancelled', 'cancelled', 'its job was deleted', NULL, old_job.attempt, by_whom);
    ELSE -- available, retryable, scheduled, pending: it waits
        new_status := CASE WHEN report ->> 'outcome' = 'held' THEN 'held' ELSE 'queued' END;
        IF NOT was_run AND run.status = 'held' AND new_state <> 'available' THEN
            new_status := 'held'; -- only rescheduled
        END IF;
        UPDATE sync_runs
        SET status = new_status,
            attempt = old_job.attempt,
            next_attempt_at = new_job.scheduled_at,
            hold_reason = CASE WHEN new_status = 'held' THEN coalesce(report ->> 'reason', run.hold_reason, 'unknown') END,
            -- It looks again under the settings as they are: a save that missed
            -- it, because it was just being worked, still reaches it.
            policy_version = CASE WHEN new_status = 'held'
                THEN (SELECT binding.policy_version FROM bindings AS binding WHERE binding.id = run.binding_id)
                ELSE run.policy_version END,
            error_code = CASE WHEN was_run THEN report ->> 'code' ELSE run.error_code END,
            error_message = CASE WHEN was_run THEN message ELSE run.error_message END,
            error_detail = CASE WHEN was_run THEN report ->> 'detail' ELSE run.error_detail END,
            updated_at = clock_timestamp()
        WHERE id = run.id;
        IF was_run OR run.status <> new_status THEN
            INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
            VALUES (run.id, run.stage, run.status, new_status, old_job.attempt, by_whom,
                coalesce(message, CASE WHEN was_run THEN 'given back' ELSE 'due again' END));
        END IF;
    END CASE;
END
$$;

-- A worker took the job. No exception block here: this is the hot path, and if
-- it ever raised, the fetch as a whole would be rolled back and nothing lost.
CREATE FUNCTION sync_run_follow_start() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    WITH before AS (
        SELECT id, status FROM sync_runs
        WHERE river_job_id = NEW.id AND status IN ('queued', 'held')
        FOR UPDATE
    ), started AS (
        UPDATE sync_runs
        SET status = 'running', hold_reason = NULL, attempt = NEW.attempt,
            next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM before
        WHERE sync_runs.id = before.id
        RETURNING sync_runs.id, sync_runs.stage, before.status AS from_status
    )
    INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who)
    SELECT id, stage, from_status, 'running', NEW.attempt, NEW.attempted_by[array_upper(NEW.attempted_by, 1)]
    FROM started;
    RETURN NULL;
END
$$;

-- A job that is due at once is due by the database's clock: the one that inserts
-- it stamps it by its own, and a clock ahead would park it for that long.
CREATE FUNCTION towpath_due_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.scheduled_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- Everything but start and success. It raises only what passes (a deadlock, a
-- shutdown): one row that always raised would fail a whole batch of River's and be
-- tried without end. What it could not carry shows in run_queue_mismatch.
CREATE FUNCTION sync_run_follow_job() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM sync_run_carry(OLD, OLD, 'deleted');
    ELSE
        PERFORM sync_run_carry(OLD, NEW, NEW.state::text);
    END IF;
    RETURN NULL;
EXCEPTION
    -- What passes is the writer's to try again, with the run as it was.
    WHEN deadlock_detected OR serialization_failure OR lock_not_available OR query_canceled OR admin_shutdown THEN
        RAISE;
    WHEN OTHERS THEN
        RAISE WARNING 'towpath: job % (%) not carried to its run: %', OLD.id, TG_OP, SQLERRM;
        RETURN NULL;
END
$$;

CREATE TRIGGER towpath_due_now
BEFORE INSERT ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND NEW.scheduled_at > clock_timestamp())
EXECUTE FUNCTION towpath_due_now();

CREATE TRIGGER towpath_follow_start
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state <> 'running' AND NEW.state = 'running')
EXECUTE FUNCTION sync_run_follow_start();

CREATE TRIGGER towpath_follow_job
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state IS DISTINCT FROM NEW.state AND NEW.state NOT IN ('running', 'completed'))
EXECUTE FUNCTION sync_run_follow_job();

CREATE TRIGGER towpath_follow_delete
AFTER DELETE ON river.river_job
FOR EACH ROW
WHEN (OLD.finalized_at IS NULL)
EXECUTE FUNCTION sync_run_follow_job();

-- ---------------------------------------------------------------------------
-- Shares. No tenant's backlog may keep another's invoice waiting. Each job names
-- a share (args.share): the tenant whose shop it touches, or the binding whose
-- ledger. Of one kind and share only a few jobs are in hand at a time (available
-- or running); the rest wait as River's "pending", where no worker sees them and
-- nothing polls. Whatever makes a job available goes through the gate; whatever
-- takes one out of hand admits the next; what falls between the two (a pause that
-- ends, two transactions that do not see each other) is admitted by the beat of
-- the worker processes, once a second.
-- ---------------------------------------------------------------------------

-- Whether a job has a share: only ours do, and their triggers must not fail for
-- anybody else's.
CREATE FUNCTION towpath_has_share(kind text, args jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT kind IN ('fetch_canonical', 'post_invoice', 'push_sync_state')
        AND coalesce(args ->> 'share' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', false)
$$;

-- In hand by share, and who comes next.
CREATE INDEX towpath_share ON river.river_job (kind, (args ->> 'share'), state, priority, scheduled_at, id)
    WHERE finalized_at IS NULL;

-- Why a share is shut until a person acts: the hold reason of its runs; null: it
-- is open. A share is a tenant's, but for jobs that write to a ledger: a binding's.
CREATE FUNCTION towpath_shut(kind text, share text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
    IF kind = 'post_invoice' THEN
        RETURN (SELECT CASE status WHEN 'needs_consent' THEN 'auth' WHEN 'revoked' THEN 'binding_revoked' END
            FROM bindings WHERE id = share::uuid);
    END IF;
    RETURN (SELECT CASE connection_status WHEN 'token_revoked' THEN 'auth' END FROM tenants WHERE id = share::uuid);
END
$$;

-- Whether a share waits for its provider's or its budget's time. In plpgsql, which
-- keeps its plans: it is asked for every job.
CREATE FUNCTION towpath_waits(kind text, share text, priority integer) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = public AS $$
BEGIN
    IF kind <> 'post_invoice' THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        SELECT 1
        FROM bindings
        LEFT JOIN call_budgets ON call_budgets.binding_id = bindings.id
        WHERE bindings.id = share::uuid
            AND (bindings.paused_until > clock_timestamp()
                -- No slot lies further ahead; what does was written by another clock.
                OR greatest(call_budgets.live_from, CASE WHEN priority > 1 THEN call_budgets.backfill_from END)
                    BETWEEN clock_timestamp() AND clock_timestamp() + interval '2 hours')
    );
END
$$;

-- Whether one more job of this priority may be in hand. Backfill (2 and above)
-- leaves a place to what happens now. Jobs that a batch took besides its own do not
-- count: they share its calls. A share that is shut keeps one job that
-- finds out, every few minutes, whether it still is; one that waits for the
-- provider's or the budget's time has none.
CREATE FUNCTION towpath_has_room(kind text, share text, priority integer) RETURNS boolean LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    size integer := CASE WHEN priority > 1 THEN 4 ELSE 5 END;
BEGIN
    IF towpath_shut(kind, share) IS NOT NULL THEN
        RETURN NOT EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = towpath_has_room.kind
                AND job.args ->> 'share' = towpath_has_room.share
                AND job.finalized_at IS NULL
                AND (job.state IN ('available', 'running')
                    OR job.state IN ('scheduled', 'retryable')
                        AND job.metadata -> 'towpath' ->> 'reason' = 'auth'
                        AND job.scheduled_at < clock_timestamp() + interval '15 minutes')
        );
    ELSIF towpath_waits(kind, share, priority) THEN
        RETURN false;
    END IF;
    RETURN size > (SELECT count(*) FROM (
        SELECT 1
        FROM river.river_job AS job
        WHERE job.kind = towpath_has_room.kind
            AND job.args ->> 'share' = towpath_has_room.share
            AND job.state IN ('available', 'running')
            AND job.finalized_at IS NULL
            AND NOT (job.state = 'running' AND job.metadata ->> 'batch' IS NOT DISTINCT FROM job.attempt::text)
        LIMIT size
    ) AS in_hand);
END
$$;

-- The gate. A job that a worker gave back for a moment since it waits for another
-- run steps behind those that wait, which may well have that run among them; one
-- that waits for its slot keeps its place. A share that is shut lets its own probe
-- come back.
CREATE FUNCTION towpath_gate() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    share text := NEW.args ->> 'share';
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'running' AND NEW.scheduled_at > clock_timestamp() THEN
        IF NOT towpath_waits(NEW.kind, share, NEW.priority) AND EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = NEW.kind AND job.args ->> 'share' = share AND job.state = 'pending' AND job.finalized_at IS NULL
        ) THEN
            NEW.state := 'pending';
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.state IN ('scheduled', 'retryable') AND towpath_shut(NEW.kind, share) IS NOT NULL THEN
        RETURN NEW;
    ELSIF NOT towpath_has_room(NEW.kind, share, NEW.priority) THEN
        NEW.state := 'pending';
    END IF;
    RETURN NEW;
END
$$;

-- Lets as many of a share's waiting jobs in as there is room for, and wakes the
-- workers as River does.
CREATE FUNCTION towpath_admit(kind text, share text) RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    next river.river_job;
    admitted integer := 0;
BEGIN
    LOOP
        SELECT * INTO next
        FROM river.river_job AS job
        WHERE job.kind = towpath_admit.kind
            AND job.args ->> 'share' = towpath_admit.share
            AND job.state = 'pending'
            AND job.finalized_at IS NULL
            AND job.scheduled_at <= clock_timestamp()
        ORDER BY job.priority, job.scheduled_at, job.id
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND OR NOT towpath_has_room(kind, share, next.priority);
        UPDATE river.river_job SET state = 'available' WHERE id = next.id;
        admitted := admitted + 1;
    END LOOP;
    IF admitted > 0 THEN
        PERFORM pg_notify('river.river_insert', json_build_object('queue', kind)::text);
    END IF;
    RETURN admitted;
END
$$;

-- A job left the hand.
CREATE FUNCTION towpath_admit_next() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    PERFORM towpath_admit(OLD.kind, OLD.args ->> 'share');
    RETURN NULL;
END
$$;

-- Runs whose share is shut are held, so that they say why they wait; at most a
-- thousand at once, each locked job first. Those that are being worked hold
-- themselves.
CREATE FUNCTION towpath_hold_shut(kind text, share text, reason text) RETURNS integer LANGUAGE sql SET search_path = public AS $$
    WITH waiting AS (
        SELECT job.id
        FROM sync_runs AS run
        JOIN river.river_job AS job ON job.id = run.river_job_id
        WHERE run.binding_id IN (SELECT id FROM bindings WHERE id = share::uuid OR tenant_id = share::uuid)
            AND run.stage = towpath_stage(towpath_hold_shut.kind)
            AND (run.status = 'queued' OR run.status = 'held' AND run.hold_reason = 'auth' AND reason <> 'auth')
            AND job.state = 'pending'
        LIMIT 1000
        FOR UPDATE OF job SKIP LOCKED
    ), held AS (
        UPDATE sync_runs AS run
        SET status = 'held', hold_reason = reason, next_attempt_at = NULL, updated_at = clock_timestamp()
        FROM (SELECT old.id, old.status FROM sync_runs AS old JOIN waiting ON waiting.id = old.river_job_id) AS before
        WHERE run.id = before.id AND run.status IN ('queued', 'held')
        RETURNING run.id, run.stage, run.attempt, before.status AS from_status
    ), noted AS (
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        SELECT held.id, held.stage, held.from_status, 'held', held.attempt, towpath_who(), 'waits with all of its connection: ' || reason
        FROM held
    )
    SELECT count(*)::integer FROM held
$$;

-- The other way: the share is open again, though nobody released its runs (a probe
-- got through).
CREATE FUNCTION towpath_unhold_open(kind text, share text) RETURNS integer LANGUAGE sql SET search_path = public AS $$
    WITH waiting AS (
        SELECT job.id
        FROM sync_runs AS run
        JOIN river.river_job AS job ON job.id = run.river_job_id
        WHERE run.binding_id IN (SELECT id FROM bindings WHERE id = share::uuid OR tenant_id = share::uuid)
            AND run.stage = towpath_stage(towpath_unhold_open.kind)
            AND run.status = 'held'
            AND run.hold_reason = 'auth'
            AND job.state = 'pending'
        LIMIT 1000
        FOR UPDATE OF job SKIP LOCKED
    ), freed AS (
        UPDATE sync_runs AS run
        SET status = 'queued', hold_reason = NULL, updated_at = clock_timestamp()
        FROM waiting
        WHERE run.river_job_id = waiting.id AND run.status = 'held'
        RETURNING run.id, run.stage, run.attempt
    ), noted AS (
        INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why)
        SELECT freed.id, freed.stage, 'held', 'queued', freed.attempt, towpath_who(), 'its connection works again'
        FROM freed
    )
    SELECT count(*)::integer FROM freed
$$;

-- The beat: every share that has jobs waiting is looked at, by one process at a
-- time.
CREATE FUNCTION towpath_keep_shares() RETURNS integer LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    at record;
    reason text;
    moved integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(844322, 1) THEN
        RETURN 0;
    END IF;
    FOR at IN
        -- One step of the index for each share, however many jobs wait in it.
        WITH RECURSIVE shares AS (
            (SELECT job.kind, job.args ->> 'share' AS share
            FROM river.river_job AS job
            WHERE job.finalized_at IS NULL AND job.args ->> 'share' IS NOT NULL
            ORDER BY 1, 2
            LIMIT 1)
            UNION ALL
            SELECT next.kind, next.share
            FROM shares
            CROSS JOIN LATERAL (
                SELECT job.kind, job.args ->> 'share' AS share
                FROM river.river_job AS job
                WHERE job.finalized_at IS NULL
                    AND (job.kind, job.args ->> 'share') > (shares.kind, shares.share)
                ORDER BY 1, 2
                LIMIT 1
            ) AS next
        )
        SELECT shares.kind, shares.share
        FROM shares
        WHERE towpath_has_share(shares.kind, jsonb_build_object('share', shares.share)) AND EXISTS (
            SELECT 1
            FROM river.river_job AS job
            WHERE job.kind = shares.kind AND job.args ->> 'share' = shares.share AND job.state = 'pending' AND job.finalized_at IS NULL
        )
    LOOP
        reason := towpath_shut(at.kind, at.share);
        IF at.kind = 'push_sync_state' THEN
            NULL; -- its runs have ended, and are not held
        ELSIF reason IS NOT NULL THEN
            moved := moved + towpath_hold_shut(at.kind, at.share, reason);
        ELSE
            moved := moved + towpath_unhold_open(at.kind, at.share);
        END IF;
        moved := moved + towpath_admit(at.kind, at.share);
    END LOOP;
    RETURN moved;
END
$$;

CREATE TRIGGER towpath_gate_insert
BEFORE INSERT ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_gate();

CREATE TRIGGER towpath_gate_update
BEFORE UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (NEW.state = 'available' AND OLD.state NOT IN ('available', 'pending') AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_gate();

CREATE TRIGGER towpath_leave_update
AFTER UPDATE OF state ON river.river_job
FOR EACH ROW
WHEN (OLD.state IN ('available', 'running') AND NEW.state NOT IN ('available', 'running')
    AND towpath_has_share(NEW.kind, NEW.args))
EXECUTE FUNCTION towpath_admit_next();

CREATE TRIGGER towpath_leave_delete
AFTER DELETE ON river.river_job
FOR EACH ROW
WHEN (OLD.state IN ('available', 'running') AND towpath_has_share(OLD.kind, OLD.args))
EXECUTE FUNCTION towpath_admit_next();

-- Promise 1 as a query: in no snapshot does this have a row.
CREATE VIEW run_queue_mismatch AS
SELECT run.id AS run_id, job.id AS job_id, run.status, run.stage, job.kind, job.state::text AS job_state,
    CASE
        WHEN job.id IS NULL THEN 'the run waits for a job that does not exist'
        WHEN job.finalized_at IS NOT NULL THEN 'the run waits for a job that is finished'
        WHEN towpath_stage(job.kind) IS DISTINCT FROM run.stage THEN 'the job is of another stage than the run'
        WHEN job.args ->> 'run_id' IS DISTINCT FROM run.id::text THEN 'the job is another run''s'
        ELSE 'the run''s status is not what its job''s state means'
    END AS problem
FROM sync_runs AS run
LEFT JOIN river.river_job AS job ON job.id = run.river_job_id
WHERE run.river_job_id IS NOT NULL
    AND (job.id IS NULL
        OR job.finalized_at IS NOT NULL
        OR towpath_stage(job.kind) IS DISTINCT FROM run.stage
        OR job.args ->> 'run_id' IS DISTINCT FROM run.id::text
        OR NOT CASE run.status
            WHEN 'queued' THEN job.state IN ('available', 'pending', 'scheduled', 'retryable')
            -- between two stages the next job has not been taken yet
            WHEN 'running' THEN job.state = 'running' OR (run.stage = 'post' AND job.state = 'available' AND job.attempt = 0)
            WHEN 'held' THEN job.state IN ('available', 'pending', 'scheduled', 'retryable')
            ELSE run.stage = 'push'
        END)
UNION ALL
SELECT run.id, job.id, run.status, run.stage, job.kind, job.state::text,
    CASE WHEN run.id IS NULL THEN 'the job''s run does not exist' ELSE 'the job waits, but its run does not wait for it' END
FROM river.river_job AS job
LEFT JOIN sync_runs AS run
    ON run.id = CASE WHEN job.args ->> 'run_id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN (job.args ->> 'run_id')::uuid END
WHERE towpath_stage(job.kind) IS NOT NULL
    AND job.state IN ('available', 'pending', 'scheduled', 'retryable')
    AND run.river_job_id IS DISTINCT FROM job.id;
COMMENT ON VIEW run_queue_mismatch IS 'runs and jobs that contradict each other; empty in every snapshot';
