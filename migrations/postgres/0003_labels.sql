-- Access labels on films. Each film and each label is a register: the last change of it counts. Changes are numbered in
-- the order of their commits, by which the feed says how far it has come, under the lock of one row.

-- One row: the number of the last change of labels or films. Whoever changes any locks it, before anything but users and
-- roles, until the commit.
CREATE TABLE label_clock (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    change bigint NOT NULL
);
INSERT INTO label_clock (change) VALUES (0);

CREATE TABLE labels (
    name        text COLLATE "C" PRIMARY KEY,
    -- The place in lists.
    id          uuid NOT NULL UNIQUE,
    anonymous   boolean NOT NULL,
    description text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    -- There is no such label any more; whoever has heard of it has to hear of that, however late.
    deleted     boolean NOT NULL DEFAULT false,
    change      bigint NOT NULL
);
CREATE INDEX labels_by_change ON labels (change);

CREATE TABLE label_roles (
    label   text COLLATE "C" NOT NULL REFERENCES labels (name) ON DELETE CASCADE,
    role_id uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (label, role_id)
);
CREATE INDEX label_roles_by_role ON label_roles (role_id);

-- Each distinct set of labels once: millions of films have a few.
CREATE TABLE label_sets (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- In order, parted by `|`.
    names text COLLATE "C" NOT NULL UNIQUE
);
INSERT INTO label_sets (id, names) OVERRIDING SYSTEM VALUE VALUES (0, '');

CREATE TABLE label_set_members (
    label  text COLLATE "C" NOT NULL,
    set_id bigint NOT NULL REFERENCES label_sets (id) ON DELETE CASCADE,
    PRIMARY KEY (label, set_id)
);

-- Films that carry labels. One that has lost its last is kept with the set 0: whoever has heard
-- of the labels has to hear of that, however late.
CREATE TABLE film_labels (
    film_id    uuid PRIMARY KEY,
    set_id     bigint NOT NULL REFERENCES label_sets (id),
    change     bigint NOT NULL
);
-- Verifiers hear of changes in this order.
CREATE INDEX film_labels_by_change ON film_labels (change);
CREATE INDEX film_labels_by_set ON film_labels (set_id);

-- Streams of the feed that were begun in lower terms tell of a database that is no more: it has been set back since.
ALTER TABLE feed_lease ADD COLUMN min_epoch bigint NOT NULL DEFAULT 0;
