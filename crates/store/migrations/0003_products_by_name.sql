-- For looking up whether a name is taken, which some ways of adding a product ask for. No name is longer than 200
-- characters.
CREATE INDEX products_by_name ON products (name {prefix 200});
