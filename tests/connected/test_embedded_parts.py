"""The embedded Kafka and PostgreSQL keep their promises, above all that of leaving nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.support.processes import is_running, wait_until_gone
from todoke_local.embedded import EmbeddedKafka, EmbeddedPostgres

START_AND_SLEEP = """
import asyncio
from todoke_local.embedded import {part}
async def main():
    async with {part}() as part:
        print(part.{address}, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@contextmanager
def another_program_using(part: str, address: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A Python program that started an embedded part and prints its address; killed at the latest on exit."""
    program = START_AND_SLEEP.format(part=part, address=address)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def children_of(process_id: int) -> list[int]:
    """The ids of a process's direct children."""
    listing = subprocess.run(["pgrep", "-P", str(process_id)], capture_output=True, text=True, check=False)
    return [int(line) for line in listing.stdout.split()]


def data_directory_of(dsn: str) -> Path:
    """The server keeps its socket inside its data directory."""
    return Path(parse_qs(urlsplit(dsn).query)["host"][0])


def server_of(dsn: str) -> int:
    """The process id of the server behind a DSN, from its lock file."""
    return int((data_directory_of(dsn) / "postmaster.pid").read_text().splitlines()[0])


def wait_for_an_entry(folder: Path) -> None:
    """Return as soon as the folder is not empty."""
    deadline = time.monotonic() + 10
    while not any(folder.iterdir()):
        assert time.monotonic() < deadline, f"{folder} is still empty"
        time.sleep(0.01)


async def query(dsn: str, sql: str) -> object:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_embedded_kafka_carries_records_from_an_idempotent_producer_to_a_group() -> None:
    """What a producer was acknowledged, a consumer group reads in order, and its commit is remembered."""
    async with EmbeddedKafka() as kafka:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, enable_idempotence=True) as producer:
            for number in range(20):
                await producer.send_and_wait("ec.events.v1", b"%d" % number, key=b"customer:1")
        async with AIOKafkaConsumer(
            "ec.events.v1",
            bootstrap_servers=kafka.bootstrap_servers,
            group_id="segmenter",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        ) as consumer:
            records = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(20)]
            await consumer.commit()
            [partition] = {(record.topic, record.partition) for record in records}
            [assigned] = [each for each in consumer.assignment() if each.partition == partition[1]]
            committed = await consumer.committed(assigned)
    assert [record.value for record in records] == [b"%d" % number for number in range(20)]
    assert committed == 20


async def test_embedded_kafka_is_gone_after_stop() -> None:
    """Stopping ends the broker's process, and asking for its address then says what to do."""
    before = set(children_of(os.getpid()))
    async with EmbeddedKafka() as kafka:
        [broker] = set(children_of(os.getpid())) - before
        assert is_running(broker)
    assert not is_running(broker)
    with pytest.raises(RuntimeError, match=r"call start\(\)"):
        _ = kafka.bootstrap_servers


async def test_embedded_kafka_dies_with_a_killed_parent() -> None:
    """kill -9 of the program that started it ends the broker too."""
    with another_program_using("EmbeddedKafka", "bootstrap_servers") as (program, _):
        [broker] = children_of(program.pid)
        program.kill()
        await wait_until_gone(broker)


async def test_embedded_postgres_answers_asyncpg_and_leaves_nothing() -> None:
    """Its DSN works as given; after stop neither the server nor the temporary data remains."""
    async with EmbeddedPostgres() as postgres:
        assert await query(postgres.dsn, "SELECT current_setting('server_version_num')::int >= 160000") is True
        assert await query(postgres.dsn, "SHOW fsync") == "off"
        assert await query(postgres.dsn, "SHOW synchronous_commit") == "on"
        server, data = server_of(postgres.dsn), data_directory_of(postgres.dsn)
        assert is_running(server)
    assert not is_running(server)
    assert not data.parent.exists()


async def test_a_start_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a start: when start() has raised, the helper, its server and its files are gone."""
    before = set(children_of(os.getpid()))
    with tempfile.TemporaryDirectory() as temporary_files:
        monkeypatch.setenv("TMPDIR", temporary_files)
        starting = asyncio.create_task(EmbeddedPostgres().start())
        await asyncio.to_thread(wait_for_an_entry, Path(temporary_files))
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert os.listdir(temporary_files) == []  # noqa: PTH208 - pathlib's is for synchronous code only
    assert set(children_of(os.getpid())) == before


async def test_embedded_postgres_keeps_a_given_directory(tmp_path: Path) -> None:
    """A table in a given directory is there again at the next start, written with fsync."""
    async with EmbeddedPostgres(tmp_path / "kept") as postgres:
        await query(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert await query(postgres.dsn, "SHOW fsync") == "on"
    async with EmbeddedPostgres(tmp_path / "kept") as postgres:
        assert await query(postgres.dsn, "SELECT answer FROM kept") == 42


async def test_embedded_postgres_refuses_a_directory_in_use(tmp_path: Path) -> None:
    """Two programs on one data directory would spoil each other: the second is told so."""
    async with EmbeddedPostgres(tmp_path / "kept"):
        with pytest.raises(RuntimeError, match=r"Another process is using .*kept"):
            await EmbeddedPostgres(tmp_path / "kept").start()


async def test_embedded_postgres_dies_with_a_killed_parent() -> None:
    """kill -9 of the program that started it ends the server and removes the temporary data."""
    with another_program_using("EmbeddedPostgres", "dsn") as (program, dsn):
        [guard] = children_of(program.pid)
        server, data = server_of(dsn), data_directory_of(dsn)
        program.kill()
        await wait_until_gone(server)
        await wait_until_gone(guard)
    assert not data.parent.exists()


async def test_a_left_over_server_is_ended_at_the_next_start(tmp_path: Path) -> None:
    """Where the helper program was killed as well, the next start ends what it left, and kept data is whole."""
    with another_program_using("EmbeddedPostgres", "dsn") as (program, dsn):
        [guard] = children_of(program.pid)
        left_over, data = server_of(dsn), data_directory_of(dsn)
        os.kill(guard, signal.SIGKILL)
        await wait_until_gone(guard)
    assert is_running(left_over)
    async with EmbeddedPostgres():
        assert not is_running(left_over)
        assert not data.parent.exists()


async def test_a_killed_helper_of_a_kept_directory_is_recovered_from(tmp_path: Path) -> None:
    """After kill -9 of the helper of a kept directory, the next start takes the directory over, data whole."""
    before = set(children_of(os.getpid()))
    postgres = EmbeddedPostgres(tmp_path / "kept")
    await postgres.start()
    [guard] = set(children_of(os.getpid())) - before
    await query(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    left_over = server_of(postgres.dsn)
    os.kill(guard, signal.SIGKILL)
    await postgres.stop()
    assert is_running(left_over)
    async with EmbeddedPostgres(tmp_path / "kept") as successor:
        assert not is_running(left_over)
        assert await query(successor.dsn, "SELECT answer FROM kept") == 42
        taken_over = server_of(successor.dsn)
    assert not is_running(taken_over)


@pytest.mark.parametrize("part", ["EmbeddedKafka", "EmbeddedPostgres"])
def test_an_embedded_part_starts_and_stops_without_a_word(part: str) -> None:
    """Neither a warning nor a log line of the wheels reaches the terminal."""
    program = START_AND_SLEEP.format(part=part, address="__class__.__name__").replace("600", "0")
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert (finished.stdout, finished.stderr) == (f"{part}\n", "")
