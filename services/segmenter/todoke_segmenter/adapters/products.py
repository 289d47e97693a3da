"""The catalogue in PostgreSQL: a batch's word on its products, in one statement."""

from collections.abc import Iterable

from todoke_segmenter.domain.products import FIELDS, ProductTold, join_products
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "products.sql")


async def save_products(connection: Connection, told: Iterable[ProductTold]) -> None:
    """Join what was told to what is known. Told again it changes nothing, so that no inbox is asked."""
    products = join_products(told)
    if not products:
        return
    columns: list[list[object]] = [[product.shop for product in products], [product.product_id for product in products]]
    for name in FIELDS:
        fields = [product.fields.get(name) for product in products]
        columns.append([field.value if field else None for field in fields])
        columns.append([field.at if field else None for field in fields])
    await connection.execute(_SQL["save_products"], *columns, [product.at for product in products])
