-- needs: towpath_insert_jobs
-- What T1 writes for a set of events: the tokens are spent, the runs inserted, each with
-- its first job and its first line of history. Answers the ids of the jobs: those of the
-- runs, and after them those of runs that start over, which are not touched here. Where
-- another transaction stored one of the tokens or events meanwhile, which the unique keys
-- find, it fails with unique_violation. Tokens come first and in order, then the jobs in
-- the order of arrival, and the runs in order of their keys, so that two sets which share
-- some wait for each other and do not block each other.
--
-- unseen: nobody has looked whether any of it is known. Then it does not wait for others'
-- locks for long, and answers null, with nothing written, where a key is known of the same
-- event, or of another entity; a token that was spent is a unique_violation.
CREATE OR REPLACE FUNCTION towpath_accept(
    who text, kind text, unseen boolean,
    token_tenant_id uuid[], jti text[], request_key text[], expires_at timestamptz[],
    id uuid[], tenant_id uuid[], binding_id uuid[], policy_version integer[], event text[], entity_type text[], magento_entity_id bigint[],
    website_id bigint[], store_id bigint[], idempotency_key text[], dedupe_key text[], lane text[], occurred_at timestamptz[],
    body json[], backfill boolean[], starts_over uuid[], share uuid[], priority integer[], after double precision[]
) RETURNS bigint[] LANGUAGE plpgsql SET search_path = public AS $$
#variable_conflict use_column
DECLARE
    jobs bigint[];
    stored integer;
BEGIN
    IF unseen THEN
        PERFORM set_config('lock_timeout', '500ms', true);
        -- Any run under a key: all are of one entity.
        IF EXISTS (
            SELECT 1
            FROM unnest(towpath_accept.binding_id, towpath_accept.idempotency_key, towpath_accept.dedupe_key, towpath_accept.event,
                towpath_accept.magento_entity_id) AS asked (binding_id, idempotency_key, dedupe_key, event, magento_entity_id)
            CROSS JOIN LATERAL (
                SELECT run.dedupe_key, run.event, run.magento_entity_id
                FROM sync_runs AS run
                WHERE run.binding_id = asked.binding_id
                    AND run.idempotency_key = asked.idempotency_key
                LIMIT 1
            ) AS earlier
            WHERE earlier.dedupe_key = asked.dedupe_key
                OR (earlier.event, earlier.magento_entity_id) <> (asked.event, asked.magento_entity_id)
        ) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO spent_jtis (tenant_id, jti, request_key, expires_at)
    SELECT spent.*
    FROM unnest(token_tenant_id, towpath_accept.jti, towpath_accept.request_key, towpath_accept.expires_at) AS spent (tenant_id, jti, request_key, expires_at)
    ORDER BY spent.jti, spent.tenant_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> coalesce(cardinality(towpath_accept.jti), 0) THEN
        RAISE unique_violation USING MESSAGE = 'a token was used in another transaction';
    ELSIF coalesce(cardinality(share), 0) = 0 THEN
        RETURN '{}';
    END IF;
    jobs := towpath_insert_jobs(kind, towpath_accept.id || starts_over, share, priority, after);
    INSERT INTO sync_runs (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id,
        website_id, store_id, idempotency_key, dedupe_key, lane, occurred_at, body, backfill, river_job_id)
    SELECT run.*
    FROM unnest(towpath_accept.id, towpath_accept.tenant_id, towpath_accept.binding_id, towpath_accept.policy_version, towpath_accept.event,
        towpath_accept.entity_type, towpath_accept.magento_entity_id, towpath_accept.website_id, towpath_accept.store_id,
        towpath_accept.idempotency_key, towpath_accept.dedupe_key, towpath_accept.lane, towpath_accept.occurred_at, towpath_accept.body,
        towpath_accept.backfill, jobs[:cardinality(towpath_accept.id)]) AS run (id, tenant_id, binding_id, policy_version, event, entity_type, magento_entity_id,
        website_id, store_id, idempotency_key, dedupe_key, lane, occurred_at, body, backfill, river_job_id)
    ORDER BY run.dedupe_key, run.binding_id
    ON CONFLICT (binding_id, dedupe_key) DO NOTHING;
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> coalesce(cardinality(towpath_accept.id), 0) THEN
        RAISE unique_violation USING MESSAGE = 'an event was accepted by another transaction';
    END IF;
    INSERT INTO sync_run_events (run_id, step, to_status, who)
    SELECT unnest(towpath_accept.id), 'accept', 'queued', towpath_accept.who;
    RETURN jobs;
END
$$;
