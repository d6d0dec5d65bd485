-- Whether a job has a share: only ours do, and their triggers must not fail for
-- anybody else's.
CREATE OR REPLACE FUNCTION towpath_has_share(kind text, args jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT kind IN ('fetch_canonical', 'post_invoice', 'push_sync_state')
        AND coalesce(args ->> 'share' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', false)
$$;
