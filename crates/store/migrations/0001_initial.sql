-- One text for all databases: the macros in braces are explained in src/driver/dialect.rs.
-- Times (*_at_us) are microseconds since 1970 UTC, money (*_cents) is in minor units, booleans are 0 and 1.
-- Names of UNIQUE constraints are table_column, which is how an error tells them apart on every database.
-- Every index is paid for by each order, so there are only those that a frequent read or a foreign key needs.

-- Facts about this database as a whole.
CREATE TABLE meta (
    name {key 64} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (name)
) {clustered};

-- The next id of each kind. They are handed out inside the transaction that uses them, so that ids have no gaps
-- after a refusal, and events commit in the order of their ids also when several servers write.
CREATE TABLE counters (
    name {key 32} NOT NULL,
    next {int} NOT NULL,
    PRIMARY KEY (name)
) {clustered};

INSERT INTO counters (name, next)
VALUES ('product', 1), ('order', 1), ('item', 1), ('user', 1), ('movement', 1), ('event', 1);

CREATE TABLE locations (
    id {id},
    name {key 64} NOT NULL
) {end};

INSERT INTO locations (id, name) VALUES (1, 'default');

CREATE TABLE users (
    id {id},
    username {key 64} NOT NULL,
    -- The username in lower case: two that differ only in case are the same.
    username_key {key 64} NOT NULL,
    email {key 254},
    full_name {text},
    -- Login name, e-mail address and full name in lower case, for LIKE.
    search_text {text} NOT NULL,
    role {key 16} NOT NULL,
    password_hash {text} NOT NULL,
    -- Raised to make every token issued before worthless.
    token_generation {int} NOT NULL,
    is_active {int} NOT NULL,
    version {int} NOT NULL,
    created_at_us {int} NOT NULL,
    updated_at_us {int} NOT NULL,
    CONSTRAINT users_username_key UNIQUE (username_key),
    CONSTRAINT users_email UNIQUE (email),
    CONSTRAINT users_is_active_flag CHECK (is_active IN (0, 1))
) {end};

-- For counting administrators, which every new or changed account asks for.
CREATE INDEX users_by_role ON users (role, is_active);

-- What is sold. The numbers that change with every order are in stock_levels.
CREATE TABLE products (
    id {id},
    sku {key 64} NOT NULL,
    name {text} NOT NULL,
    description {text} NOT NULL,
    -- The SKU and the name in lower case, for LIKE.
    search_text {text} NOT NULL,
    price_cents {int} NOT NULL,
    is_active {int} NOT NULL,
    archived_at_us {int},
    low_stock_threshold {int} NOT NULL,
    auto_deactivate {int} NOT NULL,
    version {int} NOT NULL,
    created_at_us {int} NOT NULL,
    updated_at_us {int} NOT NULL,
    CONSTRAINT products_sku UNIQUE (sku),
    CONSTRAINT products_price_not_negative CHECK (price_cents >= 0),
    CONSTRAINT products_threshold_not_negative CHECK (low_stock_threshold >= 0),
    CONSTRAINT products_is_active_flag CHECK (is_active IN (0, 1)),
    CONSTRAINT products_auto_deactivate_flag CHECK (auto_deactivate IN (0, 1))
) {end};

-- Available is on_hand - allocated, and never stored. There is no foreign key to locations: as long as there is one
-- location, checking it with every order would buy nothing.
CREATE TABLE stock_levels (
    product_id {int} NOT NULL,
    location_id {int} NOT NULL,
    on_hand {int} NOT NULL,
    allocated {int} NOT NULL,
    version {int} NOT NULL,
    PRIMARY KEY (product_id, location_id),
    CONSTRAINT stock_levels_product FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT stock_levels_on_hand_not_negative CHECK (on_hand >= 0),
    CONSTRAINT stock_levels_allocated_not_negative CHECK (allocated >= 0),
    CONSTRAINT stock_levels_allocated_on_hand CHECK (allocated <= on_hand)
) {clustered};

CREATE TABLE orders (
    id {id},
    user_id {int},
    state {key 16} NOT NULL,
    payment {key 16} NOT NULL,
    fulfilment {key 16} NOT NULL,
    allocate_at {key 16} NOT NULL,
    -- Frozen when the order is placed.
    total_amount_cents {int} NOT NULL,
    total_quantity {int} NOT NULL,
    version {int} NOT NULL,
    placed_at_us {int} NOT NULL,
    updated_at_us {int},
    CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT orders_amount_not_negative CHECK (total_amount_cents >= 0),
    CONSTRAINT orders_quantity_not_negative CHECK (total_quantity >= 0)
) {end};

CREATE INDEX orders_by_user ON orders (user_id, id);

-- Name and price are those at the time of the order.
CREATE TABLE order_items (
    id {int} NOT NULL,
    order_id {int} NOT NULL,
    product_id {int} NOT NULL,
    product_name {text} NOT NULL,
    price_cents {int} NOT NULL,
    quantity {int} NOT NULL,
    -- How much of the stock this item holds back at present.
    allocated {int} NOT NULL,
    PRIMARY KEY (order_id, id),
    CONSTRAINT order_items_order FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT order_items_product FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT order_items_price_not_negative CHECK (price_cents >= 0),
    CONSTRAINT order_items_quantity_positive CHECK (quantity > 0),
    CONSTRAINT order_items_allocated_in_quantity CHECK (allocated >= 0 AND allocated <= quantity)
) {clustered};

CREATE INDEX order_items_by_product ON order_items (product_id, order_id);

-- The ledger: appended to by every change of a level, never edited. No foreign keys: it outlives what it tells of.
CREATE TABLE stock_movements (
    product_id {int} NOT NULL,
    id {int} NOT NULL,
    location_id {int} NOT NULL,
    kind {key 16} NOT NULL,
    on_hand_delta {int} NOT NULL,
    allocated_delta {int} NOT NULL,
    on_hand_after {int} NOT NULL,
    allocated_after {int} NOT NULL,
    order_id {int},
    actor_id {int},
    reason {text},
    note {text},
    request_id {text} NOT NULL,
    at_us {int} NOT NULL,
    PRIMARY KEY (product_id, id)
) {clustered};

-- What happened, in commit order, written in the transaction in which it happened.
CREATE TABLE events (
    id {id},
    kind {key 48} NOT NULL,
    order_id {int},
    product_id {int},
    user_id {int},
    payload {text} NOT NULL,
    actor_id {int},
    request_id {text} NOT NULL,
    at_us {int} NOT NULL
) {end};

CREATE INDEX events_by_order ON events (order_id, id);

-- The first answer to a request with an Idempotency-Key, written in the transaction of its effect.
CREATE TABLE idempotency_keys (
    -- The id of the user who asked; 0 stands for a caller without an account.
    principal {int} NOT NULL,
    idem_key {key 255} NOT NULL,
    -- Tells whether another request with the same key is the same request.
    fingerprint {key 64} NOT NULL,
    -- The HTTP status of the answer.
    status {int} NOT NULL,
    answer {text} NOT NULL,
    created_at_us {int} NOT NULL,
    PRIMARY KEY (principal, idem_key)
) {clustered};

-- To forget those that have expired.
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at_us);

-- A marker for each batch of commands, under an id that the server chose beforehand. When the connection to a database
-- on a network is lost during COMMIT, looking for the marker tells whether the batch was committed. SQLite does not
-- need it: there is no connection to lose.
CREATE TABLE batches (
    id {id},
    committed_at_us {int} NOT NULL
) {end};
