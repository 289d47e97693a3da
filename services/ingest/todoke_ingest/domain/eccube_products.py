"""An EC-CUBE 4 product -> product.updated: the lowest price of what it is sold as, tax included, and the whole stock.

Prices are stored before tax, shown with it (総額表示). Pages and pictures lie where EC-CUBE's own templates link them:
`products/detail/{id}` and `html/upload/save_image/`.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import quote

from todoke_ingest.domain.eccube_models import Image, Product, ProductClass
from todoke_ingest.domain.notices import Asked, Telling, digest
from todoke_shared.shops import EcCube

UNLIMITED_STOCK = 1_000_000
"""在庫無制限. A number, since whoever keeps the last stock of a product must learn that it is no longer sold out."""
_PUBLISHED = "1"
"""公開; 2 is 非公開, 3 廃止: nobody can buy these, whatever lies in the store."""


def tell(asked: Asked, product: Product, shop: EcCube) -> Telling:
    """One event per state."""
    sold_as = [each for each in product.classes or () if each.visible]
    known = {
        "product_id": product.id,
        "name": product.name[:500],
        "price": min((_price(each, shop) for each in sold_as), default=None),
        "url": product_url(shop, product.id),
        "image_url": image_url(shop, product.images),
        "category": _category(product),
        "stock": _stock(product, sold_as),
    }
    data = {"product": {field: value for field, value in known.items() if value is not None}}
    at = max([product.update_date, *(each.update_date for each in sold_as)])
    return Telling([asked.event("product.updated", f"product/{product.id}/{at.isoformat()}/{digest(data)}", at, data)])


def tell_gone(asked: Asked) -> Telling:
    """Deleted: there is none left of it."""
    data = {"product": {"product_id": asked.notice.entity_id, "stock": 0}}
    event_id = f"product/{asked.notice.entity_id}/deleted"
    return Telling([asked.event("product.updated", event_id, asked.received_at, data)])


def product_url(shop: EcCube, product_id: str) -> str:
    """A product's page."""
    return f"{shop.home}products/detail/{product_id}"


def image_url(shop: EcCube, images: Sequence[Image] | None) -> str | None:
    """A product's first picture."""
    first = min(images or (), key=lambda each: each.sort_no, default=None)
    return f"{shop.home}html/upload/save_image/{quote(first.file_name)}" if first else None


def _price(sold_as: ProductClass, shop: EcCube) -> int:
    percent = sold_as.tax_rule.tax_rate if sold_as.tax_rule else shop.tax_percent
    with_tax = Decimal(str(sold_as.price02)) * (100 + Decimal(str(percent))) / 100
    return int(with_tax.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _stock(product: Product, sold_as: Sequence[ProductClass]) -> int:
    if product.status and product.status.id != _PUBLISHED:
        return 0
    if any(each.stock_unlimited for each in sold_as):
        return UNLIMITED_STOCK
    return sum(max(0, int(each.stock or 0)) for each in sold_as)


def _category(product: Product) -> str | None:
    names = [each.category.name for each in product.categories or () if each.category]
    return names[0] if names else None
