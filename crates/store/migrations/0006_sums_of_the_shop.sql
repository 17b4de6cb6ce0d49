-- All orders there are, in one row for each status (product -1, day 0): what a list without a filter adds up would grow with
-- the age of the shop otherwise. Written with the orders, in the same commit, as the rows of each day are.
INSERT INTO order_sums (product_id, day, status, orders, amount_high, amount_low, quantity_high, quantity_low, first_id,
    last_id)
SELECT -1, 0, s.status, SUM(s.orders), SUM(s.amount_high), SUM(s.amount_low), SUM(s.quantity_high), SUM(s.quantity_low),
    MIN(s.first_id), MAX(s.last_id)
FROM order_sums s
WHERE s.product_id = 0
GROUP BY s.status;

-- With the id in the index as a column of its own, SQLite finds the beginning of a page behind a cursor by the other column
-- alone and walks along all orders with the same sum. The one that it adds by itself it can search.
{sqlite} DROP INDEX orders_by_amount;
{sqlite} CREATE INDEX orders_by_amount ON orders (total_amount_cents);
{sqlite} DROP INDEX orders_by_time;
{sqlite} CREATE INDEX orders_by_time ON orders (placed_at_us);
