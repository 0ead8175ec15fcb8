-- Services that take tokens in their own name (`client_credentials`), or introspect those of others.

CREATE TABLE clients (
    -- The `sub` of its tokens.
    id            BLOB PRIMARY KEY,
    -- The `client_id`.
    name          TEXT NOT NULL UNIQUE,
    secret_digest BLOB NOT NULL,
    -- Authorization version, as a user's: grows with each secret.
    ver           INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    -- When its secret was made.
    rotated_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE client_roles (
    client_id BLOB NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    role_id   BLOB NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (client_id, role_id)
) STRICT;
CREATE INDEX client_roles_by_role ON client_roles (role_id);

-- Whether one token was revoked: a service's has no session that would say so.
CREATE INDEX outbox_by_token ON outbox (ref) WHERE kind = 'token';
