-- The login history by months, each in a partition of its own (UTC), made ahead and dropped whole by retention. The default
-- partition stays, so that a login never fails for want of one: what it holds of a month is moved when the month's partition
-- is made, as far as that is quickly done; the rest stays there until retention deletes it.

-- Retention deletes from the default partition by time.
CREATE INDEX login_history_default_by_time ON login_history_default (at);

-- Makes the partition of a month, `month_begin` being its first instant. Told is
--   `there`  it was made before;
--   `made`   it was made now, with what the default partition held of it;
--   `left`   the default partition holds more than `move_at_most` of it, or has more than `scan_bytes`, all of which is read
--            before another one is let in: not before retention has made room;
--   `busy`   somebody else is at it, or somebody holds a lock for longer than `lock_ms`: later.
-- Logins wait for it from when it has its locks until the commit.
CREATE FUNCTION login_history_make_month(
    month_begin timestamptz, move_at_most bigint, scan_bytes bigint, lock_ms bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'login_history_' || to_char(month_begin AT TIME ZONE 'UTC', 'YYYY_MM');
    month_end timestamptz := (month_begin AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    held      bigint;
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN 'there';
    END IF;
    IF NOT pg_try_advisory_xact_lock(7210735124) THEN
        RETURN 'busy';
    END IF;
    -- Somebody may have made it between the two.
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN 'there';
    END IF;
    PERFORM set_config('lock_timeout', lock_ms || 'ms', true);
    SELECT count(*) INTO held FROM (SELECT FROM login_history_default
        WHERE at >= month_begin AND at < month_end LIMIT move_at_most + 1) few;
    IF held > move_at_most OR pg_relation_size('login_history_default') > scan_bytes THEN
        RETURN 'left';
    END IF;
    -- In the order of those who read and write it: the table itself, then the default partition.
    LOCK TABLE login_history IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE login_history_default IN ACCESS EXCLUSIVE MODE;
    -- Not as a partition at once, for which the table itself would be locked against everybody.
    EXECUTE format('CREATE TABLE %I (LIKE login_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', partition);
    EXECUTE format('WITH moved AS (DELETE FROM login_history_default WHERE at >= %L AND at < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', month_begin, month_end, partition);
    EXECUTE format('ALTER TABLE login_history ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, month_begin, month_end);
    RETURN 'made';
EXCEPTION WHEN lock_not_available THEN
    RETURN 'busy';
END
$$;

-- Drops the oldest partition of a month if all of it is before `before`. Its name; null: there is none, or somebody else is
-- at it. With `lock_ms` as above, past which it fails. Logins wait for it from when it has its locks until the commit.
--
-- To detach it first would not do: with a default partition that locks as much.
CREATE FUNCTION login_history_drop_month(before timestamptz, lock_ms bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    oldest text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7210735124) THEN
        RETURN NULL;
    END IF;
    SELECT c.relname INTO oldest FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'login_history'::regclass AND c.relname ~ '^login_history_\d{4}_\d{2}$'
        ORDER BY c.relname LIMIT 1;
    IF oldest IS NULL OR before < (make_date(split_part(oldest, '_', 3)::int, split_part(oldest, '_', 4)::int, 1)
            + interval '1 month') AT TIME ZONE 'UTC' THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('lock_timeout', lock_ms || 'ms', true);
    EXECUTE format('DROP TABLE %I', oldest);
    RETURN oldest;
END
$$;

-- Every month that there is something of, this one, and the next three. This once however much has to be moved, some seconds
-- a million; logins wait. What somebody holds a lock against for a minute stays where it is.
SELECT login_history_make_month(month AT TIME ZONE 'UTC', 1000000000, 1000000000000, 60000)
FROM generate_series(
    date_trunc('month', least(now(), (SELECT min(at) FROM login_history_default)) AT TIME ZONE 'UTC'),
    date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months',
    interval '1 month') month;
