-- Payments, credit notes, contacts and items are written too.
ALTER TABLE entity_xref
    DROP CONSTRAINT entity_xref_entity_type_check,
    ADD CONSTRAINT entity_xref_entity_type_check
        CHECK (entity_type IN ('invoice', 'contact', 'payment', 'creditmemo', 'allocation', 'refund', 'item')),
    ADD COLUMN body_hash text,
    ADD COLUMN written_at timestamptz;

ALTER TABLE provider_intents
    DROP CONSTRAINT provider_intents_operation_check,
    ADD CONSTRAINT provider_intents_operation_check
        CHECK (operation IN ('contact', 'invoice', 'payment', 'creditmemo', 'allocation', 'refund', 'contact_update', 'item'));

DROP INDEX entity_xref_one_document;
CREATE UNIQUE INDEX entity_xref_one_document ON entity_xref (provider, org_key, entity_type, provider_id)
    WHERE entity_type IN ('invoice', 'creditmemo', 'payment', 'refund') AND NOT disputed;

CREATE INDEX sync_runs_left_out ON sync_runs (binding_id, lane) WHERE skip_reason = 'invoice_not_synced';
