-- When a pending order expires, fixed when it is placed; NULL when it may wait for ever, and once it is no longer
-- pending. Orders from before may wait for ever.
ALTER TABLE orders ADD COLUMN expires_at_us {int};

-- What is due next. Only orders that expire are in it, where the database can leave others out: in a shop where none
-- does, it costs nothing.
{not mysql} CREATE INDEX orders_by_expiry ON orders (expires_at_us{and id}) WHERE expires_at_us IS NOT NULL;
{mysql} CREATE INDEX orders_by_expiry ON orders (expires_at_us, id);

-- How many open orders a user has (pending or confirmed, neither paid nor shipped), and for how many pieces they ask.
-- Written with the orders, in the same commit; the last one takes the row with it.
CREATE TABLE customer_holds (
    user_id {int} NOT NULL,
    orders {int} NOT NULL,
    units {int} NOT NULL,
    PRIMARY KEY (user_id)
) {clustered};

INSERT INTO customer_holds (user_id, orders, units)
SELECT o.user_id, COUNT(*), SUM(o.total_quantity) FROM orders o
WHERE o.status IN ('pending', 'confirmed') AND o.user_id IS NOT NULL
GROUP BY o.user_id;
