"""orders: rows below each other with one order number are one order, a line item each."""

import re
from collections.abc import Sequence
from typing import Any

from todoke_local.importing.columns import Column
from todoke_local.importing.kinds import Choices, Draft, Kind, guest, member
from todoke_local.importing.values import (
    Fields,
    RowError,
    need,
    present,
    read_integer,
    read_list,
    read_number,
    read_time,
)
from todoke_local.importing.words import CANCELLED, REFUNDED, UNFINISHED
from todoke_shared.contracts.contacts import email_sha256

COLUMNS = (
    Column(
        "order_id",
        ("注文番号", "受注番号", "注文ID", "受注ID", "オーダー番号", "Name", "Order ID", "Order Number", "伝票番号"),
    ),
    Column(
        "ordered_at", ("受注日", "注文日", "注文日時", "受注日時", "購入日", "購入日時", "Created at", "order_date")
    ),
    Column("customer_id", ("会員ID", "会員番号", "顧客ID", "顧客番号", "顧客コード", "お客様番号", "Customer ID")),
    Column("email", ("メールアドレス", "注文者メールアドレス", "E-mail", "メール")),
    Column("amount", ("支払合計", "お支払い合計", "合計金額", "請求金額", "合計", "Total", "注文合計", "total_price")),
    Column("currency", ("通貨",)),
    Column(
        "status", ("対応状況(名称)", "対応状況", "ステータス", "注文ステータス", "受注ステータス", "Financial Status")
    ),
    Column("cancelled_at", ("キャンセル日", "キャンセル日時", "Cancelled at")),
    Column("refunded_amount", ("返金額", "返金金額", "Refunded Amount")),
    Column("cart_id", ("カートID",)),
    Column("coupons", ("クーポンコード", "クーポン", "Discount Code", "coupon")),
    Column("item_type", ("明細区分(ID)", "明細区分(名称)", "明細区分")),
    Column("product_id", ("商品ID", "商品コード", "商品番号", "品番", "Lineitem sku", "SKU")),
    Column("product_name", ("商品名", "Lineitem name", "item_name")),
    Column("price", ("価格", "単価", "販売価格", "商品単価", "Lineitem price")),
    Column("quantity", ("個数", "数量", "注文数", "購入数", "Lineitem quantity")),
    Column("url", ("商品URL",)),
    Column("image_url", ("商品画像URL",)),
    Column("shopify_id", ("Id",)),
)
_SHOPIFY_ID = re.compile(r"[0-9]{10,20}")
"""Long enough that no shop's own count of rows is taken for one."""
_PRODUCT_TYPES = frozenset({"1", "商品", "product"})
"""Of EC-CUBE's kinds of line items; the others are postage, fees, discounts and points."""


def read_order(rows: Sequence[Fields], choices: Choices) -> list[Draft]:
    """The order, and its cancellation or refund; nothing for one that was never finished.

    What is told of the whole order may stand in any of its rows: exports often leave it out after the first.
    """
    order = {field: text for row in reversed(rows) for field, text in row.items()}
    status = order.get("status", "").lower()
    if status in UNFINISHED:
        return []
    number = _number(order)
    at = read_time(order, "ordered_at", choices.zone)
    if at is None:
        raise RowError("ordered_at is empty")
    subject = _buyer(order)
    data = present(
        order_id=number,
        items=[item for row in rows if (item := _item(row))],
        amount=read_number(order, "amount"),
        currency=order.get("currency"),
        cart_id=order.get("cart_id"),
        coupons=read_list(order, "coupons"),
    )
    drafts = [Draft("order.placed", number, data, subject, at)]
    cancelled_at = read_time(order, "cancelled_at", choices.zone)
    if status in CANCELLED or cancelled_at is not None:
        drafts.append(Draft("order.cancelled", number, {"order_id": number}, subject, cancelled_at or at))
    elif status in REFUNDED:
        amount = read_number(order, "refunded_amount") or data.get("amount")
        drafts.append(Draft("order.refunded", number, present(order_id=number, amount=amount), subject, at))
    return drafts


def _number(order: Fields) -> str:
    """The order's number; for Shopify the id that its webhooks call it by, not the name that its rows share."""
    number, id_ = need(order, "order_id"), order.get("shopify_id", "")
    return id_ if _SHOPIFY_ID.fullmatch(id_) else number


def _buyer(order: Fields) -> str:
    if number := order.get("customer_id"):
        return f"customer:{member(number)}"
    if email := email_sha256(order.get("email", "")):
        return guest(email)
    raise RowError("neither customer_id nor email tells whose order it is")


def _item(row: Fields) -> dict[str, Any] | None:
    """A row's line item; None for postage and the like, and for a row that names no product."""
    if row.get("item_type", "1") not in _PRODUCT_TYPES:
        return None
    product = row.get("product_id") or row.get("product_name")
    if product is None:
        return None
    quantity = read_integer(row, "quantity")
    if quantity == 0:
        raise RowError("quantity is 0")
    return present(
        product_id=product,
        name=row.get("product_name"),
        price=read_number(row, "price"),
        quantity=quantity,
        url=row.get("url"),
        image_url=row.get("image_url"),
    )


ORDERS = Kind(
    "orders",
    COLUMNS,
    (("order_id",), ("ordered_at",), ("customer_id", "email")),
    read_order,
    group=("order_id",),
    once=True,
    checks={"email": email_sha256},
)
