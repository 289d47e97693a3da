"""From what a person does in LINE to the free reply, over HTTP: the simulator gives the tokens and checks them."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.deliveries import user_named
from tests.support.line_server import TOKEN, LineServer, line_server, webhooks
from tests.support.pipeline import CAMPAIGNS, Pipeline, open_pipeline
from todoke_dispatcher.adapters.line import open_line
from todoke_shared.campaigns.source import load_campaign

LIBRARY = Path(__file__).parents[2] / "docs" / "campaign-library"
HANA = user_named("hana")


async def until_told(pipeline: Pipeline, told: "asyncio.Queue[tuple[bytes, str]]") -> None:
    """Hand the next webhook to ingest, and let all happen that comes of it."""
    async with asyncio.timeout(5):
        body, signature = await told.get()
    pipeline.clock.move_to(datetime.now(UTC))
    assert (await pipeline.door.take_line_webhook("main", body, signature)).status == 200
    await pipeline.settle()


async def accepted(server: LineServer) -> list[tuple[Any, ...]]:
    """Endpoint, recipient and first words of all that LINE took."""
    return [
        (each["endpoint"], each["to"], each["messages"][0]["text"][:6])  # type: ignore[index]
        for each in await server.accepted()
    ]


async def test_a_welcome_and_an_answer_are_free_replies_that_line_accepts(postgres_dsn: str) -> None:
    """By the tokens of its own webhooks, each once, with nothing billed; a token that is over ends in a push."""
    async with AsyncExitStack() as stack:
        url, told = await stack.enter_async_context(webhooks())
        server = await stack.enter_async_context(line_server(webhook_url=url, monthly_quota=1))
        client = await stack.enter_async_context(
            open_line(server.url, {"main": TOKEN}, connections=2, timeout_seconds=5)
        )
        campaigns = [load_campaign(CAMPAIGNS / "welcome.yaml"), load_campaign(LIBRARY / "faq-hours.yaml")]
        pipeline = await stack.enter_async_context(
            open_pipeline(postgres_dsn, datetime.now(UTC), campaigns=campaigns, line=client)
        )
        await server.follow(HANA)
        await until_told(pipeline, told)
        await server.write(HANA, "営業時間")
        await until_told(pipeline, told)
        assert await accepted(server) == [("reply", [HANA], "友だち追加あ"), ("reply", [HANA], "営業時間は ")]
        assert (await server.stats())["billed"] == 0
        await server.write(HANA, "営業時間")
        await server.pass_time(61)
        await until_told(pipeline, told)
        assert (await accepted(server))[2:] == [("push", [HANA], "営業時間は ")]
        assert (await server.stats())["billed"] == 1
