-- What the rotation of signing keys needs: when its steps are due, and one number by which every issuer sees that they
-- have changed.

-- Of the next key: from when it signs. It is published before that.
ALTER TABLE signing_keys ADD COLUMN signs_at timestamptz;
-- Of a retired key: when no token that it signed is alive any more.
ALTER TABLE signing_keys ADD COLUMN withdraw_at timestamptz;
CREATE UNIQUE INDEX signing_keys_one_next ON signing_keys (state) WHERE state = 'next';

-- One row. Whoever changes keys raises it, and so holds its lock until the commit.
CREATE TABLE signing_key_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO signing_key_version (version) VALUES (1);
