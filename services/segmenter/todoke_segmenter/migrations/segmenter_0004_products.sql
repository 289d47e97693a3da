-- The shops' catalogues: each field with the time of the event that told it last
-- depends:

-- migrate: apply
-- COLLATE "C": two values told in one instant are compared as `domain/products.py` compares them, by code point.
CREATE TABLE products (
    shop text NOT NULL,
    product_id text NOT NULL,
    name text COLLATE "C", name_at timestamptz,
    price float8, price_at timestamptz,
    url text COLLATE "C", url_at timestamptz,
    image_url text COLLATE "C", image_url_at timestamptz,
    category text COLLATE "C", category_at timestamptz,
    stock bigint, stock_at timestamptz,
    use_up_days int, use_up_days_at timestamptz,
    deleted bool, deleted_at timestamptz,
    updated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shop, product_id)
);

-- Published: the catalogue. Prices in yen; `deleted`: it is sold no more; `updated_at`: the time of the newest event.
CREATE VIEW published_products AS
SELECT shop, product_id, name, price, url, image_url, category, stock, use_up_days, coalesce(deleted, false) AS deleted,
       updated_at
  FROM products;

-- migrate: rollback
DROP VIEW published_products;
DROP TABLE products;
