-- Who did what to whom, when and from where. Rows are added and never changed, but that an address is forgotten with the user
-- whose it was.

CREATE TABLE audit_events (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    -- The id of a user or a service; `operator`: the command line; `issuer`: the issuer by itself.
    actor      text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    -- What was acted on: an id or a name, by the action.
    subject    text COLLATE "C",
    ip         text,
    request_id text,
    -- A JSON object. No login and no other personal data is in it.
    detail     text NOT NULL
);
CREATE INDEX audit_events_by_actor ON audit_events (actor, id DESC);
CREATE INDEX audit_events_by_subject ON audit_events (subject, id DESC);
CREATE INDEX audit_events_by_action ON audit_events (action, id DESC);

CREATE FUNCTION audit_events_stand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.ip IS NULL
        AND (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.request_id, NEW.detail)
        IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.request_id, OLD.detail)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit events are never changed';
END
$$;
CREATE TRIGGER audit_events_stand BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_stand();
CREATE TRIGGER audit_events_stay BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_stand();
