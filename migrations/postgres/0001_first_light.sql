-- Users, roles, sessions, refresh tokens, login history, keys, and the outbox of revocations.
-- Logins compare byte by byte (COLLATE "C"), since they are stored folded (RFC 8265).

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    login         text COLLATE "C" NOT NULL UNIQUE,
    password_hash text NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    superuser     boolean NOT NULL DEFAULT false,
    -- Authorization version: grows with each change of what the user may do (claim `ver`).
    ver           bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX users_superusers ON users (id) WHERE superuser;

CREATE TABLE roles (
    id          uuid PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE,
    description text,
    built_in    boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);

CREATE TABLE user_roles (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id    uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, role_id)
);
CREATE INDEX user_roles_by_role ON user_roles (role_id);

-- One row: grows whenever a role is renamed or deleted (claim `rver`).
CREATE TABLE role_version (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    rver bigint NOT NULL
);
INSERT INTO role_version (rver) VALUES (1);

CREATE TABLE sessions (
    id                 uuid PRIMARY KEY,
    user_id            uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at         timestamptz NOT NULL,
    last_seen_at       timestamptz NOT NULL,
    -- The end whatever happens, and the end if nothing is refreshed before.
    expires_at         timestamptz NOT NULL,
    refresh_expires_at timestamptz NOT NULL,
    ended_at           timestamptz,
    -- Number of the newest refresh token.
    leaf               bigint NOT NULL DEFAULT 0,
    ip                 text,
    user_agent         text,
    device             text
);
CREATE INDEX sessions_live_by_user ON sessions (user_id, id DESC) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    digest     bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    counter    bigint NOT NULL,
    -- When it was first exchanged for its successor.
    used_at    timestamptz,
    UNIQUE (session_id, counter)
);

CREATE TABLE login_history (
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    -- Without a user where the login was unknown.
    user_id    uuid,
    session_id uuid,
    outcome    text NOT NULL,
    ip         text,
    user_agent text,
    device     text,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE login_history_default PARTITION OF login_history DEFAULT;
CREATE INDEX login_history_by_user ON login_history (user_id, id DESC);

CREATE TABLE signing_keys (
    kid          text COLLATE "C" PRIMARY KEY,
    state        text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    modulus      bytea NOT NULL,
    exponent     bytea NOT NULL,
    sealed       bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    activated_at timestamptz,
    retired_at   timestamptz
);
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';

CREATE TABLE server_secrets (
    name       text PRIMARY KEY,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Access-token lifetimes that an issuer signs with, or signed with until `last_used_at`.
CREATE TABLE access_lifetimes (
    lifetime_s   bigint PRIMARY KEY,
    last_used_at timestamptz NOT NULL
);

-- Revocations, each committed with its cause.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('session', 'subject', 'role', 'token', 'key')),
    -- Of session, subject and token.
    ref        uuid,
    -- Of role and key.
    name       text COLLATE "C",
    -- The least `ver` or `rver` that is still good.
    version    bigint,
    expires_at timestamptz
);
CREATE INDEX outbox_by_name ON outbox (name, version) WHERE kind = 'role';
CREATE INDEX outbox_by_expiry ON outbox (expires_at);

-- The built-in roles have the same ids everywhere.
INSERT INTO roles (id, name, description, built_in, created_at, updated_at) VALUES
    ('00000000-0000-7000-8000-000000000001', 'user', 'Everybody who registers', true, now(), now()),
    ('00000000-0000-7000-8000-000000000002', 'role_editor', 'May manage roles and grant them', true, now(), now()),
    ('00000000-0000-7000-8000-000000000003', 'admin', 'May see users, histories and sessions, and disable accounts', true, now(), now());
