"""A real browser at a small shop: Chromium, the shop's pages, and ingest, each on an address of its own.

Chromium takes every host below `.test` for this machine, so that the shop, ingest and a foreign site have names as
real sites have, and no https: a browser gives pages like these the least.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import CheckedTopics, Json, opener
from todoke_ingest.adapters.keys import KeyRing, LiveKey
from todoke_ingest.app import build_app
from todoke_ingest.domain.keys import DEFAULT_LIMITS, hash_of
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import Caller
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import Config
from todoke_shared.clock import FakeClock
from todoke_shared.shops import Shop

WITHIN_SECONDS = 10.0
KEY, OPEN_KEY = "tdk_browser_shop", "tdk_browser_anywhere"
IDENTITY_SECRET = "identity-secret"


@dataclass(frozen=True)
class Knock:
    """A request for /v1/collect as it came in, and the status of its answer.

    `mode` (Sec-Fetch-Mode): `cors` for a fetch, `no-cors` for a beacon.
    """

    origin: str
    mode: str
    content_type: str
    status: int


@dataclass
class Site:
    """The shop's web server: HTML by path, and headers that every page has."""

    pages: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3, without the lifespan that uvicorn asks after."""
        assert scope["type"] == "http"
        page = self.pages.get(scope["path"])
        headers = {"content-type": "text/html; charset=utf-8", **self.headers}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 404 if page is None else 200, "headers": raw})
        await send({"type": "http.response.body", "body": (page or "").encode()})


@dataclass
class Knocks:
    """Ingest's app, and who knocked on /v1/collect."""

    app: ASGIApp
    seen: list[Knock] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"] == "/v1/collect":
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                mode, kind = headers.get("sec-fetch-mode", ""), headers.get("content-type", "")
                self.seen.append(Knock(headers.get("origin", ""), mode, kind, message["status"]))
            await send(message)

        await self.app(scope, receive, noted)


@dataclass
class BrowsedShop:
    """The shop, ingest and the browser. `topics`: what ingest published."""

    browser: Browser
    site: Site
    topics: CheckedTopics
    knocks: Knocks
    shop: str
    foreign: str
    ingest: str

    def tag(self, key: str = KEY, **attributes: str) -> str:
        """The line that a shop puts into its pages; `data_auto="off"` is data-auto."""
        more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
        return f'<script async src="{self.ingest}/tag.js" data-key="{key}"{more}></script>'

    def clear(self) -> None:
        """Forget what other tests did."""
        self.site.pages.clear()
        self.site.headers.clear()
        self.topics.records.clear()
        self.topics.away = False
        self.knocks.seen.clear()

    def events(self, type_: str | None = None) -> list[Json]:
        """What was published so far, of one type or of all, in order."""
        return [value for value in self.topics.values() if type_ in (None, value["type"])]

    async def wait_for(self, type_: str, number: int = 1) -> list[Json]:
        """So many events of a type. AssertionError, with what there is, when they do not come, or more do."""
        await until(lambda: len(self.events(type_)) >= number, lambda: f"{type_}: {self.topics.values()}")
        found = self.events(type_)
        assert len(found) == number, found
        return found

    @asynccontextmanager
    async def visitor(self, *scripts: str) -> AsyncIterator[tuple[Page, BrowserContext]]:
        """Somebody with a fresh browser, at an empty page; `scripts` run before those of each page."""
        context = await self.browser.new_context()
        context.set_default_timeout(WITHIN_SECONDS * 1000)
        for script in scripts:
            await context.add_init_script(script)
        try:
            yield await context.new_page(), context
        finally:
            await context.close()


async def until(true: Callable[[], bool], told: Callable[[], str]) -> None:
    """Return once `true` is; AssertionError with what `told` tells after a while."""
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            while not true():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(told()) from None


@asynccontextmanager
async def browsed_shop(chromium: str) -> AsyncIterator[BrowsedShop]:
    """Everything, until the block ends."""
    topics, site = CheckedTopics(), Site()
    async with AsyncExitStack() as stack:
        shop_port = await stack.enter_async_context(listening(site))
        shop = f"http://shop.test:{shop_port}"
        knocks = Knocks(ingest(topics, shop))
        ingest_port = await stack.enter_async_context(listening(knocks))
        playwright = await stack.enter_async_context(async_playwright())
        events = f"http://events.shop.test:{ingest_port}"
        # Of hosts that it trusts Chromium also says how it sent a request, which is all that tells a beacon.
        trusted = f"--unsafely-treat-insecure-origin-as-secure={events}"
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--host-resolver-rules=MAP *.test 127.0.0.1", trusted]
        )
        stack.push_async_callback(browser.close)
        yield BrowsedShop(browser, site, topics, knocks, shop, f"http://foreign.test:{shop_port}", events)


def ingest(topics: CheckedTopics, shop: str) -> ASGIApp:
    """Ingest as it runs, but for Kafka and PostgreSQL; one key for the shop's site alone, and one for any."""
    limit = DEFAULT_LIMITS["browser"]
    keys = KeyRing(
        {
            hash_of(KEY): LiveKey(Caller("tea", "browser", "shop", (shop,)), limit),
            hash_of(OPEN_KEY): LiveKey(Caller("tea", "browser", "any"), limit),
        }
    )
    config = Config(accounts={}, shops={"tea": Shop(identity_secrets=(IDENTITY_SECRET,))})
    settings = IngestSettings(kafka_bootstrap_servers="127.0.0.1:1", postgres_dsn="postgresql://nowhere")
    return build_app(settings, opener(Doors(Intake(topics, FakeClock(datetime.now(UTC)), config, keys=keys))))


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[int]:
    """An app behind uvicorn on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server._serve([listener]))  # serve() would take over our signals
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
