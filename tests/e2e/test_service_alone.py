"""A service that waits for Kafka or PostgreSQL: it says so, and can be stopped all the same."""

import asyncio
import signal
import sys

import pytest

from tests.support.processes import start_module, until_it_says
from todoke_local.ports import free_port


@pytest.mark.parametrize("service", ["ingest", "segmenter", "scheduler", "dispatcher"])
async def test_a_service_that_waits_can_be_stopped(postgres_dsn: str, service: str) -> None:
    """SIGTERM while Kafka is not there: it ends at once and in order, and has told what it waits for."""
    settings = {
        "TODOKE_POSTGRES_DSN": postgres_dsn,
        "TODOKE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        f"TODOKE_{service.upper()}_PORT": str(free_port()),
    }
    process = await start_module(f"todoke_{service}", **settings)
    said = await until_it_says(process, "Kafka")
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0, said + output.decode()


STOPPED_WHILE_IT_STARTS = """
import asyncio, signal
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from todoke_shared.service import serve
from todoke_shared.settings import Settings

@asynccontextmanager
async def lifespan(app):
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(60)
    yield

serve(Starlette(lifespan=lifespan), Settings(postgres_dsn="none", kafka_bootstrap_servers="none"), 0)
"""


async def test_a_stop_in_the_middle_of_a_start_is_no_failure_of_it() -> None:
    """SIGTERM that finds the service at work, and not waiting: exit code 0, as an orchestrator reads it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STOPPED_WHILE_IT_STARTS),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output.decode()
