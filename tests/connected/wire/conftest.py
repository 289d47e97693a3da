"""Ingest behind the server that it really runs behind, with nothing else beside it."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn

from tests.support.tcp_clients import WITHIN
from tests.unit.ingest.asgi_client import SETTINGS
from tests.unit.ingest.stand_ins import CheckedTopics, new_door, opener
from todoke_ingest import http
from todoke_ingest.app import build_app
from todoke_local.ports import free_port
from todoke_shared import connections
from todoke_shared.service import server_config

SLOW = 0.3
"""Seconds, in these tests, that a body or a head may take; a look at the bodies comes every second."""


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits for long."""
    monkeypatch.setattr(http, "BODY_SECONDS", SLOW)
    monkeypatch.setattr(connections, "HEAD_SECONDS", SLOW)
    yield


@pytest.fixture
async def port(topics: CheckedTopics) -> AsyncIterator[int]:
    """Ingest behind the server that it really runs behind."""
    app = build_app(SETTINGS, opener(new_door(topics)))
    number = free_port()
    server = uvicorn.Server(server_config(app, SETTINGS, number))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield number
    server.should_exit = True
    async with asyncio.timeout(WITHIN):
        await task
