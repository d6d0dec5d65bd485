-- Backfill lets what happens now go first; budgets of calls; shares of the queue.
-- Everybody takes jobs before runs, so this does too.
LOCK TABLE river.river_job IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sync_runs ADD COLUMN backfill boolean NOT NULL DEFAULT false;
CREATE INDEX sync_runs_queued ON sync_runs (binding_id, stage) WHERE status = 'queued';

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

CREATE OR REPLACE FUNCTION towpath_insert_push(run uuid) RETURNS bigint LANGUAGE sql SET search_path = public AS $$
    INSERT INTO river.river_job (kind, args, queue, max_attempts, priority, scheduled_at)
    SELECT 'push_sync_state', jsonb_build_object('run_id', sync_runs.id, 'share', sync_runs.tenant_id), 'push_sync_state', 180,
        CASE WHEN sync_runs.backfill THEN 2 ELSE 1 END, clock_timestamp()
    FROM sync_runs
    WHERE sync_runs.id = run
    RETURNING id
$$;

CREATE OR REPLACE FUNCTION sync_run_follow_job() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
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

-- Jobs that wait already get their share.
UPDATE river.river_job AS job
SET args = job.args || jsonb_build_object('share', CASE WHEN job.kind = 'post_invoice' THEN run.binding_id ELSE run.tenant_id END)
FROM sync_runs AS run
WHERE run.river_job_id = job.id;
