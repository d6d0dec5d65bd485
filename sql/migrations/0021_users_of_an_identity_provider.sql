-- Users for whom an identity provider vouches (OpenID Connect): its address, and whom it
-- means by which of its accounts.
ALTER TABLE users
    ADD COLUMN oidc_issuer text,
    ADD COLUMN oidc_subject text,
    ADD UNIQUE (oidc_issuer, oidc_subject),
    ADD CHECK (num_nulls(oidc_issuer, oidc_subject) IN (0, 2));
