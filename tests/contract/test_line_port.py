"""LINE's promises about sending, held by the stand-in in memory and by the HTTP client on the simulator alike."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID, uuid5

import pytest

from tests.support.deliveries import message_named, user_named
from tests.support.line_server import TOKEN, LineServer, line_server, webhooks
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.domain.reply import judge_reply
from todoke_dispatcher.domain.verdict import (
    Accepted,
    Answer,
    ChannelStopped,
    MonthlyLimit,
    Refused,
    TooFast,
    Unclear,
    judge,
)
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.settings import DispatcherSettings

KEY = uuid5(message_named("contract"), "key")
OTHER_KEY = uuid5(message_named("contract"), "other key")
TO = user_named("friend")
SECOND = user_named("second friend")
NOBODY = user_named("nobody")


def body(text: str = "こんにちは") -> bytes:
    """A push of one text."""
    return json.dumps({"to": TO, "messages": [{"type": "text", "text": text}]}).encode()


class LineUnderTest(Protocol):
    """A LINE that fails on request. The account `main` has a good token and a quota of 2; `stranger` has a bad one."""

    port: LinePort

    async def fail_next(self, fault: Fault) -> None:
        """The next push meets this fault."""

    async def accepted(self) -> list[tuple[UUID | None, str]]:
        """Retry key, None for a reply, and request id of what LINE took."""

    async def reply_token(self) -> str:
        """The token of an event that has just happened: the friend writes."""


class InMemory:
    """The stand-in for tests."""

    def __init__(self) -> None:
        self._line = MemoryLine(quota=2, never_existed=frozenset({NOBODY}))
        self.port: LinePort = self._line

    async def fail_next(self, fault: Fault) -> None:
        self._line.faults.append(fault)

    async def accepted(self) -> list[tuple[UUID | None, str]]:
        return [(push.retry_key, push.request_id) for push in self._line.accepted]

    async def reply_token(self) -> str:
        self._line.tokens["main", "token"] = TO
        return "token"


@dataclass
class OverHttp:
    """The aiohttp client, and the simulator as another program would meet it."""

    port: LinePort
    server: LineServer
    told: "asyncio.Queue[tuple[bytes, str]]"

    async def fail_next(self, fault: Fault) -> None:
        await self.server.faults({**SIMULATED[fault], "count": 1})

    async def accepted(self) -> list[tuple[UUID | None, str]]:
        taken = [(each.get("retryKey"), str(each["requestId"])) for each in await self.server.accepted()]
        return [(UUID(str(key)) if key else None, request_id) for key, request_id in taken]

    async def reply_token(self) -> str:
        await self.server.write(TO, "こんにちは")
        async with asyncio.timeout(5):
            body, _ = await self.told.get()
        return str(json.loads(body)["events"][0]["replyToken"])


SIMULATED: dict[Fault, dict[str, object]] = {
    "rate": {"fault": "rate_limit"},
    "concurrency": {"fault": "concurrency_limit"},
    "monthly": {"fault": "monthly_limit"},
    "server_error": {"fault": "server_error"},
    "garbage": {"fault": "garbage"},
    "garbage_200": {"fault": "garbage", "status": 200},
    "reset_after_accept": {"fault": "accept_then_reset"},
    "reset": {"fault": "hang", "seconds": 0},
}


@pytest.fixture(params=["memory", "http"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[LineUnderTest]:
    """Both of them, in turn."""
    kind: Literal["memory", "http"] = request.param
    if kind == "memory":
        yield InMemory()
        return
    async with AsyncExitStack() as stack:
        url, told = await stack.enter_async_context(webhooks())
        server = await stack.enter_async_context(line_server(monthly_quota=2, webhook_url=url))
        await server.befriend(TO, SECOND)
        tokens = {"main": TOKEN, "stranger": "not a token"}
        client = await stack.enter_async_context(open_line(server.url, tokens, connections=2, timeout_seconds=5))
        yield OverHttp(client, server, told)


async def push(line: LineUnderTest, key: UUID = KEY, text: str = "こんにちは", account: str = "main") -> Answer:
    """One push."""
    return await line.port.push(account, key, body(text))


async def multicast(line: LineUnderTest, *to: str, key: UUID = KEY) -> Answer:
    """One multicast."""
    sent = json.dumps({"to": to, "messages": [{"type": "text", "text": "新茶が届きました"}]})
    return await line.port.multicast("main", key, sent.encode())


async def test_a_multicast_is_one_request_with_one_key(line: LineUnderTest) -> None:
    """Taken for everybody; the second time 409 and the first one's id; all of them count."""
    first = judge(await multicast(line, TO, SECOND))
    again = await multicast(line, TO, SECOND)
    assert (again.status, judge(again)) == (409, first)
    [(key, request_id)] = await line.accepted()
    assert (first, key) == (Accepted(request_id), KEY)
    assert judge(await push(line, OTHER_KEY)) == MonthlyLimit(), "two places of two are taken"


@pytest.mark.parametrize("to", [(TO, NOBODY), (), (TO,) * 501])
async def test_one_bad_recipient_refuses_the_whole_multicast(line: LineUnderTest, to: tuple[str, ...]) -> None:
    """Nobody gets it, and the key stays free. None at all are too few, and 501 too many."""
    assert isinstance(judge(await multicast(line, *to)), Refused)
    assert await line.accepted() == []
    assert isinstance(judge(await multicast(line, TO)), Accepted)


async def test_a_multicast_that_does_not_fit_into_the_month_goes_to_nobody(line: LineUnderTest) -> None:
    """One place is left, two are needed: none is taken."""
    assert isinstance(judge(await push(line, OTHER_KEY)), Accepted)
    assert judge(await multicast(line, TO, SECOND)) == MonthlyLimit()
    assert len(await line.accepted()) == 1


@pytest.mark.parametrize(("fault", "taken"), [("reset_after_accept", 1), ("reset", 0), ("server_error", 0)])
async def test_a_multicast_without_an_answer_is_told_by_its_key(line: LineUnderTest, fault: Fault, taken: int) -> None:
    """As with a push: the same key again, and it is one multicast either way."""
    await line.fail_next(fault)
    try:
        assert isinstance(judge(await multicast(line, TO)), Unclear)
    except OSError:
        assert fault != "server_error"
    assert len(await line.accepted()) == taken
    assert isinstance(judge(await multicast(line, TO)), Accepted)
    assert len(await line.accepted()) == 1


def reply_to(token: str, text: str = "営業時間は 10:00〜19:00") -> bytes:
    """A reply of one text."""
    return json.dumps({"replyToken": token, "messages": [{"type": "text", "text": text}]}).encode()


async def test_a_reply_token_is_taken_once_and_costs_nothing(line: LineUnderTest) -> None:
    """The second time it is refused, whatever it says; the month is as it was."""
    token = await line.reply_token()
    first = judge_reply(await line.port.reply("main", reply_to(token)))
    assert await line.accepted() == [(None, getattr(first, "line_request_id", ""))]
    again = judge_reply(await line.port.reply("main", reply_to(token)))
    assert again == Refused("LINE 400: Invalid reply token")
    pushed = [judge(await push(line, uuid5(KEY, str(index)))) for index in range(3)]
    assert [type(verdict) for verdict in pushed] == [Accepted, Accepted, MonthlyLimit]


async def test_a_reply_with_a_token_that_nobody_knows_is_refused(line: LineUnderTest) -> None:
    """As one is that is over: LINE says the same of both, and has taken nothing."""
    assert judge_reply(await line.port.reply("main", reply_to("nobody's"))) == Refused("LINE 400: Invalid reply token")
    assert isinstance(judge_reply(await line.port.reply("main", reply_to(await line.reply_token(), text=""))), Refused)
    assert await line.accepted() == []


async def test_a_reply_by_a_stranger_stops_the_channel(line: LineUnderTest) -> None:
    """Whatever the token."""
    assert isinstance(judge_reply(await line.port.reply("stranger", reply_to("any"))), ChannelStopped)


@pytest.mark.parametrize(
    ("fault", "taken"), [("reset_after_accept", 1), ("reset", 0), ("garbage_200", 0), ("server_error", 0)]
)
async def test_nothing_tells_whether_line_has_a_reply(line: LineUnderTest, fault: Fault, taken: int) -> None:
    """An error or garbage, taken or not: asked again, LINE would take it anew or say the token is not valid."""
    token = await line.reply_token()
    await line.fail_next(fault)
    try:
        assert isinstance(judge_reply(await line.port.reply("main", reply_to(token))), Unclear)
    except OSError:
        assert fault in {"reset_after_accept", "reset"}
    assert len(await line.accepted()) == taken
    assert isinstance(judge_reply(await line.port.reply("main", reply_to(token))), Refused if taken else Accepted)


@pytest.mark.parametrize("fault", ["rate", "concurrency", "monthly"])
async def test_429_takes_no_reply(line: LineUnderTest, fault: Fault) -> None:
    """Whichever limit it names, LINE has taken nothing."""
    token = await line.reply_token()
    await line.fail_next(fault)
    assert judge_reply(await line.port.reply("main", reply_to(token))) == TooFast()
    assert await line.accepted() == []


async def test_200_carries_the_request_id(line: LineUnderTest) -> None:
    """By which LINE's support would find the message."""
    verdict = judge(await push(line))
    [(key, request_id)] = await line.accepted()
    assert (verdict, key) == (Accepted(request_id), KEY)


async def test_the_same_key_is_one_message(line: LineUnderTest) -> None:
    """The second request gets 409 and the first one's id; another key is another message."""
    first = judge(await push(line))
    again = await push(line)
    assert (again.status, judge(again)) == (409, first)
    assert len(await line.accepted()) == 1
    assert judge(await push(line, OTHER_KEY)) != first
    assert len(await line.accepted()) == 2


async def test_400_refuses_the_message_and_forgets_the_key(line: LineUnderTest) -> None:
    """An empty text is never taken; its key is not known afterwards."""
    assert isinstance(judge(await push(line, text="")), Refused)
    assert await line.accepted() == []
    assert isinstance(judge(await push(line)), Accepted)


async def test_a_wrong_token_stops_the_channel(line: LineUnderTest) -> None:
    """Whatever the message."""
    assert isinstance(judge(await push(line, account="stranger")), ChannelStopped)
    assert await line.accepted() == []


async def test_the_months_messages_run_out(line: LineUnderTest) -> None:
    """The third of two is refused with words that name the monthly limit; a known key still gets its 409."""
    keys = [uuid5(KEY, str(index)) for index in range(3)]
    verdicts = [judge(await push(line, key)) for key in keys]
    assert isinstance(verdicts[1], Accepted)
    assert verdicts[2] == MonthlyLimit()
    assert (await push(line, keys[0])).status == 409
    assert len(await line.accepted()) == 2


@pytest.mark.parametrize(
    ("fault", "verdict"), [("rate", TooFast()), ("concurrency", TooFast()), ("monthly", MonthlyLimit())]
)
async def test_429_says_which_limit_it_means(
    line: LineUnderTest, fault: Fault, verdict: TooFast | MonthlyLimit
) -> None:
    """And the message was not taken: the same key is accepted afterwards."""
    await line.fail_next(fault)
    assert judge(await push(line)) == verdict
    assert await line.accepted() == []
    assert isinstance(judge(await push(line)), Accepted)


@pytest.mark.parametrize("fault", ["server_error", "garbage", "garbage_200"])
async def test_an_answer_that_is_not_lines_is_unclear(line: LineUnderTest, fault: Fault) -> None:
    """500, a proxy's page that is not UTF-8, the same with status 200: the client neither fails nor believes it."""
    await line.fail_next(fault)
    assert isinstance(judge(await push(line)), Unclear)
    assert isinstance(judge(await push(line)), Accepted)
    assert len(await line.accepted()) == 1


@pytest.mark.parametrize(("fault", "taken"), [("reset_after_accept", 1), ("reset", 0)])
async def test_a_broken_connection_raises_and_the_retry_tells(line: LineUnderTest, fault: Fault, taken: int) -> None:
    """Nobody can tell from the error whether LINE took it; the same key can, and it is one message either way."""
    await line.fail_next(fault)
    with pytest.raises(Exception) as broken:
        await push(line)
    assert isinstance(broken.value, OSError)
    assert len(await line.accepted()) == taken
    assert isinstance(judge(await push(line)), Accepted)
    assert [key for key, _ in await line.accepted()] == [KEY]


async def test_a_hanging_line_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's own timeout ends the call; a proxy in the environment is not asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with (
        line_server() as server,
        open_line(server.url, {"main": TOKEN}, connections=2, timeout_seconds=0.3) as client,
    ):
        await server.befriend(TO)
        await server.faults({"fault": "hang", "count": 1, "seconds": 30})
        with pytest.raises(TimeoutError):
            await client.push("main", KEY, body())
        assert isinstance(judge(await client.push("main", KEY, body())), Accepted)


@pytest.mark.parametrize("status", [200, 500, 409])
async def test_a_request_id_that_is_no_text_is_none(status: int) -> None:
    """Some proxy's bytes in LINE's header: they could not be stored, and the answer could never be recorded."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        headers = b"".join(b"x-line-%srequest-id: \xff\xfe\r\n" % which for which in (b"", b"accepted-"))
        writer.write(b"HTTP/1.1 %d .\r\n%scontent-length: 2\r\nconnection: close\r\n\r\n{}" % (status, headers))
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    async with proxy, open_line(url, {"main": TOKEN}, connections=1, timeout_seconds=5) as client:
        answered = await client.push("main", KEY, body())
    assert (answered.status, answered.request_id, answered.accepted_request_id) == (status, None, None)
    assert isinstance(judge(answered), Unclear)


def test_a_lease_shorter_than_the_timeout_is_refused() -> None:
    """A message must not be taken up by another dispatcher while LINE may still answer."""
    with pytest.raises(ValueError, match="TODOKE_LEASE_SECONDS"):
        DispatcherSettings.model_validate({"postgres_dsn": "", "kafka_bootstrap_servers": "", "lease_seconds": 10})
