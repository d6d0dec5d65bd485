-- A consent is tied to the browser that asked for it, and always has a verifier.
-- Those under way are ten minutes old at most: they are asked for again.
DELETE FROM oauth_states;
ALTER TABLE oauth_states
    ADD COLUMN browser_hash bytea,
    ADD CONSTRAINT oauth_states_begun CHECK (num_nulls(browser_hash, verifier_sealed) IN (0, 2));
