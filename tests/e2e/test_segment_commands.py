"""`todoke segments` as an operator types it, beside a segmenter that runs: checked, published, counted, withdrawn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.support.brokers import BrokerKind, fresh_broker
from tests.support.processes import run_module, start_module
from tests.support.shop_events import ordered
from tests.support.waiting import PATIENCE, until
from todoke_local.ports import free_port
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.jsons import dumps
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing

BUYERS = "segment: buyers\nname: 購入者\nwhen: {orders: {at_least: 1}}\n"
REGULARS = "segment: regulars\nwhen: {all: [{segment: buyers}, {orders: {at_least: 2}}]}\n"
BROKEN = "segment: broken\nwhen: {order: {at_least: 1}}\n"


@pytest.fixture
async def settings(postgres_dsn: str, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Where the database, Kafka and the files are; a segmenter runs there."""
    async with fresh_broker(tmp_path, BrokerKind.EMBEDDED) as bootstrap:  # whose Kafka it is does not matter here
        found = {
            "TODOKE_POSTGRES_DSN": postgres_dsn,
            "TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "TODOKE_SEGMENTS": str(tmp_path / "segments"),
            "TODOKE_SEGMENTER_PORT": str(free_port()),
        }
        segmenter = await start_module("todoke_segmenter", **found)
        try:
            yield found
        finally:
            segmenter.terminate()
            output, _ = await asyncio.wait_for(segmenter.communicate(), PATIENCE)
    assert segmenter.returncode == 0, output.decode()


async def segments(settings: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    """The command: its exit code and what it says."""
    return await run_module("todoke_local", "segments", *arguments, seconds=PATIENCE, **settings)


async def until_in(connection: "asyncpg.Connection[asyncpg.Record]", segment: str, number: int) -> None:
    """Return once so many people are in a segment."""
    members = "SELECT count(*) FROM people WHERE segments ? $1"
    wanted = f"{number} people are in {segment}"
    await until(lambda: connection.fetchval(members, segment), lambda found: found == number, wanted)


async def order(settings: dict[str, str], *people: str) -> None:
    """Each of them orders once more, a minute ago."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    publisher = KafkaPublisher(settings["TODOKE_KAFKA_BOOTSTRAP_SERVERS"], client_id="commands-test")
    await publisher.start()
    events = [ordered(f"customer:{name}", at, f"{name}-{number}") for number, name in enumerate(people)]
    await publisher.publish([Outgoing(EC_EVENTS.name, one["subject"].encode(), dumps(one)) for one in events])
    await publisher.stop()


async def test_a_segment_from_its_file_to_its_withdrawal(settings: dict[str, str], tmp_path: Path) -> None:
    """A mistake is told with its line; the others are published, fill, are listed and counted, and go when told to."""
    folder = tmp_path / "segments"
    folder.mkdir()
    for name, text in (("buyers", BUYERS), ("regulars", REGULARS)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(BROKEN, encoding="utf-8")
    checked, published = await asyncio.gather(segments(settings, "check", str(broken)), segments(settings, "publish"))
    await order(settings, "hana", "jiro", "hana")
    assert checked[0] == 1
    assert f"{broken}:2" in checked[1]
    assert "did you mean `orders`?" in checked[1]
    assert published == (0, "buyers: version 1, published\nregulars: version 1, published\n")
    connection = await asyncpg.connect(settings["TODOKE_POSTGRES_DSN"], server_settings={"search_path": "segmenter"})
    await until_in(connection, "buyers", 2)
    await until_in(connection, "regulars", 1)
    listed, counted = await asyncio.gather(segments(settings, "list"), segments(settings, "count", "regulars"))
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in listed[1].splitlines()]
    assert ["buyers", "購入者", "1", "2", "everybody"] in rows
    assert counted == (0, "1\n")
    code, said = await segments(settings, "withdraw", "regulars")
    assert (code, "regulars: withdrawn" in said) == (0, True), said
    await until_in(connection, "regulars", 0)
    await until_in(connection, "buyers", 2)
    await connection.close()
