-- Whether a job has a share: only ours do, and their triggers must not fail for
-- anybody else's. It is inlined where it is asked, under any search_path.
CREATE OR REPLACE FUNCTION towpath_has_share(kind text, args jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT public.towpath_stage(kind) IS NOT NULL
        AND coalesce(args ->> 'share' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', false)
$$;
