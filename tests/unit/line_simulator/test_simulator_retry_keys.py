"""Retry keys: one acceptance per key and day."""

import asyncio

import pytest

from tests.unit.line_simulator.line_client import KEY, OTHER_KEY, TEXT, LineClient, simulator_settings

DAY = 24 * 3600


async def test_a_repeated_key_is_409_and_names_the_first_request(line: LineClient) -> None:
    """The second request is told that the first was accepted, its request id and its message ids; nothing is sent."""
    [mai] = await line.befriend("mai")
    first = await line.push(mai, key=KEY)
    second = await line.push(mai, key=KEY.upper())
    assert second.status_code == 409
    assert second.json() == {
        "message": "The retry key is already accepted",
        "sentMessages": first.json()["sentMessages"],
    }
    assert second.headers["x-line-accepted-request-id"] == first.headers["x-line-request-id"]
    assert [record["retryKey"] for record in await line.accepted()] == [KEY]
    assert (await line.stats())["conflicts"] == 1


async def test_a_key_lives_24_hours(line: LineClient) -> None:
    """One second before the end it still holds; at the end the same key sends, and is paid for, again."""
    [mai] = await line.befriend("mai")
    await line.push(mai, key=KEY)
    line.clock.now += DAY - 1
    assert (await line.push(mai, key=KEY)).status_code == 409
    line.clock.now += 1
    assert (await line.push(mai, key=KEY)).status_code == 200
    assert (await line.stats())["billed"] == 2


async def test_a_refused_request_leaves_its_key_free(line: LineClient) -> None:
    """Only accepted requests are remembered: after a 400, a 429 and a 500 the key still sends."""
    [mai] = await line.befriend("mai")
    assert (await line.push(mai, [{"type": "zap"}], key=KEY)).status_code == 400
    await line.faults({"fault": "rate_limit", "count": 1}, {"fault": "server_error", "count": 1})
    assert (await line.push(mai, key=KEY)).status_code == 429
    assert (await line.push(mai, key=KEY)).status_code == 500
    assert (await line.push(mai, key=KEY)).status_code == 200


async def test_two_accounts_may_use_one_key(line: LineClient) -> None:
    """Keys belong to the account."""
    [mai] = await line.befriend("mai")
    body = {"to": mai, "messages": TEXT}
    answers = [await line.line("message/push", body, key=KEY, account=name) for name in ("main", "second")]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("key", ["", "1", KEY.replace("-", ""), "{" + KEY + "}", KEY + "0", "g" + KEY[1:]])
async def test_a_key_that_is_no_uuid_is_400(line: LineClient, key: str) -> None:
    """An empty key too: a client that drops it silently would lose its protection."""
    [mai] = await line.befriend("mai")
    assert (await line.push(mai, key=key)).status_code == 400
    assert await line.accepted() == []


async def test_a_key_is_refused_where_line_takes_none(line: LineClient) -> None:
    """Only push, multicast and broadcast take a key; a reply with one is refused and its token stays good."""
    await line.act("mai", "message")
    await line.webhooks_settled()
    token = line.receiver.events[0]["replyToken"]
    body = {"replyToken": token, "messages": TEXT}
    assert (await line.line("message/reply", body, key=KEY)).status_code == 400
    assert (await line.line("message/validate/push", body, key=KEY)).status_code == 400
    assert (await line.line("message/quota", method="GET", raw=b"", key=KEY)).status_code == 400
    assert (await line.line("message/reply", body)).status_code == 200


@pytest.mark.parametrize("path", ["message/multicast", "message/broadcast"])
async def test_multicast_and_broadcast_keep_keys_too(line: LineClient, path: str) -> None:
    """A repeated key is 409 there as well, without message ids, as LINE gives none."""
    [mai] = await line.befriend("mai")
    body = {"to": [mai], "messages": TEXT} if path.endswith("multicast") else {"messages": TEXT}
    assert [(await line.line(path, body, key=key)).status_code for key in (KEY, KEY, OTHER_KEY)] == [200, 409, 200]
    assert (await line.line(path, body, key=KEY)).json() == {"message": "The retry key is already accepted"}


async def test_the_same_key_is_409_while_the_first_request_waits_for_its_answer(line: LineClient) -> None:
    """A client that gives up on a slow answer and repeats cannot send twice."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "delay", "seconds": 0.05, "count": 1})
    slow = asyncio.create_task(line.push(mai, key=KEY))
    await line.one_accepted()
    assert not slow.done()
    assert (await line.push(mai, key=KEY)).status_code == 409
    assert (await slow).status_code == 200


async def test_a_key_accepted_before_the_quota_ran_out_is_still_409() -> None:
    """An accepted request stays accepted: its retry is not refused for the quota."""
    line = LineClient(simulator_settings(accounts=[{"name": "main", "monthly_quota": 1}]))
    async with line.http:
        [mai] = await line.befriend("mai")
        statuses = [(await line.push(mai, key=key)).status_code for key in (KEY, OTHER_KEY, KEY)]
        assert statuses == [200, 429, 409]
