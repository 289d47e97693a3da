-- name: save_products!
-- Join what events tell of products to what is known, field by field. The newer word counts; in one instant the greater
-- value, and any value before none: as `newer` in `domain/products.py` has it. A field that is not told has no time.
-- Ordered, so that two batches cannot deadlock.
INSERT INTO products AS p (shop, product_id, name, name_at, price, price_at, url, url_at, image_url, image_url_at, category,
                           category_at, stock, stock_at, use_up_days, use_up_days_at, deleted, deleted_at, updated_at)
SELECT *
  FROM unnest(
           $1::text[], $2::text[],
           $3::text[], $4::timestamptz[], $5::float8[], $6::timestamptz[],
           $7::text[], $8::timestamptz[], $9::text[], $10::timestamptz[],
           $11::text[], $12::timestamptz[], $13::bigint[], $14::timestamptz[],
           $15::int[], $16::timestamptz[], $17::bool[], $18::timestamptz[],
           $19::timestamptz[]
       ) AS n (shop, product_id, name, name_at, price, price_at, url, url_at, image_url, image_url_at,
               category, category_at, stock, stock_at, use_up_days, use_up_days_at, deleted, deleted_at, updated_at)
 ORDER BY shop, product_id
ON CONFLICT (shop, product_id) DO UPDATE
   SET name = CASE
           WHEN (excluded.name_at, excluded.name IS NOT NULL, excluded.name)
              > (coalesce(p.name_at, '-infinity'), p.name IS NOT NULL, p.name)
           THEN excluded.name ELSE p.name END,
       name_at = greatest(p.name_at, excluded.name_at),
       price = CASE
           WHEN (excluded.price_at, excluded.price IS NOT NULL, excluded.price)
              > (coalesce(p.price_at, '-infinity'), p.price IS NOT NULL, p.price)
           THEN excluded.price ELSE p.price END,
       price_at = greatest(p.price_at, excluded.price_at),
       url = CASE
           WHEN (excluded.url_at, excluded.url IS NOT NULL, excluded.url)
              > (coalesce(p.url_at, '-infinity'), p.url IS NOT NULL, p.url)
           THEN excluded.url ELSE p.url END,
       url_at = greatest(p.url_at, excluded.url_at),
       image_url = CASE
           WHEN (excluded.image_url_at, excluded.image_url IS NOT NULL, excluded.image_url)
              > (coalesce(p.image_url_at, '-infinity'), p.image_url IS NOT NULL, p.image_url)
           THEN excluded.image_url ELSE p.image_url END,
       image_url_at = greatest(p.image_url_at, excluded.image_url_at),
       category = CASE
           WHEN (excluded.category_at, excluded.category IS NOT NULL, excluded.category)
              > (coalesce(p.category_at, '-infinity'), p.category IS NOT NULL, p.category)
           THEN excluded.category ELSE p.category END,
       category_at = greatest(p.category_at, excluded.category_at),
       stock = CASE
           WHEN (excluded.stock_at, excluded.stock IS NOT NULL, excluded.stock)
              > (coalesce(p.stock_at, '-infinity'), p.stock IS NOT NULL, p.stock)
           THEN excluded.stock ELSE p.stock END,
       stock_at = greatest(p.stock_at, excluded.stock_at),
       use_up_days = CASE
           WHEN (excluded.use_up_days_at, excluded.use_up_days IS NOT NULL, excluded.use_up_days)
              > (coalesce(p.use_up_days_at, '-infinity'), p.use_up_days IS NOT NULL, p.use_up_days)
           THEN excluded.use_up_days ELSE p.use_up_days END,
       use_up_days_at = greatest(p.use_up_days_at, excluded.use_up_days_at),
       deleted = CASE
           WHEN (excluded.deleted_at, excluded.deleted IS NOT NULL, excluded.deleted)
              > (coalesce(p.deleted_at, '-infinity'), p.deleted IS NOT NULL, p.deleted)
           THEN excluded.deleted ELSE p.deleted END,
       deleted_at = greatest(p.deleted_at, excluded.deleted_at),
       updated_at = greatest(p.updated_at, excluded.updated_at);
