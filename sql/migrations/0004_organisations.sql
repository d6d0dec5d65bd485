-- One organisation may serve several shops: what is known of its documents and
-- contacts is compared over all of them.
LOCK TABLE river.river_job IN ACCESS EXCLUSIVE MODE;

-- The organisation that a binding writes to, however it was named: on the
-- accounting wire the id in any spelling, else what the ledger says of itself; on
-- wire v2 the server with the company's id. As long as neither is known it is
-- the address alone, which is never wrong about a document, since providers' ids
-- are unique at an address.
ALTER TABLE bindings ADD COLUMN org_key text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN wire = 'accounting' AND coalesce(nullif(org_id, ''), reference -> 'organisation' ->> 'id', '') <> ''
        THEN translate(lower(coalesce(nullif(org_id, ''), reference -> 'organisation' ->> 'id')), '{}-', '')
        ELSE regexp_replace(regexp_replace(lower(api_url), '^https?://', ''), '(/v2|/api\.xro/2\.0)?/*$', '')
            || '#' || lower(coalesce(nullif(reference -> 'organisation' ->> 'id', ''), org_id))
    END
) STORED;
CREATE INDEX bindings_organisation ON bindings (provider, org_key);

ALTER TABLE entity_xref DROP CONSTRAINT entity_xref_pkey;
DROP INDEX entity_xref_one_document;
ALTER TABLE entity_xref RENAME COLUMN org_id TO org_key;
ALTER TABLE entity_xref
    ADD COLUMN stale boolean NOT NULL DEFAULT false,
    ADD COLUMN merged boolean NOT NULL DEFAULT false,
    ADD COLUMN disputed boolean NOT NULL DEFAULT false;
UPDATE entity_xref AS x
SET org_key = CASE WHEN x.org_key = binding.org_id THEN binding.org_key ELSE translate(lower(x.org_key), '{}-', '') END
FROM sync_runs AS run
JOIN bindings AS binding ON binding.id = run.binding_id
WHERE run.id = x.run_id;
-- One organisation in two spellings: the shop's first word stays.
DELETE FROM entity_xref AS x
USING entity_xref AS earlier
WHERE (earlier.tenant_id, earlier.provider, earlier.org_key, earlier.entity_type, earlier.shop_id)
    = (x.tenant_id, x.provider, x.org_key, x.entity_type, x.shop_id)
    AND (earlier.created_at, earlier.ctid) < (x.created_at, x.ctid);
ALTER TABLE entity_xref ADD PRIMARY KEY (tenant_id, provider, org_key, entity_type, shop_id);
-- Until now two shops could be told the same document. Of such the earliest keeps
-- it; the others stay on record as disputed, verify names them, and a retry
-- books them anew.
UPDATE entity_xref AS x
SET disputed = true
WHERE x.entity_type = 'invoice' AND EXISTS (
    SELECT 1
    FROM entity_xref AS earlier
    WHERE earlier.entity_type = 'invoice'
        AND (earlier.provider, earlier.org_key, earlier.provider_id) = (x.provider, x.org_key, x.provider_id)
        AND (earlier.created_at, earlier.ctid) < (x.created_at, x.ctid)
);
CREATE UNIQUE INDEX entity_xref_one_document ON entity_xref (provider, org_key, provider_id)
    WHERE entity_type = 'invoice' AND NOT disputed;
CREATE INDEX entity_xref_contact ON entity_xref (provider, org_key, provider_id) WHERE entity_type = 'contact';

ALTER TABLE provider_intents ADD COLUMN maybe boolean NOT NULL DEFAULT false;
UPDATE provider_intents SET maybe = true WHERE tries > 1 AND NOT certain;
