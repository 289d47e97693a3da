-- What Shopify's webhooks need to remember of each other, and what customers ask of us by any platform
-- depends:

-- migrate: apply
-- A product as last told. `facts`: what product.updated says of it; `updated_at`: Shopify's time, not arrival.
CREATE TABLE shopify_products (
    shop text NOT NULL,
    product_id text NOT NULL,
    facts jsonb NOT NULL,
    sold_out_at timestamptz,
    gone boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (shop, product_id)
);

-- Its variants by inventory item, which is all that a level names. `stock` NULL: not counted.
-- `levels`: {location: [how many, when]}; `updated_at`: the newest word on the variant, the product's or a level's.
CREATE TABLE shopify_variants (
    shop text NOT NULL,
    inventory_item_id text NOT NULL,
    product_id text NOT NULL,
    variant_id text,
    price double precision,
    stock bigint,
    levels jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (shop, inventory_item_id)
);
CREATE INDEX shopify_variants_by_product ON shopify_variants (shop, product_id);

-- Whose an order is: fulfillments and refunds do not say. `guessed`: one of them came before the order did.
CREATE TABLE shopify_orders (
    shop text NOT NULL,
    order_id text NOT NULL,
    subject text NOT NULL,
    guessed boolean NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (shop, order_id)
);
CREATE INDEX shopify_orders_by_age ON shopify_orders (seen_at);
CREATE INDEX shopify_orders_by_subject ON shopify_orders (shop, subject);

-- Requests to see or erase a person's data: evidence, so that a row stays once it is done. No address, no number.
CREATE TABLE privacy_requests (
    shop text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    subject text,
    orders text[] NOT NULL,
    received_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    done_at timestamptz,
    PRIMARY KEY (shop, id)
);
CREATE INDEX privacy_requests_open ON privacy_requests (due_at) WHERE done_at IS NULL;

-- migrate: rollback
DROP TABLE shopify_products, shopify_variants, shopify_orders, privacy_requests;
