"""An EC-CUBE 4 order -> order.placed, paid, shipped, delivered, cancelled, refunded: each at most once.

The statuses and what they mean: https://doc4.ec-cube.net/spec_order.

| status | tells |
|---|---|
| 1 新規受付, 4 対応中 | placed |
| 6 入金済み | placed, paid |
| 5 発送済み | placed, shipped; paid when it has a 入金日 |
| one of `delivered_statuses` | placed, shipped, delivered; paid as above |
| 3 注文取消し | placed, cancelled |
| 9 返品 | placed, refunded |
| 7 決済処理中, 8 購入処理中 | nothing: nobody has bought yet |
| any other | placed |

An order without 注文日 was never placed, whatever its status: EC-CUBE sets it as it accepts the order
(OrderUpdateProcessor.php). What lies more than a week before the notice is history and not told.
"""

from collections.abc import Iterator
from datetime import datetime

from todoke_ingest.domain.eccube_models import Order, OrderItem
from todoke_ingest.domain.eccube_products import image_url, product_url
from todoke_ingest.domain.notices import Asked, Telling
from todoke_shared.contracts.contacts import email_sha256, phone_sha256
from todoke_shared.shops import EcCube

_CANCELLED, _SHIPPED, _PAID, _RETURNED = "3", "5", "6", "9"
_NOT_YET = frozenset({"7", "8"})
_PRODUCT_LINE = "1"
"""mtb_order_item_type: 1 is 商品; postage, fees, discounts and points are no products."""
_TAX_EXCLUDED = "1"
"""mtb_tax_display_type: 1 is 税抜."""
_MOST_ITEMS = 500


def tell(asked: Asked, order: Order, shop: EcCube) -> Telling:
    """What of the order's course has not been told yet, in its order."""
    course = dict(asked.new_of(_course(order, shop)))
    subject = _subject(order)
    events = [
        asked.event(f"order.{name}", f"order/{order.id}/{name}", at, _data(name, order, shop), subject)
        for name, at in course.items()
    ]
    return Telling(events, frozenset(course))


def _course(order: Order, shop: EcCube) -> Iterator[tuple[str, datetime]]:
    status = order.status.id if order.status else ""
    if order.order_date is None or status in _NOT_YET:
        return
    yield "placed", order.order_date
    is_delivered = status in {str(each) for each in shop.delivered_statuses}
    if status == _PAID or ((status == _SHIPPED or is_delivered) and order.payment_date):
        yield "paid", order.payment_date or order.update_date
    if status == _SHIPPED or is_delivered:
        yield "shipped", _shipped_at(order)
    if is_delivered:
        yield "delivered", order.update_date
    if status == _CANCELLED:
        yield "cancelled", order.update_date
    if status == _RETURNED:
        yield "refunded", order.update_date


def _shipped_at(order: Order) -> datetime:
    dates = [each.shipping_date for each in order.shippings or () if each.shipping_date]
    return max(dates, default=order.update_date)


def _subject(order: Order) -> str:
    # Somebody who buys without an account is known by this order alone; the hashes in the data tell who it may be.
    return f"customer:{order.customer.id}" if order.customer else f"visitor:eccube-guest-{order.id}"


def _data(name: str, order: Order, shop: EcCube) -> dict[str, object]:
    data: dict[str, object] = {
        "order_id": order.order_no or order.id,
        "items": [item for line in order.items or () if (item := _item(line, shop))][:_MOST_ITEMS],
        "amount": order.payment_total,
        "currency": order.currency_code or "JPY",
    }
    if order.customer is None:
        data["email_sha256"] = email_sha256(order.email) if order.email else None
        data["phone_sha256"] = phone_sha256(order.phone_number) if order.phone_number else None
    if name in ("shipped", "delivered"):
        data |= _shipment(order)
    return data


def _shipment(order: Order) -> dict[str, object]:
    shippings = sorted(order.shippings or (), key=lambda each: not each.tracking_number)
    if not shippings:
        return {}
    first = shippings[0]
    return {
        "carrier": first.shipping_delivery_name or None,
        "tracking_number": first.tracking_number or None,
        "tracking_url": first.carrier.confirm_url or None if first.carrier else None,
    }


def _item(line: OrderItem, shop: EcCube) -> dict[str, object] | None:
    # A line of a product that was deleted since still counts in the amount, but can be recommended no more.
    if line.product is None or (line.type and line.type.id != _PRODUCT_LINE) or line.quantity < 1:
        return None
    kinds = [kind for kind in (line.class_category_name1, line.class_category_name2) if kind]
    untaxed = line.tax_display is not None and line.tax_display.id == _TAX_EXCLUDED
    item: dict[str, object] = {
        "product_id": line.product.id,
        "name": f"{line.product_name} ({' / '.join(kinds)})" if kinds else line.product_name,
        "price": max(0.0, line.price + line.tax if untaxed else line.price),
        "quantity": int(line.quantity),
        "url": product_url(shop, line.product.id),
        "image_url": image_url(shop, line.product.images),
        "product_class_id": line.product_class.id if line.product_class else None,
    }
    return {field: value for field, value in item.items() if value is not None}
