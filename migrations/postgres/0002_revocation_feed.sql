-- What the revocation feed keeps in the database: the place of each fact in it, and who writes it.

-- The place in the feed, given by its writer when it first sees the row: the order of `id` is not that of commits.
ALTER TABLE outbox ADD COLUMN seq bigint;
-- The default is for the rows that are there, and for an issuer of the version before that still runs.
ALTER TABLE outbox ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
CREATE UNIQUE INDEX outbox_by_seq ON outbox (seq);
CREATE INDEX outbox_unnumbered ON outbox (id) WHERE seq IS NULL;

-- One row: the issuer that may write the feed.
CREATE TABLE feed_lease (
    one           boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Of the holder, compared whole.
    term          bigint NOT NULL DEFAULT 0,
    nonce         bytea NOT NULL CHECK (octet_length(nonce) = 16),
    ends_at       timestamptz NOT NULL,
    -- The greatest `outbox.seq` ever given.
    last_seq      bigint NOT NULL DEFAULT 0,
    -- What the holder said it had published when it last renewed.
    published_seq bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_lease (nonce, ends_at) VALUES (decode(repeat('00', 16), 'hex'), to_timestamp(0));
