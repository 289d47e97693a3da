"""Where one request ends and the next begins: what is in a body is never a request, whatever lengths say."""

import asyncio

import pytest

from tests.support.tcp_clients import EVENT, SMUGGLED, calling, ids, post
from tests.unit.ingest.stand_ins import CheckedTopics, as_bytes, delivery, event, line_event, sign


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
