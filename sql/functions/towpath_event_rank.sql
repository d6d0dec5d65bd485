-- The place of an event in its document's lane, before time counts.
CREATE OR REPLACE FUNCTION towpath_event_rank(event text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE event WHEN 'invoice.paid' THEN 1 WHEN 'creditmemo.created' THEN 2 ELSE 0 END
$$;
