-- Access labels on films. Each film and each label is a register: the last change of it counts. Changes are numbered in
-- the order of their commits, by which the feed says how far it has come.

-- One row: the number of the last change of labels or films.
CREATE TABLE label_clock (
    one    INTEGER PRIMARY KEY DEFAULT 1 CHECK (one),
    change INTEGER NOT NULL
) STRICT;
INSERT INTO label_clock (change) VALUES (0);

CREATE TABLE labels (
    name        TEXT PRIMARY KEY,
    -- The place in lists.
    id          BLOB NOT NULL UNIQUE,
    anonymous   INTEGER NOT NULL,
    description TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- There is no such label any more; whoever has heard of it has to hear of that, however late.
    deleted     INTEGER NOT NULL DEFAULT 0,
    change      INTEGER NOT NULL
) STRICT;
CREATE INDEX labels_by_change ON labels (change);

CREATE TABLE label_roles (
    label   TEXT NOT NULL REFERENCES labels (name) ON DELETE CASCADE,
    role_id BLOB NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (label, role_id)
) STRICT;
CREATE INDEX label_roles_by_role ON label_roles (role_id);

-- Each distinct set of labels once: millions of films have a few.
CREATE TABLE label_sets (
    id    INTEGER PRIMARY KEY,
    -- In order, parted by `|`.
    names TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO label_sets (id, names) VALUES (0, '');

CREATE TABLE label_set_members (
    label  TEXT NOT NULL,
    set_id INTEGER NOT NULL REFERENCES label_sets (id) ON DELETE CASCADE,
    PRIMARY KEY (label, set_id)
) STRICT;

-- Films that carry labels. One that has lost its last is kept with the set 0: whoever has heard
-- of the labels has to hear of that, however late.
CREATE TABLE film_labels (
    film_id    BLOB PRIMARY KEY,
    set_id     INTEGER NOT NULL REFERENCES label_sets (id),
    change     INTEGER NOT NULL
) STRICT;
-- Verifiers hear of changes in this order.
CREATE INDEX film_labels_by_change ON film_labels (change);
CREATE INDEX film_labels_by_set ON film_labels (set_id);

-- Streams of the feed that were begun in lower terms tell of a database that is no more: it has been set back since.
ALTER TABLE feed_lease ADD COLUMN min_epoch INTEGER NOT NULL DEFAULT 0;
