-- The one list of job kinds in SQL, as the table in riverjobs/kinds.go: the stage
-- that a kind works at; null for a kind that is not ours. The stage says the rest:
-- 'fetch' and 'push' touch a tenant's shop, 'post' writes to a binding's ledger. A
-- kind's queue has the kind's name.
CREATE OR REPLACE FUNCTION towpath_stage(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'fetch_canonical' THEN 'fetch'
        WHEN 'post_invoice' THEN 'post'
        WHEN 'post_payment' THEN 'post'
        WHEN 'post_credit_note' THEN 'post'
        WHEN 'upsert_contact' THEN 'post'
        WHEN 'upsert_item' THEN 'post'
        WHEN 'push_sync_state' THEN 'push'
    END
$$;
