"""A service that waits for Kafka or PostgreSQL: it says so, and can be stopped all the same."""

import asyncio
import os
import signal
import sys

import pytest

from todoke_local.ports import free_port
from todoke_local.rooms import migrate_rooms


@pytest.mark.parametrize("service", ["ingest", "segmenter", "scheduler", "dispatcher"])
async def test_a_service_that_waits_can_be_stopped(postgres_dsn: str, service: str) -> None:
    """SIGTERM while Kafka is not there: it ends at once and in order, and has told what it waits for."""
    await migrate_rooms(postgres_dsn)
    settings = {
        "TODOKE_POSTGRES_DSN": postgres_dsn,
        "TODOKE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        f"TODOKE_{service.upper()}_PORT": str(free_port()),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"todoke_{service}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | settings,
    )
    await asyncio.sleep(6)
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.wait_for(process.communicate(), 15)
    assert process.returncode == 0, output.decode()
    assert "Kafka" in output.decode()
