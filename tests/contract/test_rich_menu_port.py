"""LINE's promises about rich menus, held by the stand-in in memory and by the HTTP client on the simulator alike."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

import aiohttp
import pytest

from tests.contract.test_line_port import SIMULATED
from tests.support.deliveries import user_named
from tests.support.line_server import TOKEN, LineServer, line_server
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.domain.menus import judge_menu
from todoke_dispatcher.domain.verdict import Accepted, ChannelStopped, Refused, TooFast, Unclear
from todoke_dispatcher.ports import LinePort

TO = user_named("friend")


class MenusUnderTest(Protocol):
    """A LINE with the rich menu `member`, and one friend. The account `stranger` has a bad token."""

    port: LinePort

    async def fail_next(self, fault: Fault) -> None:
        """The next link or unlink meets this fault."""

    async def is_member(self) -> bool:
        """Whether the friend sees that menu."""


class InMemory:
    """The stand-in for tests."""

    def __init__(self) -> None:
        self._line = MemoryLine(menus={"member": "richmenu-1"})
        self.port: LinePort = self._line

    async def fail_next(self, fault: Fault) -> None:
        self._line.faults.append(fault)

    async def is_member(self) -> bool:
        return self._line.linked == {("main", TO): "richmenu-1"}


@dataclass
class OverHttp:
    """The aiohttp client, and the simulator as another program would meet it."""

    port: LinePort
    server: LineServer

    async def fail_next(self, fault: Fault) -> None:
        rules = [SIMULATED[fault] | {"count": 1, "endpoint": f"richmenu/{act}"} for act in ("link", "unlink")]
        await self.server.faults(*rules)

    async def is_member(self) -> bool:
        menu = (await self.server.person(TO))["richMenu"]
        return isinstance(menu, dict) and menu["aliases"] == ["member"]


@pytest.fixture(params=["memory", "http"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[MenusUnderTest]:
    """Both of them, in turn."""
    if request.param == "memory":
        yield InMemory()
        return
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(line_server())
        await server.befriend(TO)
        await server.add_rich_menu("member")
        tokens = {"main": TOKEN, "stranger": "not a token"}
        client = await stack.enter_async_context(open_line(server.url, tokens, connections=2, timeout_seconds=5))
        yield OverHttp(client, server)


async def test_a_menu_is_linked_by_its_alias_and_unlinked_by_none(line: MenusUnderTest) -> None:
    """Twice is the same as once, so an answer that was lost costs nothing."""
    for alias, sees in (("member", True), ("member", True), (None, False), (None, False)):
        assert isinstance(judge_menu(await line.port.rich_menu("main", TO, alias), alias), Accepted)
        assert await line.is_member() is sees


async def test_an_alias_that_is_not_there_is_refused_in_words(line: MenusUnderTest) -> None:
    """Asking again would change nothing; the sentence says what would."""
    verdict = judge_menu(await line.port.rich_menu("main", TO, "vip"), "vip")
    assert isinstance(verdict, Refused)
    assert "no rich menu of the alias vip" in verdict.reason
    assert not await line.is_member()


async def test_a_wrong_token_stops_the_channel_here_too(line: MenusUnderTest) -> None:
    """Whichever the call."""
    for alias in ("member", None):
        verdict = judge_menu(await line.port.rich_menu("stranger", TO, alias), alias)
        assert isinstance(verdict, ChannelStopped)


@pytest.mark.parametrize("fault", ["server_error", "garbage", "garbage_200", "rate"])
async def test_what_is_no_clear_answer_is_asked_again(line: MenusUnderTest, fault: Fault) -> None:
    """And then the menu is linked."""
    await line.fail_next(fault)
    verdict = judge_menu(await line.port.rich_menu("main", TO, "member"), "member")
    assert isinstance(verdict, TooFast if fault == "rate" else Unclear)
    assert isinstance(judge_menu(await line.port.rich_menu("main", TO, "member"), "member"), Accepted)
    assert await line.is_member()


@pytest.mark.parametrize(("fault", "linked"), [("reset_after_accept", True), ("reset", False)])
async def test_a_broken_connection_raises_for_menus_too(line: MenusUnderTest, fault: Fault, linked: bool) -> None:
    """Whether LINE did it or not."""
    await line.fail_next(fault)
    with pytest.raises((OSError, aiohttp.ClientError)):
        await line.port.rich_menu("main", TO, "member")
    assert await line.is_member() is linked
