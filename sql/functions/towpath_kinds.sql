-- All job kinds, those that towpath_stage has a stage for; a test compares the two.
CREATE OR REPLACE FUNCTION towpath_kinds() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY['fetch_canonical', 'post_invoice', 'post_payment', 'post_credit_note', 'upsert_contact', 'upsert_item', 'push_sync_state']
$$;
