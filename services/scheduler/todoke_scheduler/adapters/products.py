"""The catalogue as the segmenter publishes it."""

from collections.abc import Collection

from todoke_scheduler.domain.variables import Catalogue
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "products.sql")


async def products_of(connection: Connection, wanted: Collection[tuple[str, str]]) -> Catalogue:
    """What is known of these products, each by its shop and id; what is not known of one is left out."""
    if not wanted:
        return {}
    shops, ids = zip(*sorted(wanted), strict=True)
    return {
        (row["shop"], row["product_id"]): {
            name: _plain(value) for name, value in row.items() if name != "shop" and value is not None
        }
        for row in await connection.fetch(_SQL["products_of"], shops, ids)
    }


def _plain(value: object) -> object:
    """A price without a fraction is a whole number: it is to read 1980, and not 1980.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
