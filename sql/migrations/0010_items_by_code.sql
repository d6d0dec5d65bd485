-- Lines of invoices name the items that are on the ledger's price list.
CREATE INDEX entity_xref_item ON entity_xref (tenant_id, provider, org_key, provider_reference) WHERE entity_type = 'item';
