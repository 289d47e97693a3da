"""The commands as a user runs them: they end in order, at any moment, and leave no process behind."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.processes import descendants, run_module, start_module, wait_until_gone
from tests.support.shop_events import added, ordered
from todoke_local.ports import free_port


async def todoke(*arguments: str, seconds: float = 30.0, **settings: str) -> tuple[int | None, str]:
    """Run `todoke` to its end: its exit code, and what it said."""
    return await run_module("todoke_local", *arguments, seconds=seconds, **settings)


@pytest.fixture(params=[0.7, 2.0, 4.0, "random"])
async def moment(request: pytest.FixtureRequest) -> AsyncIterator[float]:
    """Seconds after the start: in the imports, in the start of the parts, of the services, and somewhere in the day."""
    yield random.uniform(8, 20) if request.param == "random" else request.param


async def test_ctrl_c_stops_the_demo_at_any_moment_and_leaves_no_process(moment: float) -> None:
    """The whole process group gets SIGINT, as from a terminal; nobody is left, whatever was starting."""
    demo = await start_module("todoke_local", "demo")
    await asyncio.sleep(moment)
    family = descendants(demo.pid)
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = await asyncio.wait_for(demo.communicate(), 40)
    assert demo.returncode == 130, output.decode()
    assert "Traceback" not in output.decode()
    for process_id in family:
        await wait_until_gone(process_id)


async def test_a_replay_sums_up_events_triggers_timers_and_messages(tmp_path: Path) -> None:
    """One person who buys and one who forgets: three messages of the shipped campaigns besides two welcomes."""
    start = datetime(2026, 4, 1, tzinfo=UTC)
    events = [
        *added("customer:buyer", start, "tea"),
        ordered("customer:buyer", start + timedelta(minutes=5), "A-1", "tea"),
        *added("customer:forgetful", start + timedelta(minutes=7), "tea"),
    ]
    recording = tmp_path / "day.jsonl"
    recording.write_text("\n".join(map(json.dumps, events)))
    arguments = ("replay", str(recording), "--format", "cloudevents", "--speed", "7200")
    code, text = await todoke(*arguments, seconds=120)
    assert code == 0, text
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("│ ").split("│")]
        if len(cells) == 5:
            rows[cells[0]] = cells[1:]
    assert rows["cart-abandonment"] == ["2", "2", "2", "0"], text
    assert rows["order-confirmation"] == ["1", "1", "1", "0"], text
    assert "3/3" in text


async def test_a_port_in_use_is_told_before_anything_is_started() -> None:
    """By its number and the variable that names another."""
    port = free_port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with server:
        code, text = await todoke("up", TODOKE_INGEST_PORT=str(port))
    assert code == 1
    assert f"port {port} is in use" in text
    assert "TODOKE_INGEST_PORT" in text


async def test_a_database_that_is_gone_is_told_in_a_sentence() -> None:
    """The export line of a `todoke up` that has ended since."""
    nowhere = "postgresql://postgres@/postgres?host=/nowhere"
    code, text = await todoke("campaigns", "list", TODOKE_POSTGRES_DSN=nowhere)
    assert code == 1
    assert "TODOKE_POSTGRES_DSN" in text
    assert "Traceback" not in text


async def test_a_recording_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path) -> None:
    """The message names file, line and what was expected, and nothing is started."""
    recording = tmp_path / "broken.csv"
    recording.write_text("1,2,3,pv,1511544070\n1,2,3,stolen,1511544070\n")
    code, text = await todoke("replay", str(recording), "--format", "taobao")
    assert code == 1
    assert f"{recording}:2: expected user,item,category,pv|cart|buy|fav,unix seconds" in text


async def test_a_service_without_its_parts_says_what_to_set() -> None:
    """`todoke run` alone cannot share an embedded database; it names the variable and the way out."""
    code, text = await todoke("run", "segmenter")
    assert code == 1
    assert "set TODOKE_POSTGRES_DSN" in text
    assert "todoke up" in text
