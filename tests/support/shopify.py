"""A Shopify shop as ingest sees one: signed deliveries, small payloads with the fields that Shopify documents.

Payloads: https://shopify.dev/docs/api/webhooks. Money is text, ids are numbers, carts have tokens.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from todoke_ingest.adapters.shopify import ShopifyMemory
from todoke_ingest.answers import Answer
from todoke_ingest.domain.shopify.orders import OrderClaim, OrderOwner
from todoke_ingest.domain.shopify.privacy import PrivacyRequest
from todoke_ingest.domain.shopify.stock import Product
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.shopify import take_with
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.shops import Shop, Shopify

Json = dict[str, object]

OLD_SECRET, SECRET = "shpss_old", "shpss_new"
DOMAIN = "uji-tea.myshopify.com"
NOW = datetime(2026, 1, 31, 0, 0, tzinfo=UTC)
EMAIL, PHONE = "Hanako.Sato@example.com", "+819012345678"
TOKEN = "c1-4f0c1f2e9d"
VISITOR = "v0123456789abcdef"
TEA, WHISK = 6001, 6002


def shopify_config(*, domain: str | None = DOMAIN) -> Config:
    """`main` is a Shopify shop whose secret is being replaced; `plain` is a shop and no Shopify."""
    main = Shop(shopify=Shopify(webhook_secrets=(OLD_SECRET, SECRET), domain=domain))
    return Config(accounts={}, shops={"main": main, "plain": Shop()})


def sign(body: bytes, secret: str = SECRET) -> str:
    """Shopify's signature, written from its page and not from our verifier."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def headers(body: bytes, topic: str | None, **changes: str | None) -> dict[str, str]:
    """A delivery's headers as ingest gets them; None takes one away."""
    given: dict[str, str | None] = {
        "hmac_sha256": sign(body),
        "topic": topic,
        "shop_domain": DOMAIN,
        "webhook_id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "triggered_at": NOW.isoformat(),
        "api_version": "2026-01",
        **changes,
    }
    return {f"x-shopify-{name.replace('_', '-')}": value for name, value in given.items() if value is not None}


@dataclass
class KeptInMemory:
    """The door's memory without PostgreSQL. `requests` by shop and id."""

    products: dict[tuple[str, str], Product] = field(default_factory=dict)
    orders: dict[tuple[str, str], OrderOwner] = field(default_factory=dict)
    requests: dict[tuple[str, str], PrivacyRequest] = field(default_factory=dict)

    async def claim_order(self, shop: str, claim: OrderClaim, at: datetime) -> OrderOwner:
        """See ShopifyMemory."""
        before = self.orders.get((shop, claim.order_id), OrderOwner(claim.subject, not claim.sure))
        owner = OrderOwner(claim.subject, before.was_guessed) if claim.sure else before
        self.orders[shop, claim.order_id] = owner
        return owner

    async def product(self, shop: str, product_id: str) -> Product | None:
        """See ShopifyMemory."""
        return self.products.get((shop, product_id))

    async def product_of_item(self, shop: str, item: str) -> str | None:
        """See ShopifyMemory."""
        found = (product for (owner, _), product in self.products.items() if owner == shop and item in product.variants)
        return next((product.product_id for product in found), None)

    async def learn(self, shop: str, product_id: str, lesson: Callable[[Product | None], Product | None]) -> None:
        """See ShopifyMemory."""
        after = lesson(self.products.get((shop, product_id)))
        if after is not None:
            self.products[shop, product_id] = after

    async def keep_request(self, request: PrivacyRequest, at: datetime) -> None:
        """See ShopifyMemory."""
        self.requests.setdefault((request.shop, request.id), request)
        gone = request.kind == "shop/redact"
        self.products = {key: value for key, value in self.products.items() if not (gone and key[0] == request.shop)}
        for key, owner in list(self.orders.items()):
            named = request.kind == "customers/redact" and (
                owner.subject == request.subject or key[1] in request.orders
            )
            if key[0] == request.shop and (gone or named):
                del self.orders[key]


@dataclass
class ShopifyShop:
    """Delivers to the door, each delivery under an id of its own unless told otherwise."""

    intake: Intake
    memory: ShopifyMemory
    delivered: int = 0

    async def deliver(self, topic: str, payload: object, **changes: str | None) -> Answer:
        """Sign and send. `changes` are headers, such as `webhook_id` and `triggered_at`."""
        self.delivered += 1
        body = json.dumps(payload).encode()
        own: dict[str, str | None] = {"webhook_id": f"delivery-{self.delivered}", **changes}
        return await self.send(body, headers(body, topic, **own))

    async def send(self, body: bytes, given: Mapping[str, str], shop: str = "main") -> Answer:
        """Send any body with any headers."""
        return await take_with(self.intake, DoorRequest(body, given, {"shop": shop}), lambda: self.memory)


def line(product: int = TEA, variant: int = 7001, quantity: int = 1, price: str = "1280.00") -> Json:
    """A line item of a cart or an order."""
    name = {TEA: "宇治抹茶", WHISK: "茶筅"}.get(product, "other")
    return {
        "id": variant + 100,
        "product_id": product,
        "variant_id": variant,
        "title": name,
        "quantity": quantity,
        "price": price,
        "sku": f"SKU-{variant}",
        "properties": {"のし": "佐藤"},
    }


def cart(*lines: Json, token: str = TOKEN, **more: object) -> Json:
    """A cart, which has no customer."""
    return {"id": token, "token": token, "line_items": list(lines), "note": None, **more}


def customer(**changes: object) -> Json:
    """A customer with everything that is personal."""
    return {
        "id": 5001,
        "email": EMAIL,
        "phone": PHONE,
        "first_name": "花子",
        "last_name": "佐藤",
        "state": "enabled",
        "verified_email": True,
        "tags": "VIP, 抹茶",
        "created_at": "2025-12-01T10:00:00+09:00",
        "email_marketing_consent": {"state": "subscribed", "opt_in_level": "single_opt_in"},
        "default_address": {
            "name": "佐藤 花子",
            "address1": "宇治1-2-3",
            "city": "宇治市",
            "province": "Kyōto",
            "province_code": "JP-26",
            "country_code": "JP",
            "phone": "0774-00-0000",
            "zip": "611-0000",
        },
        **changes,
    }


def order(**changes: object) -> Json:
    """An order that was placed just now from the cart TOKEN by the customer."""
    return {
        "id": 8001,
        "name": "#1001",
        "email": EMAIL,
        "contact_email": EMAIL,
        "phone": PHONE,
        "browser_ip": "203.0.113.9",
        "cart_token": TOKEN,
        "currency": "JPY",
        "total_price": "3840.00",
        "financial_status": "paid",
        "created_at": "2026-01-31T09:00:00+09:00",
        "processed_at": "2026-01-31T09:00:00+09:00",
        "updated_at": "2026-01-31T09:00:00+09:00",
        "discount_codes": [{"code": "WINTER", "amount": "100.00", "type": "fixed_amount"}],
        "line_items": [line(quantity=2), line(WHISK, 7003)],
        "customer": customer(),
        "billing_address": customer()["default_address"],
        "note_attributes": [],
        "fulfillments": [],
        **changes,
    }


def parcel(**changes: object) -> Json:
    """A fulfillment, which names no customer."""
    return {
        "id": 9001,
        "order_id": 8001,
        "status": "success",
        "email": EMAIL,
        "tracking_company": "ヤマト運輸",
        "tracking_number": "400000000001",
        "tracking_url": "https://track.example/400000000001",
        "shipment_status": None,
        "created_at": "2026-01-31T09:00:00+09:00",
        "updated_at": "2026-01-31T09:00:00+09:00",
        "destination": customer()["default_address"],
        "line_items": [line(quantity=2)],
        **changes,
    }


def refund(**changes: object) -> Json:
    """A refund of one piece, which names no customer."""
    return {
        "id": 9501,
        "order_id": 8001,
        "note": f"{EMAIL} asked",
        "refund_line_items": [{"id": 1, "quantity": 1, "line_item": line(quantity=2)}],
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "1280.00", "currency": "JPY"},
            {"kind": "refund", "status": "failure", "amount": "1280.00", "currency": "JPY"},
        ],
        **changes,
    }


def variant(item: int = 4001, stock: int = 5, price: str = "1280.00", **changes: object) -> Json:
    """A variant of a product."""
    return {
        "id": item + 3000,
        "inventory_item_id": item,
        "inventory_quantity": stock,
        "inventory_management": "shopify",
        "inventory_policy": "deny",
        "price": price,
        **changes,
    }


def product(*variants: Json, **changes: object) -> Json:
    """A product of the catalogue."""
    return {
        "id": TEA,
        "title": "宇治抹茶",
        "handle": "uji-matcha",
        "product_type": "お茶",
        "status": "active",
        "image": {"src": "https://cdn.example/matcha.jpg"},
        "variants": list(variants) or [variant()],
        **changes,
    }


def level(available: int | None, item: int = 4001, location: int = 1) -> Json:
    """An inventory level."""
    return {"inventory_item_id": item, "location_id": location, "available": available}
