-- Who changed what: a row for each change that a person made, by a page or by the command
-- line, written with the change itself (pkg/audit). No secret and no data of the shops'
-- customers. No foreign keys: a row outlives what it is about.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL CHECK (who <> ''),
    action text NOT NULL,
    tenant_id uuid,
    binding_id uuid,
    run_id uuid,
    -- What was changed, of the changed parts only; null for nothing.
    before jsonb,
    after jsonb
);
CREATE INDEX audit_tenant ON audit (tenant_id, id);
