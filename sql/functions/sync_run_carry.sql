-- Carries one change of a job's state to its run. old_job is the row before,
-- new_job the row after; new_state is 'deleted' where the row is gone.
CREATE OR REPLACE FUNCTION sync_run_carry(old_job river.river_job, new_job river.river_job, new_state text)
RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
DECLARE
    run sync_runs;
    report jsonb := '{}';
    message text;
    was_run boolean := old_job.state = 'running';
    by_whom text := CASE WHEN was_run AND new_state NOT IN ('cancelled', 'deleted')
        THEN old_job.attempted_by[array_upper(old_job.attempted_by, 1)] ELSE towpath_who() END;
    new_status text;
    waits_for_answer boolean; -- its partition does not answer: it waits in line for a probe
    calls text[]; -- the provider's ids of the attempt's calls
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
        calls := CASE WHEN jsonb_typeof(report -> 'calls') = 'array' THEN ARRAY(SELECT jsonb_array_elements_text(report -> 'calls')) END;
    END IF;
    waits_for_answer := new_state = 'scheduled' AND coalesce(report ->> 'reason' LIKE '%\_no\_answer', false);
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
        IF waits_for_answer THEN
            UPDATE river.river_job SET state = 'pending', scheduled_at = clock_timestamp() WHERE id = old_job.id;
        END IF;
        RETURN;
    END IF;

    CASE new_state
    WHEN 'discarded' THEN
        PERFORM sync_run_end(run, 'failed', coalesce(report ->> 'code', 'internal'),
            coalesce(message, 'given up after all attempts'), report ->> 'detail', old_job.attempt, by_whom, calls);
    WHEN 'cancelled' THEN
        PERFORM sync_run_end(run, 'cancelled', 'cancelled', 'cancelled by an operator', message, old_job.attempt, by_whom, calls);
    WHEN 'deleted' THEN
        PERFORM sync_run_end(run, 'cancelled', 'cancelled', 'its job was deleted', NULL, old_job.attempt, by_whom, calls);
    ELSE -- available, retryable, scheduled, pending: it waits
        new_status := CASE WHEN report ->> 'outcome' = 'held' THEN 'held' ELSE 'queued' END;
        IF NOT was_run AND run.status = 'held' AND new_state <> 'available' THEN
            new_status := 'held'; -- only rescheduled
        END IF;
        UPDATE sync_runs
        SET status = new_status,
            attempt = old_job.attempt,
            next_attempt_at = CASE WHEN NOT waits_for_answer THEN new_job.scheduled_at END,
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
            INSERT INTO sync_run_events (run_id, step, from_status, to_status, attempt, who, why, calls)
            VALUES (run.id, run.stage, run.status, new_status, old_job.attempt, by_whom,
                coalesce(message, CASE WHEN was_run THEN 'given back' ELSE 'due again' END), calls);
        END IF;
        IF new_status = 'held' AND run.status <> 'held' THEN
            PERFORM towpath_wake(ARRAY[run.id]);
        END IF;
        IF was_run AND new_state = 'scheduled' AND report = '{}' AND new_job.metadata -> 'towpath' IS DISTINCT FROM old_job.metadata -> 'towpath' THEN
            -- A process that was held for dead puts off what another is at by now: its wait
            -- is not this attempt's.
            UPDATE river.river_job
            SET state = 'pending', scheduled_at = clock_timestamp()
            WHERE id = old_job.id;
        ELSIF waits_for_answer THEN
            UPDATE river.river_job SET state = 'pending', scheduled_at = clock_timestamp() WHERE id = old_job.id;
        ELSIF report ? 'parked' AND new_state = 'scheduled' AND NOT towpath_park(run.id, report ->> 'reason' = 'invoice_unknown') THEN
            UPDATE river.river_job
            SET state = 'pending', scheduled_at = clock_timestamp() + interval '1 second'
            WHERE id = old_job.id;
        END IF;
    END CASE;
END
$$;
