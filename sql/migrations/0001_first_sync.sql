-- A paired shop. Its api_key signs nothing: two subkeys are derived from it.
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    magento_url text NOT NULL CHECK (magento_url ~ '^https?://'),
    api_key_sealed bytea NOT NULL,
    connection_status text NOT NULL DEFAULT 'active'
        CHECK (connection_status IN ('active', 'pending', 'token_revoked')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN tenants.api_key_sealed IS 'pkg/secret envelope, bound to the tenant''s id';

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
    VALUES ('push_sync_state', jsonb_build_object('run_id', run), 'push_sync_state', 180, 1, clock_timestamp())
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

-- Everything but start and success. It never raises: one raising row would fail
-- a whole batch of River's and be tried without end. What it could not carry
-- shows in run_queue_mismatch.
CREATE FUNCTION sync_run_follow_job() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM sync_run_carry(OLD, OLD, 'deleted');
    ELSE
        PERFORM sync_run_carry(OLD, NEW, NEW.state::text);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
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
