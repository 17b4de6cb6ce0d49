-- Keys of machines that work for the shop. A key is shown when it is made and kept nowhere; 256 random bits need no salt.
CREATE TABLE api_keys (
    id {id},
    name {text} NOT NULL,
    -- SHA-256 of the key in hexadecimal digits; and its first 63 bits as a number, by which it is looked up.
    digest {key 64} NOT NULL,
    digest_head {int} NOT NULL,
    role {key 16} NOT NULL,
    -- Words with a space between them.
    scopes {text} NOT NULL,
    -- Who made it. It is worth nothing when they are no administrator any more.
    maker_id {int} NOT NULL,
    created_at_us {int} NOT NULL,
    expires_at_us {int} NOT NULL,
    revoked_at_us {int},
    -- To the minute or so.
    last_used_at_us {int},
    CONSTRAINT api_keys_digest_head UNIQUE (digest_head),
    CONSTRAINT api_keys_maker FOREIGN KEY (maker_id) REFERENCES users (id)
) {end};

-- To revoke all that somebody made.
CREATE INDEX api_keys_by_maker ON api_keys (maker_id);

INSERT INTO counters (name, next) VALUES ('api_key', 1);
