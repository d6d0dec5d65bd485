-- Who may use the pages, who is signed in, and who is slowed down for guessing.
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$'),
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    tenant_id uuid REFERENCES tenants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    password_at timestamptz,
    disabled_at timestamptz,
    CHECK (num_nulls(password_hash, password_at) IN (0, 2)),
    CHECK (tenant_id IS NULL OR role = 'viewer')
);

CREATE INDEX users_tenant ON users (tenant_id) WHERE tenant_id IS NOT NULL;

CREATE TABLE user_sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX user_sessions_user ON user_sessions (user_id);
CREATE INDEX user_sessions_expires ON user_sessions (expires_at);

CREATE TABLE sign_in_slowed (
    key text PRIMARY KEY,
    clear_at timestamptz NOT NULL
);
CREATE INDEX sign_in_slowed_clear ON sign_in_slowed (clear_at);
