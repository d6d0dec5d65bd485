-- Copies ended runs with all that belongs to each. multiply.go runs the parts: the first once,
-- then all others for one range of generations ($1 to $2, $3 apart) after another. A
-- generation is a copy of every model: other ids, numbers, buyers and times, the same sizes.
-- A row is copied by populating its record anew: a new column need not be named here.

-- part: models
-- What is told apart in a run's texts: its numbers (the simulated shop's begin with 1 for
-- an invoice, 2 for its order, 3 for a memo), its buyer, and the buyer's contact.
CREATE TEMP TABLE model AS
SELECT run.id, run.received_at, run.entity_type, run.magento_entity_id AS entity,
    CASE WHEN run.lane LIKE 'invoice:%' THEN split_part(run.lane, ':', 2)::bigint ELSE 0 END AS invoice,
    CASE WHEN run.entity_type = 'creditmemo' THEN run.magento_entity_id ELSE 0 END AS memo,
    coalesce((run.canonical #>> '{customer,magento_id}')::bigint, CASE WHEN run.entity_type = 'customer' THEN run.magento_entity_id END, 0) AS buyer,
    coalesce(run.document ->> 'contact_id', CASE WHEN run.entity_type = 'customer' THEN run.provider_entity_id END, 'none') AS contact
FROM sync_runs AS run
WHERE run.stage = 'done'
    AND run.received_at < current_setting('bench.before')::timestamptz;
CREATE UNIQUE INDEX ON model (id);
CREATE TEMP TABLE made (model uuid, g bigint, id uuid, back interval, entity bigint, invoice bigint, buyer bigint, contact text, old model);
-- Numbers of copies begin where the shop's own will not come.
CREATE FUNCTION pg_temp.shift(kind text, g bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind WHEN 'invoice' THEN 1000000 + 41 * g WHEN 'creditmemo' THEN 1000000 + 8 * g WHEN 'customer' THEN 1000000 + 10 * (g % 2500) ELSE 0 END
$$;
-- A contact is its buyer's, who comes again; every other id of the ledger is the copy's own.
CREATE FUNCTION pg_temp.copied(said text, m made) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT replace(replace(replace(replace(replace(replace(said,
        (m.old).contact, m.contact),
        '5eed0000-', lpad(to_hex(m.g), 8, '0') || '-'),
        (100000000 + (m.old).invoice)::text, (100000000 + m.invoice)::text),
        (200000000 + (m.old).invoice)::text, (200000000 + m.invoice)::text),
        (300000000 + (m.old).memo)::text, (300000000 + m.entity)::text),
        'uyer' || (m.old).buyer, 'uyer' || m.buyer)
$$;

-- part: made
-- Ids are of version 7, as the front door makes them: in the order of time. The share of the
-- whole time that a generation lies back is its place among them.
INSERT INTO made
SELECT model.id, g,
    (lpad(to_hex((extract(epoch FROM model.received_at - lies.back) * 1000)::bigint), 12, '0') || '7' || substr(md5(model.id::text || g), 1, 3)
        || '8' || substr(md5(model.id::text || g), 5, 15))::uuid,
    lies.back, model.entity + pg_temp.shift(model.entity_type, g), model.invoice + pg_temp.shift('invoice', g),
    model.buyer + pg_temp.shift('customer', g),
    CASE WHEN model.contact = 'none' THEN 'none' ELSE 'c0' || lpad(to_hex(g % 2500), 6, '0') || substr(model.contact, 9) END, model
FROM generate_series($1::bigint, $2::bigint) AS g
CROSS JOIN (SELECT count(*) AS runs FROM model) AS all_of_them
CROSS JOIN LATERAL (SELECT g * $3::interval AS back) AS lies
JOIN model ON model.entity_type <> 'invoice' OR (model.entity + pg_temp.shift('invoice', g)) % 4999 <> 0 -- a gap now and then
ORDER BY g DESC, model.received_at;

-- part: analyzed
ANALYZE made;

-- part: runs
INSERT INTO sync_runs
SELECT copy.*
FROM made AS m
JOIN sync_runs AS run ON run.id = m.model
CROSS JOIN LATERAL json_populate_record(run, json_build_object(
    'id', m.id, 'magento_entity_id', m.entity, 'idempotency_key', run.event || ':' || m.entity,
    'dedupe_key', run.event || ':' || m.entity || CASE WHEN run.dedupe_key LIKE '%@%' THEN '@' || (run.occurred_at - m.back) ELSE '' END,
    'lane', split_part(run.lane, ':', 1) || ':' || CASE WHEN run.lane LIKE 'invoice:%' THEN m.invoice ELSE m.entity END,
    'occurred_at', run.occurred_at - m.back, 'received_at', run.received_at - m.back, 'finished_at', run.finished_at - m.back,
    'told_at', run.told_at - m.back, 'updated_at', run.updated_at - m.back,
    'body', pg_temp.copied(run.body::text, m)::json, 'canonical', pg_temp.copied(run.canonical::text, m)::json,
    'document', pg_temp.copied(run.document::text, m)::json, 'decision', pg_temp.copied(run.decision::text, m)::json,
    'provider_entity_id', pg_temp.copied(run.provider_entity_id, m), 'provider_reference', pg_temp.copied(run.provider_reference, m),
    'provider_url', pg_temp.copied(run.provider_url, m))) AS copy;

-- part: events
INSERT INTO sync_run_events OVERRIDING USER VALUE
SELECT copy.*
FROM made AS m
JOIN sync_run_events AS event ON event.run_id = m.model
CROSS JOIN LATERAL json_populate_record(event, json_build_object('run_id', m.id, 'at', event.at - m.back, 'why', pg_temp.copied(event.why, m))) AS copy;

-- part: search
-- Sums differ too, or some forty sums would be everybody's.
INSERT INTO run_search
SELECT m.id, known.received_at - m.back, pg_temp.copied(known.number, m), pg_temp.copied(known.customer, m),
    varied.amount, known.currency,
    array_to_tsvector(ARRAY(SELECT CASE WHEN term = known.amount THEN varied.amount ELSE pg_temp.copied(term, m) END FROM unnest(tsvector_to_array(known.terms)) AS term))
FROM made AS m
JOIN run_search AS known ON known.run_id = m.model
CROSS JOIN LATERAL (
    SELECT CASE WHEN known.amount ~ '^[0-9]+\.[0-9]{2}$' THEN (known.amount::numeric + m.g % 997)::text ELSE known.amount END AS amount
) AS varied;

-- part: calls
INSERT INTO run_calls OVERRIDING USER VALUE
SELECT copy.*
FROM made AS m
JOIN run_calls AS call ON call.run_id = m.model
CROSS JOIN LATERAL json_populate_record(call, json_build_object('run_id', m.id, 'at', call.at - m.back, 'calls', pg_temp.copied(call.calls::text, m)::json)) AS copy;

-- part: xrefs
INSERT INTO entity_xref
SELECT copy.*
FROM made AS m
JOIN entity_xref AS x ON x.run_id = m.model
CROSS JOIN LATERAL json_populate_record(x, json_build_object('run_id', m.id, 'created_at', x.created_at - m.back, 'written_at', x.written_at - m.back,
    'shop_id', CASE x.entity_type WHEN 'contact' THEN m.buyer WHEN 'invoice' THEN m.invoice WHEN 'payment' THEN m.invoice ELSE m.entity END,
    'provider_id', pg_temp.copied(x.provider_id, m), 'provider_reference', pg_temp.copied(x.provider_reference, m),
    'provider_url', pg_temp.copied(x.provider_url, m))) AS copy
WHERE x.entity_type <> 'item'
ON CONFLICT DO NOTHING;

-- part: intents
INSERT INTO provider_intents
SELECT copy.*
FROM made AS m
JOIN provider_intents AS intent ON intent.run_id = m.model
CROSS JOIN LATERAL json_populate_record(intent, json_build_object('run_id', m.id, 'made_at', intent.made_at - m.back, 'settled_at', intent.settled_at - m.back,
    'object_key', CASE WHEN intent.object_key ~ '^[0-9]{1,6}$' THEN m.buyer::text ELSE pg_temp.copied(intent.object_key, m) END)) AS copy;

-- part: audit
-- One change in a hundred runs.
INSERT INTO audit (at, who, action, tenant_id, binding_id, run_id)
SELECT run.received_at, 'cli:ada', 'run.retry', run.tenant_id, run.binding_id, run.id
FROM made AS m
JOIN sync_runs AS run ON run.id = m.id
WHERE hashtext(m.id::text) % 100 = 0;
