-- Who did what to whom, when and from where. Rows are added and never changed, but that an address is forgotten with the user
-- whose it was.

CREATE TABLE audit_events (
    id         BLOB PRIMARY KEY,
    at         INTEGER NOT NULL,
    -- The id of a user or a service; `operator`: the command line; `issuer`: the issuer by itself.
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    -- What was acted on: an id or a name, by the action.
    subject    TEXT,
    ip         TEXT,
    request_id TEXT,
    -- A JSON object. No login and no other personal data is in it.
    detail     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_events_by_actor ON audit_events (actor, id DESC);
CREATE INDEX audit_events_by_subject ON audit_events (subject, id DESC);
CREATE INDEX audit_events_by_action ON audit_events (action, id DESC);

CREATE TRIGGER audit_events_stand BEFORE UPDATE ON audit_events
WHEN NEW.ip IS NOT NULL
    OR (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.request_id, NEW.detail)
    IS NOT (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.request_id, OLD.detail)
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;
CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed');
END;
