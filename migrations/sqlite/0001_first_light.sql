-- Times are Unix milliseconds, ids are the 16 bytes of a UUID.
-- Users, roles, sessions, refresh tokens, login history, keys, and the outbox of revocations.
-- Logins compare byte by byte (the default BINARY), since they are stored folded (RFC 8265).

CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    login         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    active        INTEGER NOT NULL DEFAULT 1,
    superuser     INTEGER NOT NULL DEFAULT 0,
    -- Authorization version: grows with each change of what the user may do (claim `ver`).
    ver           INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX users_superusers ON users (id) WHERE superuser;

CREATE TABLE roles (
    id          BLOB PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT,
    built_in    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE user_roles (
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id    BLOB NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, role_id)
) STRICT;
CREATE INDEX user_roles_by_role ON user_roles (role_id);

-- One row: grows whenever a role is renamed or deleted (claim `rver`).
CREATE TABLE role_version (
    one  INTEGER PRIMARY KEY DEFAULT 1 CHECK (one),
    rver INTEGER NOT NULL
) STRICT;
INSERT INTO role_version (rver) VALUES (1);

CREATE TABLE sessions (
    id                 BLOB PRIMARY KEY,
    user_id            BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at         INTEGER NOT NULL,
    last_seen_at       INTEGER NOT NULL,
    -- The end whatever happens, and the end if nothing is refreshed before.
    expires_at         INTEGER NOT NULL,
    refresh_expires_at INTEGER NOT NULL,
    ended_at           INTEGER,
    -- Number of the newest refresh token.
    leaf               INTEGER NOT NULL DEFAULT 0,
    ip                 TEXT,
    user_agent         TEXT,
    device             TEXT
) STRICT;
CREATE INDEX sessions_live_by_user ON sessions (user_id, id DESC) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    digest     BLOB PRIMARY KEY,
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    counter    INTEGER NOT NULL,
    -- When it was first exchanged for its successor.
    used_at    INTEGER,
    UNIQUE (session_id, counter)
) STRICT;

CREATE TABLE login_history (
    id         BLOB NOT NULL,
    at         INTEGER NOT NULL,
    -- Without a user where the login was unknown.
    user_id    BLOB,
    session_id BLOB,
    outcome    TEXT NOT NULL,
    ip         TEXT,
    user_agent TEXT,
    device     TEXT,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX login_history_by_time ON login_history (at);
CREATE INDEX login_history_by_user ON login_history (user_id, id DESC);

CREATE TABLE signing_keys (
    kid          TEXT PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    modulus      BLOB NOT NULL,
    exponent     BLOB NOT NULL,
    sealed       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    activated_at INTEGER,
    retired_at   INTEGER
) STRICT;
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';

CREATE TABLE server_secrets (
    name       TEXT PRIMARY KEY,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Access-token lifetimes that an issuer signs with, or signed with until `last_used_at`.
CREATE TABLE access_lifetimes (
    lifetime_s   INTEGER PRIMARY KEY,
    last_used_at INTEGER NOT NULL
) STRICT;

-- Revocations, each committed with its cause.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL CHECK (kind IN ('session', 'subject', 'role', 'token', 'key')),
    -- Of session, subject and token.
    ref        BLOB,
    -- Of role and key.
    name       TEXT,
    -- The least `ver` or `rver` that is still good.
    version    INTEGER,
    expires_at INTEGER
) STRICT;
CREATE INDEX outbox_by_name ON outbox (name, version) WHERE kind = 'role';
CREATE INDEX outbox_by_expiry ON outbox (expires_at);

-- The built-in roles have the same ids everywhere.
INSERT INTO roles (id, name, description, built_in, created_at, updated_at) VALUES
    (X'00000000000070008000000000000001', 'user', 'Everybody who registers', 1, CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    (X'00000000000070008000000000000002', 'role_editor', 'May manage roles and grant them', 1, CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER)),
    (X'00000000000070008000000000000003', 'admin', 'May see users, histories and sessions, and disable accounts', 1, CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER));
