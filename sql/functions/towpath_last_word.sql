-- The run whose end the shop is shown of the document, customer or product that a run is
-- about: the shop keeps one state of each, and shows what it was told last. An invoice that
-- was not written says why; once it is written its payment has the word, whose end may have
-- come first. Of a customer's or a product's changes the last counts, of a document's runs
-- one that succeeded.
-- Inlined as towpath_ahead is; one look-up in sync_runs_entity.
CREATE OR REPLACE FUNCTION towpath_last_word(run uuid) RETURNS TABLE (id uuid, finished_at timestamptz) LANGUAGE sql STABLE AS $$
    SELECT word.id, word.finished_at
    FROM (SELECT * FROM public.sync_runs WHERE sync_runs.id = towpath_last_word.run OFFSET 0) AS mine
    CROSS JOIN LATERAL (
        SELECT ended.id, ended.finished_at
        FROM (
            SELECT other.*, bool_or(other.event = 'invoice.created' AND other.status = 'succeeded') OVER () AS written
            FROM public.sync_runs AS other
            WHERE other.magento_entity_id = mine.magento_entity_id
                AND other.entity_type = mine.entity_type
                AND other.binding_id = mine.binding_id
                AND other.finished_at IS NOT NULL
        ) AS ended
        ORDER BY ended.event = 'invoice.created' AND NOT ended.written DESC,
            ended.event = 'invoice.paid' DESC,
            ended.status = 'succeeded' AND ended.entity_type IN ('invoice', 'creditmemo') DESC,
            ended.occurred_at DESC, ended.received_at DESC, ended.id DESC
        LIMIT 1
    ) AS word
$$;
