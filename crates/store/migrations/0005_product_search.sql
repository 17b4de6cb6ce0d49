-- Three characters that follow each other in the folded name or SKU of a product (see src/fold.rs): what a search for
-- three or more characters goes through. Filled for older products by src/refold.rs. No foreign key: on MySQL it would
-- want an index of its own, and a product takes its grams along when it is erased.
CREATE TABLE product_grams (
    gram {key 3} NOT NULL,
    product_id {int} NOT NULL,
    PRIMARY KEY (gram, product_id)
) {clustered};

-- The two facts that a product is listed by, as one number: 0 in the catalogue and active, 1 inactive, 2 archived and
-- active, 3 inactive.
ALTER TABLE products ADD COLUMN shelf {int} GENERATED ALWAYS AS (
    CASE WHEN archived_at_us IS NULL THEN 1 - is_active ELSE 3 - is_active END) {generated};

-- How many products are on each shelf.
CREATE TABLE product_counts (
    shelf {int} NOT NULL,
    products {int} NOT NULL,
    PRIMARY KEY (shelf)
) {clustered};

INSERT INTO product_counts (shelf, products) SELECT 0, COUNT(*) FROM products WHERE shelf = 0;
INSERT INTO product_counts (shelf, products) SELECT 1, COUNT(*) FROM products WHERE shelf = 1;
INSERT INTO product_counts (shelf, products) SELECT 2, COUNT(*) FROM products WHERE shelf = 2;
INSERT INTO product_counts (shelf, products) SELECT 3, COUNT(*) FROM products WHERE shelf = 3;

CREATE INDEX products_by_shelf ON products (shelf{and id});

-- An index for each order that a list may have; by SKU there is one already. MySQL sorts by an index on names only if it
-- holds them whole.
{mysql} ALTER TABLE products MODIFY name {key 255} NOT NULL;
CREATE INDEX products_by_name_and_id ON products (name{and id});
{mysql} DROP INDEX products_by_name ON products;
{not mysql} DROP INDEX products_by_name;
CREATE INDEX products_by_price ON products (price_cents{and id});
CREATE INDEX products_by_creation ON products (created_at_us{and id});

-- What can still be sold. Changed by every order, and so is the index: this is what the lists of low stock cost.
ALTER TABLE stock_levels ADD COLUMN available {int} GENERATED ALWAYS AS (on_hand - allocated) {generated};
CREATE INDEX stock_levels_by_available ON stock_levels (available, product_id);

-- The highest threshold bounds the levels that can be low.
CREATE INDEX products_by_threshold ON products (low_stock_threshold);
