-- The stage that a job kind works at; null for a kind that is not ours.
CREATE OR REPLACE FUNCTION towpath_stage(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'fetch_canonical' THEN 'fetch'
        WHEN 'post_invoice' THEN 'post'
        WHEN 'push_sync_state' THEN 'push'
    END
$$;
