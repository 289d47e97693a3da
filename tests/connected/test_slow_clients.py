"""Clients that are slow, that leave, that send on after their answer: each harms itself alone."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn

from tests.unit.ingest.asgi_client import SETTINGS
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, delivery, event, line_event, new_door, opener, sign
from todoke_ingest import http
from todoke_ingest.app import build_app
from todoke_ingest.domain.cloudevents import SINGLE
from todoke_local.ports import free_port
from todoke_shared import connections
from todoke_shared.service import server_config

SLOW = 0.3
"""Seconds, in these tests, that a body or a head may take; a look at the bodies comes every second."""
WITHIN = 8.0


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits for long."""
    monkeypatch.setattr(http, "BODY_SECONDS", SLOW)
    monkeypatch.setattr(connections, "HEAD_SECONDS", SLOW)
    yield


@pytest.fixture
async def port(topics: CheckedTopics) -> AsyncIterator[int]:
    """Ingest behind the server that it really runs behind."""
    app = build_app(SETTINGS, opener(new_door(topics)))
    number = free_port()
    server = uvicorn.Server(server_config(app, SETTINGS, number))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield number
    server.should_exit = True
    async with asyncio.timeout(WITHIN):
        await task


@dataclass(frozen=True)
class Line:
    """A TCP connection to ingest."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send, unless the other side has hung up."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """The next answer's status and body."""
        async with asyncio.timeout(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            return int(head.split()[1]), await self.reader.readexactly(int(length.split(b":")[1]))

    async def ends(self) -> bool:
        """Whether ingest hangs up, and says nothing more before."""
        async with asyncio.timeout(WITHIN):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[Line]:
    """Somebody who speaks TCP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


def post(body: bytes, path: str = "/v1/events", *headers: str, length: int | None = None) -> bytes:
    """A POST, its Content-Length true unless another is given."""
    size = len(body) if length is None else length
    lines = (f"POST {path} HTTP/1.1", "host: in", f"content-type: {SINGLE}", f"content-length: {size}", *headers)
    return "\r\n".join((*lines, "", "")).encode() + body


EVENT = as_bytes(event())
SMUGGLED = post(as_bytes(event(id="smuggled")))


def ids(topics: CheckedTopics) -> list[object]:
    """Of the events written."""
    return [value["id"] for value in topics.values()]


async def test_a_body_that_trickles_is_ended(impatient: None, port: int, topics: CheckedTopics) -> None:
    """408 and the connection's end, however steadily a byte comes now and then."""
    async with calling(port) as line:
        await line.send(post(b"", length=1000))

        async def trickle() -> None:
            while True:
                await line.send(b" ")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        status, _ = await line.answer()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        assert (status, await line.ends(), topics.records) == (408, True, [])


async def test_a_slow_body_within_its_time_is_taken(port: int, topics: CheckedTopics) -> None:
    """In many small packets, and without its length: 202."""
    async with calling(port) as line:
        await line.send(post(b"", "/v1/events", "transfer-encoding: chunked").replace(b"content-length: 0\r\n", b""))
        for place in range(0, len(EVENT), 20):
            part = EVENT[place : place + 20]
            await line.send(b"%x\r\n%b\r\n" % (len(part), part))
            await asyncio.sleep(0.001)
        await line.send(b"0\r\n\r\n")
        assert (await line.answer())[0] == 202
    assert ids(topics) == ["1"]


async def test_two_hundred_slow_clients_keep_nobody_waiting(port: int, topics: CheckedTopics) -> None:
    """With 200 bodies and 200 heads half sent, another's events are answered as fast as ever."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            body, head = [await stack.enter_async_context(calling(port)) for _ in range(2)]
            await body.send(post(EVENT[:-1], length=len(EVENT)))
            await head.send(b"POST /v1/events HTTP/1.1\r\nhost: i")
        async with calling(port) as other, asyncio.timeout(WITHIN):
            began = asyncio.get_running_loop().time()
            for _ in range(50):
                await other.send(post(EVENT))
                assert (await other.answer())[0] == 202
            assert asyncio.get_running_loop().time() - began < 2.0
    assert len(topics.records) == 50


@pytest.mark.parametrize("said", [b"", b"P", b"POST /v1/events HTTP/1.1\r\nhost: in\r\nx-"])
async def test_who_says_nothing_or_half_is_hung_up_on(impatient: None, port: int, said: bytes) -> None:
    """At once or after a first good request: a connection is not kept for who only holds it."""
    async with calling(port) as fresh:
        await fresh.send(said)
        assert await fresh.ends()
    async with calling(port) as known:
        await known.send(post(EVENT))
        assert (await known.answer())[0] == 202
        if said:  # else uvicorn's own five seconds count
            await known.send(said)
            assert await known.ends()


async def test_a_head_that_trickles_is_hung_up_on(impatient: None, port: int) -> None:
    """A header now and then does not begin its time anew."""
    async with calling(port) as line:
        await line.send(b"GET / HTTP/1.1\r\nhost: in\r\n")

        async def trickle() -> None:
            while True:
                await line.send(b"x: 1\r\n")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        assert await line.ends()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


@pytest.mark.parametrize("part", [b"x: " + b"a" * 8_000 + b"\r\n", b"a" * 8_000], ids=["headers", "one header"])
async def test_a_flood_of_headers_is_stopped(port: int, part: bytes) -> None:
    """400 and the end, before it fills the memory: one line without end as well as lines without number."""
    sent = 0
    async with calling(port) as line:
        await line.send(b"GET / HTTP/1.1\r\nhost: in\r\nx: ")
        with contextlib.suppress(ConnectionError):
            while sent < 50_000_000 and not line.reader.at_eof():
                await line.send(part)
                await asyncio.sleep(0)
                sent += len(part)
    assert sent < 5_000_000


async def test_a_long_url_is_stopped_too(port: int) -> None:
    """Of the request line as of the headers."""
    sent = 0
    async with calling(port) as line:
        await line.send(b"GET /")
        with contextlib.suppress(ConnectionError):
            while sent < 5_000_000:
                await line.send(b"a" * 8_000)
                await asyncio.sleep(0.001)
                sent += 8_000
    assert sent < 1_000_000


async def test_headers_of_a_usual_size_are_read(port: int, topics: CheckedTopics) -> None:
    """30 KiB in several packets, as a browser with many cookies sends them, after a large body on the same line."""
    cookie = f"cookie: {'c' * 30_000}"
    large = post(as_bytes(event(id="large", type="custom.x", data={"x": "y" * 200_000})))
    request = large + post(EVENT, "/v1/events", cookie)
    async with calling(port) as line:
        for place in range(0, len(request), 10_000):
            await line.send(request[place : place + 10_000])
            await asyncio.sleep(0.002)
        assert [(await line.answer())[0], (await line.answer())[0]] == [202, 202]
    assert ids(topics) == ["large", "1"]


async def test_who_leaves_in_the_middle_leaves_nothing_behind(port: int, topics: CheckedTopics) -> None:
    """Half a body is no event, and the next client is answered."""
    for cut in (1, len(EVENT) // 2, len(EVENT) - 1):
        async with calling(port) as line:
            await line.send(post(EVENT[:cut], length=len(EVENT)))
            await asyncio.sleep(0.01)
    async with calling(port) as line:
        await line.send(post(EVENT))
        assert (await line.answer())[0] == 202
    assert ids(topics) == ["1"]


async def test_who_leaves_before_the_answer_has_still_been_heard(port: int, topics: CheckedTopics) -> None:
    """A whole request counts, whether anybody reads that it does or not."""
    async with calling(port) as line:
        await line.send(post(EVENT))
    async with asyncio.timeout(WITHIN):
        while not topics.records:
            await asyncio.sleep(0.01)
    assert ids(topics) == ["1"]


async def test_pipelined_requests_are_answered_in_order(port: int, topics: CheckedTopics) -> None:
    """Twenty in one packet: each its own answer, in turn."""
    wanted = [str(number) for number in range(20)]
    async with calling(port) as line:
        await line.send(b"".join(post(as_bytes(event(id=one))) for one in wanted))
        told = [await line.answer() for _ in wanted]
    assert [(status, body) for status, body in told] == [
        (202, b'{"accepted":["%b"],"refused":[]}' % one.encode()) for one in wanted
    ]
    assert ids(topics) == wanted


REFUSED = {
    "no signature": ("/webhooks/line/main", 401),
    "no account": ("/webhooks/line/nobody", 404),
    "no door": ("/nowhere", 404),
    "no method": ("/tag.js", 405),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_refused_body_is_never_the_next_request(port: int, topics: CheckedTopics, why: str) -> None:
    """It holds a whole request, and stays what it is: a body. The line is good for the next request or is closed."""
    path, status = REFUSED[why]
    async with calling(port) as line:
        await line.send(post(SMUGGLED, path))
        assert (await line.answer())[0] == status
        await line.send(post(EVENT))
        assert await line.answer() == (202, b'{"accepted":["1"],"refused":[]}')
    assert ids(topics) == ["1"]


@pytest.mark.parametrize("why", REFUSED)
async def test_not_even_when_it_comes_after_its_answer(port: int, topics: CheckedTopics, why: str) -> None:
    """The head alone first, then the body as a packet of its own."""
    path, status = REFUSED[why]
    async with calling(port) as line:
        await line.send(post(b"", path, length=len(SMUGGLED)))
        await asyncio.sleep(0.05)
        await line.send(SMUGGLED)
        assert (await line.answer())[0] == status
        await line.send(post(EVENT))
        assert (await line.answer())[0] == 202
    assert ids(topics) == ["1"]


async def test_a_body_after_its_413_is_not_read(port: int, topics: CheckedTopics) -> None:
    """Whoever sends on gets no further answer, and nothing of it is a request."""
    async with calling(port) as line:
        await line.send(post(b"", length=3_000_000))
        assert (await line.answer())[0] == 413
        try:
            for _ in range(40):
                await line.send(SMUGGLED)
                await asyncio.sleep(0.001)
        except ConnectionError:
            pass
        assert await line.ends()
    assert topics.records == []


async def test_a_body_thrown_away_has_an_end_too(impatient: None, port: int) -> None:
    """Refused unread, it may come, but not for ever."""
    async with calling(port) as line:
        await line.send(post(b"", "/nowhere", length=10_000_000))
        assert (await line.answer())[0] == 404

        async def trickle() -> None:
            while True:
                await line.send(b" ")
                await asyncio.sleep(0.05)

        trickling = asyncio.create_task(trickle())
        assert await line.ends()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_who_does_not_read_his_answers_is_hung_up_on(impatient: None, port: int) -> None:
    """A client that asks and asks and never reads holds neither a connection nor what was to be sent to it."""
    asked = 400
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, b"GET /docs HTTP/1.1\r\nhost: in\r\n\r\n" * asked)
        await asyncio.sleep(4 * SLOW)
        read = 0
        async with asyncio.timeout(WITHIN):
            with contextlib.suppress(ConnectionError):
                while part := await loop.sock_recv(client, 65_536):
                    read += len(part)
    async with calling(port) as line:
        await line.send(b"GET /docs HTTP/1.1\r\nhost: in\r\n\r\n")
        _, page = await line.answer()
    assert read < asked * len(page)


LIES = {
    "two lengths": post(EVENT, "/v1/events", "content-length: 5"),
    "the same length twice": post(EVENT, "/v1/events", f"content-length: {len(EVENT)}"),
    "a negative length": post(EVENT, length=-1),
    "chunked with a length": post(b"0\r\n\r\n" + SMUGGLED, "/v1/events", "transfer-encoding: chunked"),
    "chunked twice": post(EVENT, "/v1/events", "transfer-encoding: chunked", "transfer-encoding: identity"),
    "an unknown encoding": post(EVENT, "/v1/events", "transfer-encoding: xchunked"),
    "no number": post(EVENT).replace(b"content-length: ", b"content-length: 0x"),
    "a plus": post(EVENT).replace(b"content-length: ", b"content-length: +"),
    "a folded header": post(EVENT, "/v1/events", "x: 1\r\n y: 2"),
    "a space before the colon": post(EVENT, "/v1/events", "x : 1"),
    "a zero byte": post(EVENT, "/v1/events", "x: \0"),
    "a lower-case method": post(EVENT).replace(b"POST", b"post", 1),
    "a path that is no ASCII": post(EVENT).replace(b"/v1/events", b"/v1/events\xff"),
}


async def test_a_request_that_contradicts_itself_is_refused(port: int, topics: CheckedTopics) -> None:
    """400, the end of the line, and nothing written."""
    told: dict[str, tuple[int, bool]] = {}
    for name, lie in LIES.items():
        async with calling(port) as line:
            await line.send(lie)
            told[name] = (await line.answer())[0], await line.ends()
    assert told == dict.fromkeys(LIES, (400, True))
    assert topics.records == []


async def test_a_shorter_length_makes_two_requests(port: int, topics: CheckedTopics) -> None:
    """What is behind the body's end is the next request, as the sender said it would be."""
    async with calling(port) as line:
        await line.send(post(EVENT + SMUGGLED, length=len(EVENT)))
        assert [(await line.answer())[0], (await line.answer())[0]] == [202, 202]
    assert ids(topics) == ["1", "smuggled"]


async def test_a_longer_length_is_waited_for_and_then_refused(
    impatient: None, port: int, topics: CheckedTopics
) -> None:
    """408: an event whose body is not whole is none, though what came would be one."""
    async with calling(port) as line:
        await line.send(post(EVENT, length=len(EVENT) + 1))
        assert (await line.answer())[0] == 408
    assert topics.records == []


async def test_signed_deliveries_survive_a_crowd_of_forgers(port: int, topics: CheckedTopics) -> None:
    """On one line, forged and true deliveries in turn: each gets its own answer."""
    body = delivery(line_event())
    true = post(body, "/webhooks/line/main", f"x-line-signature: {sign(body)}")
    false = post(body, "/webhooks/line/main", f"x-line-signature: {sign(body, 'guessed')}")
    async with calling(port) as line:
        await line.send((false + true) * 20)
        assert [(await line.answer())[0] for _ in range(40)] == [401, 200] * 20
    assert len(topics.records) == 20


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
async def test_nobody_changes_the_protocol(port: int, upgrade: str) -> None:
    """Ingest speaks HTTP/1.1 and answers in it; no second protocol waits behind it."""
    async with calling(port) as line:
        await line.send(
            f"GET /healthz HTTP/1.1\r\nhost: in\r\nconnection: upgrade\r\nupgrade: {upgrade}\r\n\r\n".encode()
        )
        assert await line.answer() == (200, b"ok")
