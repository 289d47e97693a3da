"""Rate limits and the monthly quota."""

from tests.unit.line_simulator.line_client import TEXT, LineClient, simulator_settings

TOO_FAST = {"message": "The API rate limit has been exceeded. Try again later."}
USED_UP = {"message": "You have reached your monthly limit."}


def with_quota(quota: int) -> LineClient:
    return LineClient(simulator_settings(accounts=[{"name": "main", "monthly_quota": quota}]))


async def test_the_default_limits_are_lines() -> None:
    """Push 2,000 a second, multicast 200 a second, broadcast 60 an hour, everything else 2,000 a second."""
    settings = simulator_settings()
    limits = {name: settings.rate_limit(name) for name in ("push", "multicast", "broadcast", "profile")}
    assert {name: (limit.requests, limit.per_seconds) for name, limit in limits.items()} == {
        "push": (2000, 1),
        "multicast": (200, 1),
        "broadcast": (60, 3600),
        "profile": (2000, 1),
    }


async def test_requests_over_the_limit_are_429_until_time_passes(line: LineClient) -> None:
    """200 multicasts pass at once, the 201st does not; half a second later there is room for 100."""
    [mai] = await line.befriend("mai")
    body = {"to": [mai], "messages": TEXT}

    async def passing(requests: int) -> int:
        answers = [await line.line("message/multicast", body) for _ in range(requests)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all(answer.json() == TOO_FAST for answer in refused)
        return requests - len(refused)

    assert await passing(201) == 200
    line.clock.now += 0.5
    assert await passing(150) == 100
    assert (await line.stats())["maxRequestsInOneSecond"] == {"multicast": 351}


async def test_limits_are_per_endpoint_and_account(line: LineClient) -> None:
    """A channel that may not multicast for the moment may push, and the other channel may multicast."""
    [mai] = await line.befriend("mai")
    body = {"to": [mai], "messages": TEXT}
    while (await line.line("message/multicast", body)).status_code == 200:
        pass
    assert (await line.push(mai)).status_code == 200
    assert (await line.line("message/multicast", body, account="second")).status_code == 200


async def test_an_override_replaces_one_limit() -> None:
    """Small limits make small tests."""
    line = LineClient(simulator_settings(rate_limits={"push": {"requests": 1, "per_seconds": 60}}))
    async with line.http:
        [mai] = await line.befriend("mai")
        assert [(await line.push(mai)).status_code for _ in range(2)] == [200, 429]


async def test_the_quota_counts_delivered_recipients_and_then_refuses() -> None:
    """Two of two recipients pass, the third is refused with LINE's words; a reply is free."""
    line = with_quota(2)
    async with line.http:
        [mai] = await line.befriend("mai")
        await line.act("mai", "message")
        await line.webhooks_settled()
        assert [(await line.push(mai, TEXT * 5)).status_code for _ in range(2)] == [200, 200]
        refused = await line.push(mai)
        assert (refused.status_code, refused.json()) == (429, USED_UP)
        token = line.receiver.events[0]["replyToken"]
        assert (await line.line("message/reply", {"replyToken": token, "messages": TEXT})).status_code == 200
        assert (await line.read("message/quota")).json() == {"type": "limited", "value": 2}
        assert (await line.read("message/quota/consumption")).json() == {"totalUsage": 2}


async def test_a_multicast_that_does_not_fit_is_refused_whole() -> None:
    """Two recipients do not fit into one: nobody gets it, nothing is billed, and one recipient still fits."""
    line = with_quota(1)
    async with line.http:
        mai, ken = await line.befriend("mai", "ken")
        refused = await line.line("message/multicast", {"to": [mai, ken], "messages": TEXT})
        assert (refused.status_code, refused.json()) == (429, USED_UP)
        assert (await line.push(ken)).status_code == 200


async def test_the_month_turns_at_midnight_in_tokyo() -> None:
    """At 2026-09-01 00:00 in Tokyo, 15:00 UTC the day before, the quota is whole again, and not a second earlier."""
    line = with_quota(1)
    async with line.http:
        [mai] = await line.befriend("mai")
        line.clock.now = 1_788_188_399.0
        assert [(await line.push(mai)).status_code for _ in range(2)] == [200, 429]
        line.clock.now = 1_788_188_400.0
        assert (await line.push(mai)).status_code == 200


async def test_no_quota_is_told_as_none(line: LineClient) -> None:
    """The default account never runs out."""
    assert (await line.read("message/quota")).json() == {"type": "none"}
