-- Which of these shares have no room for one more job of its priority. One that has is
-- locked until the transaction ends and asked once more: two sets that insert at the
-- same moment would not see each other's jobs, and the bound would be none. A set asks
-- for one kind after the other, in order, and shares are locked in order, so two sets
-- wait for each other and do not block each other. 844323 marks these locks.
CREATE OR REPLACE FUNCTION towpath_full(kind text, shares text[], priorities integer[], OUT share text, OUT priority integer) RETURNS SETOF record
LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    FOR share, priority IN SELECT DISTINCT asked.share, asked.priority FROM unnest(shares, priorities) AS asked (share, priority) ORDER BY 1, 2 LOOP
        IF towpath_has_room(kind, share, priority) THEN
            PERFORM pg_advisory_xact_lock(844323, hashtext(kind || share));
            CONTINUE WHEN towpath_has_room(kind, share, priority);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
