"""An EC-CUBE 4 shop with the Web API plugin, on a socket of its own: OAuth2 tokens, GraphQL, webhooks.

As published: https://doc4.ec-cube.net/eccube-api4 (token and API endpoints, schema) and the plugin's source. It knows
the fields of the published schema and no others, ends access tokens after an hour of `clock`, and takes each refresh
token once.
"""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from aiohttp import web

from todoke_shared.clock import Clock

Json = dict[str, object]
Selection: TypeAlias = "dict[str, Selection]"
Fault = Literal["", "slow", "denied", "failed", "garbage", "errors", "redirect"]
CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN, WEBHOOK_SECRET = "client-1", "client-secret", "refresh-0", "hook-secret"
_ID_AND_NAME = {"id": "", "name": "", "sort_no": ""}
SCHEMA: dict[str, dict[str, str]] = {
    "Customer": dict.fromkeys(
        [
            "id",
            "name01",
            "name02",
            "kana01",
            "kana02",
            "company_name",
            "postal_code",
            "addr01",
            "addr02",
            "email",
            "phone_number",
            "birth",
            "first_buy_date",
            "last_buy_date",
            "buy_times",
            "buy_total",
            "note",
            "reset_expire",
            "point",
            "create_date",
            "update_date",
        ],
        "",
    )
    | {"Status": "Master", "Sex": "Master", "Pref": "Master"},
    "Order": dict.fromkeys(
        [
            "id",
            "order_no",
            "message",
            "name01",
            "name02",
            "email",
            "phone_number",
            "subtotal",
            "discount",
            "total",
            "payment_total",
            "payment_method",
            "note",
            "create_date",
            "update_date",
            "order_date",
            "payment_date",
            "currency_code",
            "add_point",
            "use_point",
        ],
        "",
    )
    | {"OrderItems": "OrderItem", "Shippings": "Shipping", "Customer": "Customer", "OrderStatus": "Master"},
    "OrderItem": dict.fromkeys(
        [
            "id",
            "product_name",
            "product_code",
            "class_category_name1",
            "class_category_name2",
            "price",
            "quantity",
            "tax",
            "tax_rate",
        ],
        "",
    )
    | {
        "Product": "Product",
        "ProductClass": "ProductClass",
        "OrderItemType": "Master",
        "TaxDisplayType": "Master",
    },
    "Shipping": dict.fromkeys(["id", "shipping_delivery_name", "shipping_date", "tracking_number"], "")
    | {"Delivery": "Delivery"},
    "Delivery": {"id": "", "name": "", "service_name": "", "confirm_url": ""},
    "Product": dict.fromkeys(["id", "name", "note", "create_date", "update_date"], "")
    | {
        "ProductClasses": "ProductClass",
        "ProductImage": "ProductImage",
        "ProductCategories": "ProductCategory",
        "Status": "Master",
    },
    "ProductClass": dict.fromkeys(
        ["id", "code", "stock", "stock_unlimited", "price01", "price02", "visible", "update_date"], ""
    )
    | {"TaxRule": "TaxRule"},
    "TaxRule": {"id": "", "tax_rate": ""},
    "ProductImage": {"id": "", "file_name": "", "sort_no": ""},
    "ProductCategory": {"product_id": "", "category_id": "", "Category": "Master"},
    "Master": _ID_AND_NAME,
}
"""Fields by type; the value is the type that a field holds, empty for a scalar."""


@dataclass
class EcCubeShop:
    """What the shop holds, and how it behaves. `asked` lists the entities asked for; the gates hold answers back.

    `strayed` counts those who followed a redirect, and with a token would have given it away.
    """

    clock: Clock
    url: str = ""
    entities: dict[tuple[str, str], Json] = field(default_factory=dict)
    fault: Fault = ""
    asked: list[str] = field(default_factory=list)
    refreshes: int = 0
    strayed: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    token_gate: asyncio.Event = field(default_factory=asyncio.Event)
    _refresh_token: str = FIRST_REFRESH_TOKEN
    _access_tokens: dict[str, datetime] = field(default_factory=dict)

    def put(self, entity: str, value: Json) -> None:
        """Commit a customer, an order or a product."""
        self.entities[entity, str(value["id"])] = value

    def drop_tokens(self) -> None:
        """Forget every access token, as after EC-CUBE's own `/api/logout`."""
        self._access_tokens.clear()

    def authorise_again(self, refresh_token: str) -> None:
        """As an administrator does in a browser: a new first refresh token."""
        self._refresh_token = refresh_token

    async def take_token(self, request: web.Request) -> web.Response:
        """POST /token: the refresh token grant (RFC 6749, 6), which replaces the refresh token."""
        form = await request.post()
        await self.token_gate.wait()
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self._refresh_token:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.refreshes += 1
        self._refresh_token = f"refresh-{self.refreshes}-of-{self._refresh_token}"
        access = f"access-{self.refreshes}-{len(self._access_tokens)}"
        self._access_tokens[access] = self.clock.wall() + timedelta(hours=1)
        return web.json_response(
            {"token_type": "Bearer", "expires_in": 3600, "access_token": access, "refresh_token": self._refresh_token}
        )

    async def take_elsewhere(self, _: web.Request) -> web.Response:
        """Where `redirect` leads."""
        self.strayed += 1
        return web.Response(status=404)

    async def take_api(self, request: web.Request) -> web.Response:
        """POST /api: one question."""
        if (answer := await self._misbehave()) is not None:
            return answer
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.clock.wall() >= self._access_tokens.get(token, self.clock.wall()):
            return web.Response(status=401)
        question = await request.json()
        name, inside = re.findall(r"(\w+)\(id: \$id\) {(.*)", question["query"], re.DOTALL)[0]
        entity_id = str(question["variables"]["id"])
        self.asked.append(f"{name}/{entity_id}")
        before = self.entities.get((name, entity_id))
        await self.gate.wait()
        chosen = _read_selection(iter(re.findall(r"\w+|[{}]", inside)))
        try:
            _check(chosen, name.capitalize())
        except KeyError as unknown:
            return web.json_response({"errors": [{"message": f"Cannot query field {unknown}"}]})
        return web.json_response({"data": {name: _select(before, chosen)}})

    async def _misbehave(self) -> web.Response | None:
        match self.fault:
            case "slow":
                await asyncio.sleep(5)
            case "denied":
                return web.Response(status=401)
            case "failed":
                return web.Response(status=500, text="<h1>システムエラー</h1>")
            case "garbage":
                return web.Response(text="<html>ただいまメンテナンス中です</html>", content_type="text/html")
            case "errors":
                return web.json_response({"data": {"order": None}, "errors": [{"message": "Internal server error"}]})
            case "redirect":
                return web.Response(status=302, headers={"Location": f"{self.url}elsewhere"})
        return None


@asynccontextmanager
async def eccube_shop(clock: Clock) -> AsyncIterator[EcCubeShop]:
    """Run a shop until the block ends."""
    shop = EcCubeShop(clock)
    shop.gate.set()
    shop.token_gate.set()
    app = web.Application()
    app.add_routes([web.post("/token", shop.take_token), web.post("/api", shop.take_api)])
    app.router.add_route("*", "/elsewhere", shop.take_elsewhere)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield shop
    finally:
        await runner.cleanup()


def webhook(*notices: tuple[str, int, str]) -> tuple[bytes, str]:
    """A delivery's body and its X-ECCUBE-Signature, as the plugin makes them: PHP's json_encode and hash_hmac."""
    members = [{"entity": entity, "id": id_, "action": action} for entity, id_, action in notices]
    body = json.dumps(members, separators=(",", ":")).encode()
    return body, hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()


def _read_selection(words: Iterator[str]) -> Selection:
    """What is asked for, up to the closing brace."""
    chosen: Selection = {}
    last = ""
    for word in words:
        if word == "}":
            break
        if word == "{":
            chosen[last] = _read_selection(words)
        else:
            chosen[word] = {}
            last = word
    return chosen


def _check(chosen: Selection, type_: str) -> None:
    """KeyError names the field that the published schema has not."""
    for name, inner in chosen.items():
        _check(inner, SCHEMA[type_][name])


def _select(value: object, chosen: Selection) -> object:
    if isinstance(value, list):
        return [_select(each, chosen) for each in value]
    if not isinstance(value, dict) or not chosen:
        return value
    return {name: _select(value.get(name), inner) for name, inner in chosen.items()}
