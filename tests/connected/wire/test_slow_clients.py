"""Clients that are slow, that say too much, that leave: each harms itself alone."""

import asyncio
import contextlib
import socket

import pytest

from tests.support.tcp_clients import EVENT, WITHIN, calling, ids, post
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, event


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
        read = 0
        async with asyncio.timeout(WITHIN):
            with contextlib.suppress(ConnectionError):
                while True:  # until nobody takes a word more
                    await loop.sock_sendall(client, b"G")
                    await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionError):
                while part := await loop.sock_recv(client, 65_536):
                    read += len(part)
    async with calling(port) as line:
        await line.send(b"GET /docs HTTP/1.1\r\nhost: in\r\n\r\n")
        _, page = await line.answer()
    assert read < asked * len(page)
