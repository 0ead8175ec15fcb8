-- The next batch of the revocation feed in one round trip: `issuer/src/store/feed/batch.rs` says what it is, and takes the
-- same steps one by one on SQLite. Each statement sees what was committed before it began, as it would on its own.
-- No row: the lease is not the caller's. Otherwise a row for each entry, or one without, each with the batch's own figures.

CREATE FUNCTION feed_take_batch(
    held_term bigint, held_nonce bytea, published bigint, at_most bigint,
    -- Null: nothing is published anew.
    republish_below bigint,
    -- Null: the lease is not renewed.
    lease_ms bigint, noted bigint
) RETURNS TABLE (
    now timestamptz, last_seq bigint, lowest_live bigint, all_numbered boolean, label_change bigint,
    seq bigint, kind text, ref uuid, name text, version bigint, expires_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    -- Before anything is looked at: what is found then was committed before, or is no part of what is promised.
    began    timestamptz := clock_timestamp();
    before   bigint;
    given    bigint;
    anew     bigint := 0;
    complete boolean;
BEGIN
    IF lease_ms IS NULL THEN
        SELECT l.last_seq INTO before FROM feed_lease l
            WHERE l.term = held_term AND l.nonce = held_nonce FOR UPDATE;
    ELSE
        UPDATE feed_lease l SET ends_at = began + lease_ms * interval '1 millisecond', published_seq = noted
            WHERE l.term = held_term AND l.nonce = held_nonce RETURNING l.last_seq INTO before;
    END IF;
    IF before IS NULL THEN
        RETURN;
    END IF;
    IF before < published THEN
        RETURN QUERY SELECT began, before, NULL::bigint, false, NULL::bigint, NULL::bigint, NULL, NULL::uuid, NULL, NULL::bigint, NULL::timestamptz;
        RETURN;
    END IF;
    -- The rows are locked before they are counted: one that is deleted meanwhile leaves no gap.
    WITH pending AS (SELECT o.id FROM outbox o WHERE o.seq IS NULL ORDER BY o.id LIMIT at_most FOR UPDATE),
        numbered AS (SELECT id, before + ROW_NUMBER() OVER (ORDER BY id) AS seq FROM pending)
    UPDATE outbox o SET seq = numbered.seq FROM numbered WHERE o.id = numbered.id;
    GET DIAGNOSTICS given = ROW_COUNT;
    IF republish_below IS NOT NULL THEN
        WITH kept AS (SELECT o.id FROM outbox o WHERE o.expires_at IS NULL AND o.seq <= least(republish_below, published)
                ORDER BY o.id LIMIT at_most FOR UPDATE),
            numbered AS (SELECT id, before + given + ROW_NUMBER() OVER (ORDER BY id) AS seq FROM kept)
        UPDATE outbox o SET seq = numbered.seq FROM numbered WHERE o.id = numbered.id;
        GET DIAGNOSTICS anew = ROW_COUNT;
    END IF;
    IF given + anew > 0 THEN
        UPDATE feed_lease l SET last_seq = before + given + anew WHERE l.last_seq < before + given + anew;
    END IF;
    -- Fewer than could be numbered: those were all that were committed before. To look again would see what has come
    -- since, and under load there would be no end of it.
    complete := given < at_most OR NOT EXISTS (SELECT FROM outbox o WHERE o.seq IS NULL);
    RETURN QUERY
        SELECT began, before + given + anew,
            (SELECT o.seq FROM outbox o WHERE o.seq IS NOT NULL ORDER BY o.seq LIMIT 1), complete,
            (SELECT c.change FROM label_clock c),
            entry.seq, entry.kind, entry.ref, entry.name, entry.version, entry.expires_at
        FROM (SELECT) one LEFT JOIN
            (SELECT o.* FROM outbox o WHERE o.seq > published ORDER BY o.seq LIMIT at_most + 1) entry ON true
        ORDER BY entry.seq;
END
$$;
