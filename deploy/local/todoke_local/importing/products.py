"""products: a row is a product, or a variant of one; it says how the product is, not how it was."""

from collections.abc import Sequence

from todoke_local.importing.columns import Column
from todoke_local.importing.kinds import Choices, Draft, Kind
from todoke_local.importing.values import (
    Fields,
    RowError,
    present,
    read_integer,
    read_number,
    read_time,
)

COLUMNS = (
    Column("product_id", ("商品ID", "商品コード", "商品番号", "品番", "Variant SKU", "SKU")),
    Column("name", ("商品名", "Title", "product_name")),
    Column("price", ("販売価格", "価格", "単価", "Variant Price")),
    Column("url", ("商品URL", "商品ページURL", "link")),
    Column("image_url", ("商品画像URL", "Image Src", "Product image URL", "image_link")),
    Column("category", ("商品カテゴリ(名称)", "カテゴリ", "カテゴリー", "Product Category", "Type", "商品カテゴリ")),
    Column("stock", ("在庫数", "在庫", "Variant Inventory Qty", "Inventory quantity")),
    Column("use_up_days", ("使い切り日数", "消費日数")),
    Column("updated_at", ("更新日", "更新日時", "最終更新日時")),
    Column("handle", ("URL handle",)),
)


def read_products(rows: Sequence[Fields], choices: Choices) -> list[Draft]:
    """The products of rows below each other with one `handle`, or one number: what the first says holds for all.

    Rows of one number are variants of a product (EC-CUBE's 規格): it costs what the cheapest does, and is in stock as
    much as they are together. Shopify's row for a further picture names no product and is passed over.
    """
    shared = {field: rows[0][field] for field in _SHARED if field in rows[0]}
    variants: dict[str, list[Fields]] = {}
    for row in rows:
        if number := row.get("product_id"):
            variants.setdefault(number, []).append({**shared, **row})
    if not variants and "handle" not in rows[0]:
        raise RowError("product_id is empty")
    return [_product(number, same, choices) for number, same in variants.items()]


def _product(number: str, variants: list[Fields], choices: Choices) -> Draft:
    first = variants[0]
    prices = [price for row in variants if (price := read_number(row, "price")) is not None]
    stocks = [stock for row in variants if (stock := read_integer(row, "stock")) is not None]
    product = present(
        product_id=number,
        name=first.get("name"),
        price=min(prices, default=None),
        url=first.get("url"),
        image_url=first.get("image_url"),
        category=first.get("category"),
        stock=sum(stocks) if stocks else None,
        use_up_days=read_integer(first, "use_up_days"),
    )
    return Draft("product.updated", number, {"product": product}, at=read_time(first, "updated_at", choices.zone))


_SHARED = ("name", "url", "category", "image_url", "use_up_days", "updated_at")
PRODUCTS = Kind("products", COLUMNS, (("product_id",),), read_products, group=("handle", "product_id"))
