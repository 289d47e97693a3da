"""Ingest as its own document describes it: the document's operations, and an ingest at which each can be tried.

Keys and signatures are made as the document's security schemes say, and not by our verifiers.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

import asyncpg
import httpx

from tests.support.doors import Doors
from tests.unit.ingest.stand_ins import CheckedTopics, opener
from tests.unit.ingest.test_ingest_app import client_of
from todoke_ingest.adapters.clicks import Clicks
from todoke_ingest.adapters.keys import KeyRing, LiveKey
from todoke_ingest.adapters.links import Links
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.domain.clicks import Link
from todoke_ingest.domain.keys import Limit, hash_of
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.openapi import openapi
from todoke_ingest.requests import Caller, Purpose
from todoke_shared.accounts import Account, Config
from todoke_shared.clock import FakeClock
from todoke_shared.shops import EcCube, MakeShop, Shop, Shopify

NOW = datetime(2026, 12, 31, tzinfo=UTC)
"""Later than every example of the document."""

SECRET = "webhook-secret"
KEYS: dict[Purpose, str] = {purpose: f"tdk_{purpose}_{'k' * 30}" for purpose in get_args(Purpose)}
TOKEN = "3kTMd9QXv1rYB0WcUe7LsA"
NEEDS_POSTGRESQL = {"/webhooks/shopify/{shop}", "/webhooks/eccube/{shop}", "/webhooks/makeshop/{shop}"}
"""Doors that keep something before they answer a good delivery. (Shopify's does so for some of its topics.)"""

Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """A path's method as the document describes it."""

    path: str
    method: str
    told: Json = field(repr=False)

    @property
    def name(self) -> str:
        """As a test's name shows it."""
        return f"{self.method} {self.path}"

    @property
    def ways(self) -> list[str | None]:
        """The security schemes that it may be called with, each by itself; [None] when it asks for none."""
        return [name for needed in self.told.get("security", []) for name in needed] or [None]

    @property
    def examples(self) -> list[tuple[str, str, object]]:
        """Media type, name and value of each example of a body."""
        contents = self.told.get("requestBody", {}).get("content", {})
        return [
            (media, name, example["value"])
            for media, content in contents.items()
            for name, example in content["examples"].items()
        ]

    def shown(self, place: str) -> dict[str, str]:
        """The example of each parameter in `place` that shows one."""
        parameters = self.told.get("parameters", [])
        return {each["name"]: each["example"] for each in parameters if each["in"] == place and "example" in each}


@dataclass(frozen=True)
class Ingest:
    """A running ingest, whoever asks it, and what it has published."""

    client: httpx.AsyncClient
    topics: CheckedTopics

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        way: str | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> httpx.Response:
        """A request, with the key or signature that the scheme `way` asks for."""
        secret_headers, secret_query = credentials(way, body) if way else ({}, {})
        lower = {name.lower(): text for name, text in (headers or {}).items()} | secret_headers
        asked = [(name, text) for name, text in query if name not in secret_query] + list(secret_query.items())
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in lower.items()]
        return await self.client.request(
            method, f"{url}?{urlencode(asked)}" if asked else url, content=body, headers=raw
        )


def operations() -> Iterator[Operation]:
    """Every operation of the document."""
    paths: dict[str, Json] = openapi()["paths"]  # type: ignore[assignment]
    for path, item in paths.items():
        whole = paths[_pointed(item["$ref"])] if "$ref" in item else item
        for method, told in whole.items():
            yield Operation(path, method.upper(), told)


def credentials(way: str, body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query that a security scheme of the document asks for."""
    document: Json = openapi()
    scheme = document["components"]["securitySchemes"][way]
    match scheme:
        case {"type": "http", "scheme": "bearer"}:
            return {"authorization": f"Bearer {KEYS['events']}"}, {}
        case {"type": "http", "scheme": "basic"}:
            return {"authorization": "Basic " + base64.b64encode(f"{KEYS['segment']}:".encode()).decode()}, {}
        case {"type": "apiKey", "in": "query", "name": name}:
            return {}, {name: KEYS["browser"]}
        case {"type": "apiKey", "in": "header", "name": "X-Api-Key" as name}:
            return {name.lower(): KEYS["events"]}, {}
        case {"type": "apiKey", "in": "header", "name": name, "description": told}:
            digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
            signature = base64.b64encode(digest).decode() if "base64(" in told else digest.hex()
            return {name.lower(): signature}, {}
    raise AssertionError(scheme)


def config() -> Config:
    """An account and a shop `main` that is on every platform, as the examples' paths have it."""
    eccube = EcCube(webhook_secrets=(SECRET,), url="https://shop.example/", access_token="t")
    makeshop = MakeShop(webhook_secrets=(SECRET,), endpoint="https://api.example/", access_token="t", api_key="k")
    shop = Shop(shopify=Shopify(webhook_secrets=(SECRET,)), eccube=eccube, makeshop=makeshop)
    account = Account(channel_secrets=(SECRET,), access_token="t")
    return Config(accounts={"main": account}, shops={"main": shop})


@asynccontextmanager
async def open_ingest(pool: "asyncpg.Pool[asyncpg.Record] | None" = None) -> AsyncIterator[Ingest]:
    """An ingest with every door, that asks for keys; one link, TOKEN. Without a pool nothing is kept."""
    topics = CheckedTopics()
    redirects = Redirects(Links(_only_the_example), Clicks(topics)) if pool is None else Redirects.on(pool, topics)
    limit = Limit(per_second=1_000_000, burst=1_000_000)
    ring = KeyRing({hash_of(key): LiveKey(Caller("main", purpose, "k"), limit) for purpose, key in KEYS.items()})
    intake = Intake(topics, FakeClock(NOW), config(), pool, ring, redirects)
    redirects.start()
    try:
        async with client_of(opener(Doors(intake))) as client:
            yield Ingest(client, topics)
    finally:
        await redirects.stop()


def _pointed(reference: str) -> str:
    return reference.rpartition("/")[2].replace("~1", "/")


async def _only_the_example(tokens: Sequence[str]) -> list[Link]:
    return [Link(TOKEN, "https://shop.example/spring", "main", "spring", "poster", None, None)] * (TOKEN in tokens)


def as_sent(value: object) -> bytes:
    """An example as somebody sends it who has copied it."""
    return json.dumps(value, ensure_ascii=False).encode()
