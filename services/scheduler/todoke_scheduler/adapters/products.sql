-- name: products_of
-- What the catalogues say of these products, but for those that are sold no more.
SELECT p.shop, p.product_id, p.name, p.price, p.url, p.image_url, p.category, p.stock
  FROM unnest($1::text[], $2::text[]) AS w (shop, product_id)
  JOIN segmenter.published_products p USING (shop, product_id)
 WHERE NOT p.deleted;
