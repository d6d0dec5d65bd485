-- While it is not known how a pairing ended, the shop may have either key.
ALTER TABLE tenants
    ADD COLUMN offered_key_sealed bytea,
    ADD COLUMN previous_key_sealed bytea,
    ADD COLUMN previous_key_until timestamptz,
    ADD CHECK (num_nulls(previous_key_sealed, previous_key_until) IN (0, 2));
COMMENT ON COLUMN tenants.offered_key_sealed IS 'sealed as api_key_sealed is';
COMMENT ON COLUMN tenants.previous_key_sealed IS 'sealed as api_key_sealed is';
