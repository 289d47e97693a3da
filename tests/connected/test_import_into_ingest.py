"""`todoke import` against an ingest as it runs: killed in the middle and started again, every row is in the topic."""

import asyncio
import csv
import json
import signal
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import ANY

import httpx
from aiokafka import AIOKafkaConsumer

from tests.support.ingest_server import WITHIN_SECONDS, ready_ingest
from tests.support.processes import start_module
from todoke_local.importing.batches import MAX_EVENTS
from todoke_local.importing.progress import Progress, progress_file
from todoke_shared.contracts.topics import EC_EVENTS

ORDERS = 8_000


def write_orders(file: Path, run: str) -> None:
    """Orders of this test alone, one of them refused by the importer and one by ingest."""
    with file.open("w", newline="", encoding="cp932") as text:
        rows = csv.writer(text)
        rows.writerow(["注文番号", "受注日", "会員番号", "商品ID", "商品名"])
        for number in range(ORDERS):
            rows.writerow([f"{run}-{number}", "2024/11/05 20:15", number % 500, "tea", "宇治抹茶 30g"])
        rows.writerow([f"{run}-never", "いつか", 1, "tea", "宇治抹茶 30g"])
        rows.writerow([f"{run}-long", "2024/11/05 20:15", 1, "tea", "茶" * 501])


async def importing(file: Path, url: httpx.URL) -> asyncio.subprocess.Process:
    """The command, as a process."""
    return await start_module("todoke_local", "import", "orders", str(file), TODOKE_INGEST_URL=str(url))


async def progress_of(file: Path, least: int) -> Progress:
    """What is written down once so many events are acknowledged."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while (kept := Progress.read(progress_file(file))) is None or kept.counts.events < least:
            await asyncio.sleep(0.005)
        return kept


async def imported(bootstrap: str, run: str, wanted: int) -> AsyncIterator[tuple[str, str]]:
    """Order number and event id of this test's events in the topic, until so many orders have come."""
    found: set[str] = set()
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        AIOKafkaConsumer(EC_EVENTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        while len(found) < wanted:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for event in (json.loads(record.value) for record in records if run.encode() in record.value):
                    found.add(event["data"]["order_id"])
                    yield event["data"]["order_id"], event["id"]


def refused_rows(file: Path) -> list[dict[str, str]]:
    """The file of refused rows beside a file."""
    with file.with_name(f"{file.name}.refused.csv").open(encoding="cp932", newline="") as text:
        return list(csv.DictReader(text))


async def stopped(file: Path, url: httpx.URL, sent: signal.Signals, after: int) -> tuple[int | None, str]:
    """Start the import and send it a signal once so many events are acknowledged; its exit code and output."""
    process = await importing(file, url)
    assert not (await progress_of(file, after)).done
    process.send_signal(sent)
    output, _ = await asyncio.wait_for(process.communicate(), WITHIN_SECONDS)
    return process.returncode, output.decode()


async def test_an_import_cut_short_goes_on_and_loses_nothing(
    kafka_bootstrap: str, postgres_dsn: str, tmp_path: Path
) -> None:
    """Stopped by Ctrl-C, then killed: every order is in the topic, what came twice with one id, refusals told once."""
    file, run = tmp_path / "orders.csv", uuid.uuid4().hex
    await asyncio.to_thread(write_orders, file, run)
    async with ready_ingest(kafka_bootstrap, postgres_dsn) as client:
        code, text = await stopped(file, client.base_url, signal.SIGINT, MAX_EVENTS)
        assert code == 130, text
        assert "Started again, it goes on" in text
        assert await stopped(file, client.base_url, signal.SIGKILL, 3 * MAX_EVENTS) == (-9, ANY)
        last = await importing(file, client.base_url)
        output, _ = await asyncio.wait_for(last.communicate(), WITHIN_SECONDS)
    text = output.decode()
    assert last.returncode == 3, text
    assert "Going on at line" in text
    assert f"{ORDERS + 2:,} rows: {ORDERS:,} events, 2 rows refused" in text

    ids: dict[str, list[str]] = defaultdict(list)
    async for order, event_id in imported(kafka_bootstrap, run, ORDERS):
        ids[order].append(event_id)
    assert ids.keys() == {f"{run}-{number}" for number in range(ORDERS)}
    assert {len(set(same)) for same in ids.values()} == {1}
    assert sum(map(len, ids.values())) <= ORDERS + 2 * MAX_EVENTS, "only the batches in flight came twice"
    refused = await asyncio.to_thread(refused_rows, file)
    assert [row["注文番号"] for row in refused] == [f"{run}-never", f"{run}-long"]
    assert "ingest refused it: data.items[0].name" in refused[1]["todoke_reason"]
