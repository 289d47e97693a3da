"""makeshop from its webhook to the topic, over a stand-in of its API as far as that is published."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.unit.ingest.stand_ins import NOW, CheckedTopics, Json
from todoke_ingest.domain.notices import SETTLED
from todoke_ingest.handlers.fetching import fetch_some, platforms
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.platforms import take_makeshop
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.shops import MakeShop, Shop

SECRET, TOKEN, KEY = "hook-secret", "PAT.1", "api-key"
ORDER: Json = {
    "systemOrderNumber": "MSP1",
    "displayOrderNumber": "1001",
    "orderDate": "20260131085900",
    "memberId": "hana",
    "sumPrice": 2660,
    "paymentStatusCode": "0000",
    "deliveryInfos": [{"deliveryStatus": "Y", "slipNumber": "1234", "basketInfos": []}],
}


@dataclass
class MakeShopApi:
    """makeshop's API: bearer, key and a timestamp of this hour, or 401."""

    orders: list[Json] = field(default_factory=list)
    url: str = ""
    asked: list[object] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """searchOrder, whatever the search."""
        headers = request.headers
        if headers["authorization"] != f"Bearer {TOKEN}" or headers["x-api-key"] != KEY:
            return web.Response(status=401)
        if abs(int(headers["x-timestamp"]) - NOW.timestamp()) > 3600:
            return web.Response(status=401)
        self.asked.append((await request.json())["variables"]["input"])
        return web.json_response({"data": {"searchOrder": {"orders": self.orders}}})


@asynccontextmanager
async def makeshop_api() -> AsyncIterator[MakeShopApi]:
    """Run it until the block ends."""
    api = MakeShopApi()
    app = web.Application()
    app.add_routes([web.post("/v1/graphql", api.take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/graphql"
    try:
        yield api
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("orders", "types", "left"),
    [
        ([ORDER], ["order.placed", "order.shipped"], 0),
        ([], [], 0),
        ([{**ORDER, "systemOrderNumber": "MSP2"}], [], 1),  # the search passed our number over
    ],
)
async def test_an_order_is_asked_for_and_told(
    postgres_dsn: str, orders: list[Json], types: list[str], left: int
) -> None:
    """The webhook brings a number, the API the order; another order than the one asked for is never told."""
    pool = await open_pool(postgres_dsn, application="makeshop-test", schema="ingest")
    topics, clock = CheckedTopics(), FakeClock(NOW)
    async with makeshop_api() as api:
        api.orders = orders
        shop = MakeShop(webhook_secrets=(SECRET,), endpoint=api.url, access_token=TOKEN, api_key=KEY)
        intake = Intake(topics, clock, Config(accounts={}, shops={"main": Shop(makeshop=shop)}), pool)
        body = b'{"shop_id":"tea","system_order_number":"MSP1"}'
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        request = DoorRequest(body, {"x-makeshop-signature": signature}, {"shop": "main"})
        assert (await take_makeshop(intake, request)).status == 200
        clock.move_to(NOW + SETTLED)
        [platform] = platforms(intake)
        assert await fetch_some(intake, platform) == 1
        assert api.asked == [{"systemOrderNumber": "MSP1", "page": 1, "limit": 1}]
    assert [json.loads(record.value or b"")["type"] for record in topics.records] == types
    assert await platform.fetches.waiting() == left
    await pool.close()
