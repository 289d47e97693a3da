"""How an importer knocks at ingest's door: what it sends, what it waits for, and when it gives up."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest

from todoke_local.importing import door as door_module
from todoke_local.importing.door import EventsDoor

Answer = tuple[int, dict[str, str], Any] | Exception
TAKEN: Answer = (202, {}, {"accepted": ["1"], "refused": []})


class Response:
    """As much of aiohttp's as the door looks at."""

    def __init__(self, status: int, headers: dict[str, str], body: Any) -> None:
        self.status = status
        self.headers = headers
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def read(self) -> bytes:
        """The body."""
        return self._body


class Session:
    """Answers in turn, the last one for ever, and keeps what was asked."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []

    @asynccontextmanager
    async def post(self, url: str, **request: Any) -> AsyncIterator[Response]:
        """The next answer."""
        self.requests.append({"url": url, **request})
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        yield Response(*answer)


def knock(*answers: Answer, key: str | None = None) -> tuple[EventsDoor, Session, list[str]]:
    """A door with these answers behind it, and what it tells."""
    session, told = Session(answers), list[str]()
    return EventsDoor(cast(aiohttp.ClientSession, session), "http://ingest", told.append, key), session, told


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited for, in seconds, without waiting."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return slept


async def test_a_batch_is_posted_with_its_key() -> None:
    """To ingest's own path, as CloudEvents; a redirect, which could take the key elsewhere, is not followed."""
    door, session, _ = knock(TAKEN, key="secret")
    assert await door.post(b"[{}]", 1) == {}
    [request] = session.requests
    assert (request["url"], request["data"]) == ("http://ingest/v1/events", b"[{}]")
    assert request["headers"] == {
        "content-type": "application/cloudevents-batch+json",
        "authorization": "Bearer secret",
    }
    assert request["allow_redirects"] is False
    assert "secret" not in repr(door)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_door_that_asks_to_wait_is_waited_for(status: int, waits: list[float]) -> None:
    """As long as it says, as often as it says, and the same batch goes on."""
    door, session, told = knock((status, {"retry-after": "7"}, {}), (status, {}, b"busy"), TAKEN)
    assert await door.post(b"[{}]", 1) == {}
    assert waits == [7.0, 5.0]
    assert {request["data"] for request in session.requests} == {b"[{}]"}
    assert told == ["ingest asks to wait 7 s …", "ingest asks to wait 5 s …"]


async def test_what_ingest_refuses_is_told_by_index() -> None:
    """Of a batch in part (207), or of all of it (400)."""
    refused = [{"index": 1, "field": "data.amount", "reason": "must be a number"}]
    door, _, _ = knock((207, {}, {"accepted": ["1"], "refused": refused}))
    assert await door.post(b"[{},{}]", 2) == {1: "data.amount: must be a number"}
    door, _, _ = knock(
        (400, {}, {"title": "Bad Request", "errors": [{"index": 0, "field": "time", "reason": "is bad"}]})
    )
    assert await door.post(b"[{}]", 1) == {0: "time: is bad"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, {"detail": "the key is unknown"}), "the key is unknown.*TODOKE_INGEST_KEY"),
        ((403, {}, b""), "TODOKE_INGEST_KEY"),
        ((404, {}, {"detail": "There is no such door"}), "404: There is no such door"),
        ((302, {}, b""), "no answer of ingest"),
        ((200, {}, b"<html>"), "no answer of ingest"),
        (
            (400, {}, {"detail": "is not JSON", "errors": [{"field": "(the whole body)", "reason": "x"}]}),
            "is not JSON",
        ),
    ],
)
async def test_a_door_that_will_not_open_is_told_at_once(answer: Answer, words: str, waits: list[float]) -> None:
    """Nothing is tried again that cannot help; the message says what ingest said, or what to set."""
    door, session, _ = knock(answer)
    with pytest.raises(ValueError, match=words):
        await door.post(b"[{},{}]", 2)
    assert (len(session.requests), waits) == (1, [])


async def test_nobody_there_at_the_first_knock_is_a_wrong_address() -> None:
    """There is no use in waiting for it."""
    door, session, _ = knock(aiohttp.ClientConnectionError())
    with pytest.raises(ValueError, match=r"nobody answers at http://ingest.*TODOKE_INGEST_URL"):
        await door.post(b"[{}]", 1)
    assert len(session.requests) == 1


@pytest.mark.parametrize("gone", [aiohttp.ServerDisconnectedError(), TimeoutError(), (500, {}, b"")])
async def test_a_door_that_was_there_is_waited_for(gone: Answer, waits: list[float]) -> None:
    """Through a deployment; the batch in flight is posted again."""
    door, _, told = knock(TAKEN, gone, gone, TAKEN)
    assert await door.post(b"[1]", 1) == {}
    assert await door.post(b"[2]", 1) == {}
    assert waits == [1.0, 1.0]
    assert len(told) == 2


async def test_a_door_that_is_gone_for_good_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do: nothing is lost, the same command goes on."""
    monkeypatch.setattr(door_module, "PATIENCE_SECONDS", -1.0)
    door, _, _ = knock(TAKEN, aiohttp.ServerDisconnectedError())
    await door.post(b"[1]", 1)
    with pytest.raises(ValueError, match="goes on where it stopped"):
        await door.post(b"[2]", 1)
