-- The runs that a run of a document waits for: the one definition, for workers and
-- pages. In a lane the invoice comes first, then its payment, then what was refunded,
-- also where the invoice's event came later or says the same second; among alike the
-- order is occurred_at, then arrival. A run that has ended is waited for no more, but
-- for an invoice that failed: what follows cannot be written before it is there. Of a
-- customer's or a product's changes the last goes first: what came before it has
-- nothing left to write then.
-- Inlined into the query that asks, where it stands in FROM. OFFSET 0 keeps each look-up
-- one in an index, and open runs are named as sync_runs_lane names them, so that no other
-- index will do: whatever the statistics say, a lane is not looked for among all runs.
CREATE OR REPLACE FUNCTION towpath_ahead(run uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT other.id
    FROM (SELECT * FROM public.sync_runs WHERE id = towpath_ahead.run OFFSET 0) AS mine
    CROSS JOIN LATERAL (
        SELECT before.id
        FROM public.sync_runs AS before
        WHERE before.lane = mine.lane
            AND before.binding_id = mine.binding_id
            AND coalesce(before.finished_at, 'infinity') = 'infinity'
            AND CASE WHEN mine.entity_type IN ('customer', 'product')
                THEN (before.occurred_at, before.received_at, before.id) > (mine.occurred_at, mine.received_at, mine.id)
                ELSE (public.towpath_event_rank(before.event), before.occurred_at, before.received_at, before.id)
                    < (public.towpath_event_rank(mine.event), mine.occurred_at, mine.received_at, mine.id)
            END
        OFFSET 0
    ) AS other
    UNION ALL
    -- Found by its entity: ended runs are in no index by lane. Of several the last says
    -- how the invoice stands.
    SELECT invoice.id
    FROM (SELECT * FROM public.sync_runs WHERE id = towpath_ahead.run OFFSET 0) AS mine
    CROSS JOIN LATERAL (
        SELECT created.id, created.status
        FROM public.sync_runs AS created
        WHERE created.entity_type = 'invoice'
            AND created.magento_entity_id = split_part(mine.lane, ':', 2)::bigint
            AND created.binding_id = mine.binding_id
            AND created.event = 'invoice.created'
        ORDER BY created.status = 'succeeded' DESC, created.received_at DESC, created.id DESC
        LIMIT 1
    ) AS invoice
    WHERE mine.event <> 'invoice.created'
        AND mine.lane LIKE 'invoice:%'
        AND invoice.status = 'failed'
$$;
