-- Services that take tokens in their own name (`client_credentials`), or introspect those of others.

CREATE TABLE clients (
    -- The `sub` of its tokens.
    id            uuid PRIMARY KEY,
    -- The `client_id`.
    name          text COLLATE "C" NOT NULL UNIQUE,
    secret_digest bytea NOT NULL,
    -- Authorization version, as a user's: grows with each secret.
    ver           bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    -- When its secret was made.
    rotated_at    timestamptz NOT NULL
);

CREATE TABLE client_roles (
    client_id uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    role_id   uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (client_id, role_id)
);
CREATE INDEX client_roles_by_role ON client_roles (role_id);

-- Whether one token was revoked: a service's has no session that would say so.
CREATE INDEX outbox_by_token ON outbox (ref) WHERE kind = 'token';
