"""LINE's word on the month, from the stand-in in memory and over HTTP from the simulator alike."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

import pytest

from tests.support.deliveries import message_named, user_named
from tests.support.line_server import TOKEN, line_server
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.line_month import LineMonth, read_line_month
from todoke_dispatcher.ports import LinePort, MonthPort

TO, SECOND = user_named("friend"), user_named("second friend")


class Line(LinePort, MonthPort, Protocol):
    """Both ports."""


@pytest.fixture(params=["memory", "http"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Line]:
    """A LINE whose month has 7 messages; `stranger` has a bad token."""
    if request.param == "memory":
        yield MemoryLine(quota=7)
        return
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(line_server(monthly_quota=7))
        await server.befriend(TO, SECOND)
        tokens = {"main": TOKEN, "stranger": "not a token"}
        yield await stack.enter_async_context(open_line(server.url, tokens, connections=2, timeout_seconds=5))


async def test_line_says_its_limit_and_what_it_counts(line: Line) -> None:
    """Recipients, not requests."""
    assert read_line_month(*await line.month("main")) == LineMonth(7, 0)
    sent = {"to": [TO, SECOND], "messages": [{"type": "text", "text": "新茶が届きました"}]}
    assert (await line.multicast("main", message_named("key"), json.dumps(sent).encode())).status == 200
    assert read_line_month(*await line.month("main")) == LineMonth(7, 2)


async def test_a_bad_token_is_no_word_of_lines(line: Line) -> None:
    """It says nothing of the month."""
    with pytest.raises(ValueError, match="LINE 401"):
        read_line_month(*await line.month("stranger"))


async def test_a_plan_without_a_limit_says_so() -> None:
    """On either side."""
    async with (
        line_server() as server,
        open_line(server.url, {"main": TOKEN}, connections=1, timeout_seconds=5) as http,
    ):
        assert read_line_month(*await http.month("main")) == LineMonth(None, 0)
    assert read_line_month(*await MemoryLine().month("main")) == LineMonth(None, 0)
