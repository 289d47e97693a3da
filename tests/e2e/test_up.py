"""`todoke up`: everything with one command, kept from run to run, stopped by one signal."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.processes import descendants, start_module, until_it_says, wait_until_gone
from todoke_local.fleet import free_ports


@asynccontextmanager
async def up(home: Path, ports: dict[str, int]) -> AsyncIterator[asyncio.subprocess.Process]:
    """`todoke up` with its data in `home`, ready; ended by SIGTERM, and with it every process it started."""
    settings = {f"TODOKE_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    process = await start_module("todoke_local", "up", **settings, TODOKE_HOME=str(home))
    said = await until_it_says(process, "Ctrl-C", seconds=90)
    assert "Kafka: embedded, in memory" in said
    assert "PostgreSQL: embedded, kept in" in said
    assert "  export KAFKA=127.0.0.1:" in said
    family = descendants(process.pid)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        ended, _ = await asyncio.wait_for(process.communicate(), 60)
        assert ended.decode().splitlines() == ["Stopping …", "Stopped."]
        for process_id in family:
            await wait_until_gone(process_id)


async def call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """A JSON answer."""
    async with aiohttp.ClientSession(trust_env=False) as session, session.request(method, url, json=body) as response:
        assert response.status < 300, await response.text()
        return await response.json(content_type=None)


async def texts(ports: dict[str, int], number: int) -> list[str]:
    """The texts that the simulator has, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            messages = (await call("GET", f"http://127.0.0.1:{ports['simulator']}/sim/messages"))["messages"]
            found = [part["text"] for message in messages for part in message["messages"]]
            if len(found) >= number:
                return found
            await asyncio.sleep(0.1)


async def test_people_and_what_they_were_sent_outlive_a_restart(tmp_path: Path) -> None:
    """Kafka and the simulator forget; PostgreSQL does not: a known order is not confirmed again, a new one is."""
    ports = free_ports()
    order = {"specversion": "1.0", "source": "shop", "type": "order.placed"}
    async with up(tmp_path, ports):
        follow = await call("POST", f"http://127.0.0.1:{ports['simulator']}/sim/users/hana/follow")
        order["subject"] = f"line:main:{follow['userId']}"
        await texts(ports, 1)
        door = f"http://127.0.0.1:{ports['ingest']}/v1/events"
        await call("POST", door, order | {"id": "1", "data": {"order_id": "A-1"}})
        assert "A-1" in (await texts(ports, 2))[-1]
    async with up(tmp_path, ports):
        await call("POST", f"http://127.0.0.1:{ports['simulator']}/sim/users", {"users": ["hana"]})
        for number in ("1", "2", "3"):  # one after the other: a second confirmation of the first would come first
            await call("POST", door, order | {"id": number, "data": {"order_id": f"A-{number}"}})
        assert re.findall(r"A-\d", "".join(sorted(await texts(ports, 2)))) == ["A-2", "A-3"]
