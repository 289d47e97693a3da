-- name: claim_order
-- Whose order $2 is: $3 if the delivery is sure ($4) or the first to speak, else whoever was named before. That a guess
-- was ever made stays known, so that a delivery that comes again tells the same link again.
INSERT INTO shopify_orders AS o (shop, order_id, subject, guessed, seen_at) VALUES ($1, $2, $3, NOT $4::boolean, $5)
ON CONFLICT (shop, order_id)
DO UPDATE SET subject = CASE WHEN $4 THEN excluded.subject ELSE o.subject END, seen_at = excluded.seen_at
RETURNING subject, guessed;

-- name: forget_old_orders!
-- A few at a time, with every claim: what is refunded after more than two years is no news of a known order.
DELETE FROM shopify_orders WHERE (shop, order_id) IN (
    SELECT shop, order_id FROM shopify_orders WHERE seen_at < $1::timestamptz - interval '800 days'
     ORDER BY seen_at LIMIT 5 FOR UPDATE SKIP LOCKED
);

-- name: lock_product!
-- One at a time for a product, also while it has no row yet. Held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended($1::text || '|' || $2::text, 0));

-- name: product
-- A product as last told.
SELECT facts, sold_out_at, gone, updated_at FROM shopify_products WHERE shop = $1 AND product_id = $2;

-- name: variants
-- Its variants.
SELECT inventory_item_id, variant_id, price, stock, levels FROM shopify_variants WHERE shop = $1 AND product_id = $2;

-- name: product_of_item
-- Which product an inventory item belongs to.
SELECT product_id FROM shopify_variants WHERE shop = $1 AND inventory_item_id = $2;

-- name: put_product!
-- An older word never replaces a newer one.
INSERT INTO shopify_products AS p (shop, product_id, facts, sold_out_at, gone, updated_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (shop, product_id) DO UPDATE
   SET facts = excluded.facts, sold_out_at = excluded.sold_out_at, gone = excluded.gone,
       updated_at = excluded.updated_at
 WHERE excluded.updated_at >= p.updated_at;

-- name: drop_variants!
-- The variants that a product no longer has.
DELETE FROM shopify_variants WHERE shop = $1 AND product_id = $2 AND inventory_item_id <> ALL ($3::text[]);

-- name: put_variant!
-- A variant as it now is; the lock on its product keeps others away.
INSERT INTO shopify_variants (shop, inventory_item_id, product_id, variant_id, price, stock, levels, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (shop, inventory_item_id) DO UPDATE
   SET product_id = excluded.product_id, variant_id = excluded.variant_id, price = excluded.price,
       stock = excluded.stock, levels = excluded.levels, updated_at = excluded.updated_at;

-- name: keep_request!
-- A request is kept once, however often it is delivered.
INSERT INTO privacy_requests (shop, id, kind, subject, orders, received_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (shop, id) DO NOTHING;

-- name: forget_orders!
-- Whose orders were: of a person $2, and those that the request names.
DELETE FROM shopify_orders WHERE shop = $1 AND (subject = $2 OR order_id = any($3::text[]));

-- name: forget_shop!
-- All that was remembered of a shop that has left; the requests stay as evidence.
WITH orders AS (DELETE FROM shopify_orders WHERE shop = $1),
     variants AS (DELETE FROM shopify_variants WHERE shop = $1)
DELETE FROM shopify_products WHERE shop = $1;
