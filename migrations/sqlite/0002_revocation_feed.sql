-- What the revocation feed keeps in the database: the place of each fact in it, and who writes it.

-- The place in the feed, given by its writer when it first sees the row.
ALTER TABLE outbox ADD COLUMN seq INTEGER;
-- A column that is added can have no default but a constant.
ALTER TABLE outbox ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET created_at = CAST(unixepoch('subsec') * 1000 AS INTEGER);
CREATE UNIQUE INDEX outbox_by_seq ON outbox (seq);
CREATE INDEX outbox_unnumbered ON outbox (id) WHERE seq IS NULL;

-- One row: the issuer that may write the feed.
CREATE TABLE feed_lease (
    one           INTEGER PRIMARY KEY DEFAULT 1 CHECK (one),
    -- Of the holder, compared whole.
    term          INTEGER NOT NULL DEFAULT 0,
    nonce         BLOB NOT NULL CHECK (length(nonce) = 16),
    ends_at       INTEGER NOT NULL,
    -- The greatest `outbox.seq` ever given.
    last_seq      INTEGER NOT NULL DEFAULT 0,
    -- What the holder said it had published when it last renewed.
    published_seq INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO feed_lease (nonce, ends_at) VALUES (zeroblob(16), 0);
