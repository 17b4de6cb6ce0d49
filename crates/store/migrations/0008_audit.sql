-- What staff, administrators and machines changed, in the transaction in which they did. Appended to and never edited.
-- No foreign keys: it outlives what it tells of.
CREATE TABLE audit (
    id {id},
    at_us {int} NOT NULL,
    -- What was done: `product.update`.
    action {key 32} NOT NULL,
    -- To what: `product`, `order`, `user`, `api_key`.
    kind {key 16} NOT NULL,
    thing_id {int} NOT NULL,
    -- By whom: an account, or a machine; neither is the command line, or a caller without an account.
    actor_id {int},
    key_id {int},
    role {key 16} NOT NULL,
    -- What changed, as JSON objects.
    was {text} NOT NULL,
    became {text} NOT NULL,
    request_id {text} NOT NULL,
    -- The address that the request came from, or the command line.
    source {text}
) {end};

-- Each filter of the list has its rows in the order of the list. Customers' orders pay for none of this.
CREATE INDEX audit_by_time ON audit (at_us{and id});
CREATE INDEX audit_by_action ON audit (action, at_us{and id});
CREATE INDEX audit_by_thing ON audit (kind, thing_id, at_us{and id});
CREATE INDEX audit_by_actor ON audit (actor_id, at_us{and id});
CREATE INDEX audit_by_key ON audit (key_id, at_us{and id});

INSERT INTO counters (name, next) VALUES ('audit', 1);
