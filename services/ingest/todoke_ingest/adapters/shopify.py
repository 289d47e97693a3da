"""What Shopify's webhooks need to remember, in PostgreSQL: stock, whose an order is, and requests for data.

May block: for the pool's five seconds; the door gives up before that. May lose: nothing that it has returned from.
May repeat: everything, with the same result.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import asyncpg

from todoke_ingest.domain.shopify.orders import OrderClaim, OrderOwner
from todoke_ingest.domain.shopify.privacy import DUE_AFTER, PrivacyRequest
from todoke_ingest.domain.shopify.stock import Level, Product, Variant
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_ingest.adapters", "shopify.sql")


class ShopifyMemory(Protocol):
    """What is remembered between deliveries."""

    async def claim_order(self, shop: str, claim: OrderClaim, at: datetime) -> OrderOwner:
        """Whose an order is, once this delivery has spoken."""

    async def product(self, shop: str, product_id: str) -> Product | None:
        """A product as last told."""

    async def product_of_item(self, shop: str, item: str) -> str | None:
        """Which product an inventory item belongs to."""

    async def learn(self, shop: str, product_id: str, lesson: Callable[[Product | None], Product | None]) -> None:
        """Replace what is known of a product by what `lesson` makes of it, with nobody else in between."""

    async def keep_request(self, request: PrivacyRequest, at: datetime) -> None:
        """Keep a request, and forget what it asks us to forget of what is here."""


class PostgresMemory:
    """In the schema `ingest`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def claim_order(self, shop: str, claim: OrderClaim, at: datetime) -> OrderOwner:
        """See ShopifyMemory. One statement, so that of two deliveries at once one is the first."""
        async with self._pool.acquire() as connection:
            row = await connection.fetchrow(_SQL["claim_order"], shop, claim.order_id, claim.subject, claim.sure, at)
            await connection.execute(_SQL["forget_old_orders"], at)
        if row is None:
            raise LookupError("claim_order gives a row, always")
        return OrderOwner(row["subject"], row["guessed"])

    async def product(self, shop: str, product_id: str) -> Product | None:
        """See ShopifyMemory."""
        async with self._pool.acquire() as connection:
            return await _read(connection, shop, product_id)

    async def product_of_item(self, shop: str, item: str) -> str | None:
        """See ShopifyMemory."""
        row = await self._pool.fetchrow(_SQL["product_of_item"], shop, item)
        return None if row is None else str(row["product_id"])

    async def learn(self, shop: str, product_id: str, lesson: Callable[[Product | None], Product | None]) -> None:
        """See ShopifyMemory."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL["lock_product"], shop, product_id)
            before = await _read(connection, shop, product_id)
            after = lesson(before)
            if after is not None and after != before:
                await _write(connection, shop, after)

    async def keep_request(self, request: PrivacyRequest, at: datetime) -> None:
        """See ShopifyMemory."""
        shop, orders = request.shop, list(request.orders)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                _SQL["keep_request"], shop, request.id, request.kind, request.subject, orders, at, at + DUE_AFTER
            )
            if request.kind == "customers/redact":
                await connection.execute(_SQL["forget_orders"], shop, request.subject, orders)
            if request.kind == "shop/redact":
                await connection.execute(_SQL["forget_shop"], shop)


async def _read(connection: Connection, shop: str, product_id: str) -> Product | None:
    row = await connection.fetchrow(_SQL["product"], shop, product_id)
    if row is None:
        return None
    variants = {
        variant["inventory_item_id"]: Variant(
            variant["variant_id"],
            variant["price"],
            variant["stock"],
            {place: Level(level[0], datetime.fromisoformat(level[1])) for place, level in variant["levels"].items()},
        )
        for variant in await connection.fetch(_SQL["variants"], shop, product_id)
    }
    return Product(product_id, row["updated_at"], row["facts"], variants, row["sold_out_at"], row["gone"])


async def _write(connection: Connection, shop: str, product: Product) -> None:
    await connection.execute(
        _SQL["put_product"], shop, product.product_id, product.facts, product.sold_out_at, product.gone, product.at
    )
    await connection.execute(_SQL["drop_variants"], shop, product.product_id, list(product.variants))
    await connection.executemany(
        _SQL["put_variant"],
        [
            (
                shop,
                item,
                product.product_id,
                variant.variant_id,
                variant.price,
                variant.stock,
                {place: [level.available, level.at.isoformat()] for place, level in variant.levels.items()},
                max((product.at, *(level.at for level in variant.levels.values()))),
            )
            for item, variant in sorted(product.variants.items())
        ],
    )
