-- The one word that the three facts make, as the rules derive it, so that an index can tell orders by it.
ALTER TABLE orders ADD COLUMN status {key 16} GENERATED ALWAYS AS (
    CASE
        WHEN state = 'cancelled' THEN 'cancelled'
        WHEN fulfilment = 'delivered' THEN 'delivered'
        WHEN fulfilment = 'shipped' THEN 'shipped'
        WHEN payment = 'paid' THEN 'paid'
        WHEN state = 'pending' THEN 'pending'
        ELSE 'confirmed'
    END) {generated};

-- For pages by cursor: of one status, by time, by sum.
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_time ON orders (placed_at_us, id);
CREATE INDEX orders_by_amount ON orders (total_amount_cents, id);

-- How many orders were placed on a day and are in a status now, and what they add up to. The rows of product 0 tell of
-- all orders; the others of those with an item of that product, each of which counts as a whole. Days are counted from
-- 1970 in UTC. Written with the orders, in the same commit.
CREATE TABLE order_sums (
    product_id {int} NOT NULL,
    day {int} NOT NULL,
    status {key 16} NOT NULL,
    orders {int} NOT NULL,
    -- Each sum in two halves of 32 bits, neither of which can overflow.
    amount_high {int} NOT NULL,
    amount_low {int} NOT NULL,
    quantity_high {int} NOT NULL,
    quantity_low {int} NOT NULL,
    -- No order that is counted here has a smaller or a greater id. One that has gone on to another status leaves the
    -- bounds as they are; the last one takes the row with it.
    first_id {int} NOT NULL,
    last_id {int} NOT NULL,
    PRIMARY KEY (product_id, day, status)
) {clustered};

-- The day of a time before 1970 is rounded down, too.
INSERT INTO order_sums (product_id, day, status, orders, amount_high, amount_low, quantity_high, quantity_low, first_id,
    last_id)
SELECT 0, t.day, t.status, COUNT(*), SUM(t.total_amount_cents >> 32), SUM(t.total_amount_cents & 4294967295),
    SUM(t.total_quantity >> 32), SUM(t.total_quantity & 4294967295), MIN(t.id), MAX(t.id)
FROM (
    SELECT o.id, o.status, o.total_amount_cents, o.total_quantity,
        (o.placed_at_us - (o.placed_at_us % 86400000000 + 86400000000) % 86400000000) {div} 86400000000 AS day
    FROM orders o) t
GROUP BY t.day, t.status;

INSERT INTO order_sums (product_id, day, status, orders, amount_high, amount_low, quantity_high, quantity_low, first_id,
    last_id)
SELECT t.product_id, t.day, t.status, COUNT(*), SUM(t.total_amount_cents >> 32),
    SUM(t.total_amount_cents & 4294967295), SUM(t.total_quantity >> 32), SUM(t.total_quantity & 4294967295),
    MIN(t.id), MAX(t.id)
FROM (
    SELECT DISTINCT i.product_id, o.id, o.status, o.total_amount_cents, o.total_quantity,
        (o.placed_at_us - (o.placed_at_us % 86400000000 + 86400000000) % 86400000000) {div} 86400000000 AS day
    FROM order_items i JOIN orders o ON o.id = i.order_id) t
GROUP BY t.product_id, t.day, t.status;
