-- Who is at work, for sync_run_events.who.
CREATE OR REPLACE FUNCTION towpath_who() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('towpath.who', true), ''),
                    nullif(current_setting('application_name', true), ''),
                    current_user)
$$;
