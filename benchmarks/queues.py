"""pgqueuer and procrastinate with jobs that do nothing, as fast as they go: `benchmarks.timers` is held against them.

Each in a schema of its own, its jobs put there by SQL; due ones have the lowest ids (`oldest`) or the highest.
pgqueuer claims by the batch: of 100, 1,000 and 5,000 a thousand is the fastest. procrastinate claims one job at a time,
with as many workers as its connections keep busy.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import procrastinate
import procrastinate.schema
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from benchmarks.figures import Stopwatch

BATCH = 1_000
CONNECTIONS, WORKERS = 10, 50

_JOBS = """
INSERT INTO pgqueuer (priority, entrypoint, status, execute_after)
SELECT 0, 'nothing', 'queued', now() + CASE
       WHEN i > $2::int AND i <= $3::int THEN interval '-1 min' ELSE interval '1 day' + i * interval '1 ms' END
  FROM generate_series(1, $1::int) AS i
"""
_PROCRASTINATE_JOBS = """
INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)
SELECT 'default', 'nothing', now() + CASE
       WHEN i > $2::int AND i <= $3::int THEN interval '-1 min' ELSE interval '1 day' + i * interval '1 ms' END
  FROM generate_series(1, $1::int) AS i
"""


class _Count:
    """How many jobs have been done, and when the last one was."""

    def __init__(self, due: int) -> None:
        self._left = due
        self.done = 0
        self.last = time.perf_counter()
        self.all_done = asyncio.Event()

    def one(self) -> None:
        self.done += 1
        if self.done % 100 == 0 or self.done == self._left:
            self.last = time.perf_counter()
        if self.done == self._left:
            self.all_done.set()


async def time_pgqueuer(dsn: str, pending: int, due: int, *, oldest: bool, seconds: float) -> Stopwatch:
    """Until all that is due is done, or the time is over."""
    async with (
        _schema(dsn, "pgqueuer") as settings,
        asyncpg.create_pool(dsn, server_settings=settings, min_size=2, max_size=CONNECTIONS) as pool,
    ):
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        await queries.install()
        await pool.execute(_JOBS, pending, *_due_ids(pending, due, oldest=oldest))
        await pool.execute("VACUUM ANALYZE pgqueuer")
        manager, count = QueueManager(queries), _Count(due)

        async def nothing(_: object) -> None:
            count.one()

        manager.entrypoint("nothing")(nothing)
        watch = Stopwatch()
        started = time.perf_counter()
        with watch.lap():
            running = asyncio.create_task(manager.run(batch_size=BATCH))
            await _until(count, seconds)
            manager.shutdown.set()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    return _judged(watch, count, started)


async def time_procrastinate(dsn: str, pending: int, due: int, *, oldest: bool, seconds: float) -> Stopwatch:
    """Until all that is due is done, or the time is over."""
    async with _schema(dsn, "procrastinate") as settings:
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        connector = procrastinate.PsycopgConnector(
            conninfo=dsn, kwargs={"options": options}, min_size=CONNECTIONS, max_size=CONNECTIONS
        )
        app, count = procrastinate.App(connector=connector), _Count(due)

        async def nothing() -> None:
            count.one()

        app.task(name="nothing")(nothing)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            connection = await asyncpg.connect(dsn, server_settings=settings)
            # A notification for each row, and an event, would take longer to put there than all the rest.
            await connection.execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER")
            await connection.execute(_PROCRASTINATE_JOBS, pending, *_due_ids(pending, due, oldest=oldest))
            await connection.execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER")
            await connection.execute("VACUUM ANALYZE procrastinate_jobs")
            await connection.close()
            watch = Stopwatch()
            started = time.perf_counter()
            with watch.lap():
                running = asyncio.create_task(
                    app.run_worker_async(concurrency=WORKERS, delete_jobs="always", install_signal_handlers=False)
                )
                await _until(count, seconds)
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
    return _judged(watch, count, started)


def _due_ids(pending: int, due: int, *, oldest: bool) -> tuple[int, int]:
    return (0, due) if oldest else (pending - due, pending)


async def _until(count: _Count, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await count.all_done.wait()


def _judged(watch: Stopwatch, count: _Count, started: float) -> Stopwatch:
    if not count.done:
        raise RuntimeError("a competitor did nothing: give it more --seconds, or see whether its release has changed")
    watch.items = count.done
    if count.all_done.is_set():
        watch.seconds = count.last - started  # without its orderly end
    return watch


@asynccontextmanager
async def _schema(dsn: str, name: str) -> AsyncIterator[dict[str, str]]:
    """An empty schema, gone at the end; the settings of a session in it."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"CREATE SCHEMA {name}")
        yield {"search_path": name, "application_name": name}
        await connection.execute(f"DROP SCHEMA {name} CASCADE")
    finally:
        await connection.close()
