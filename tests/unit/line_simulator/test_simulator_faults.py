"""Faults on request: each does what it says, where it says, as often as it says."""

import asyncio
import time

import pytest

from tests.unit.line_simulator.line_client import KEY, TEXT, LineClient

RATE = "The API rate limit has been exceeded. Try again later."
MONTH = "You have reached your monthly limit."


@pytest.mark.parametrize(
    ("rule", "status", "message"),
    [
        ({"fault": "rate_limit"}, 429, RATE),
        ({"fault": "monthly_limit"}, 429, MONTH),
        ({"fault": "concurrency_limit"}, 429, "The number of concurrent requests has been exceeded. Try again later."),
        ({"fault": "server_error"}, 500, "Internal server error"),
        ({"fault": "server_error", "status": 503}, 503, "Internal server error"),
    ],
)
async def test_a_refusing_fault_accepts_nothing(
    line: LineClient, rule: dict[str, object], status: int, message: str
) -> None:
    """The answer is LINE's, the message is not accepted, and the next request passes."""
    [mai] = await line.befriend("mai")
    await line.faults(rule | {"count": 1})
    answer = await line.push(mai)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert await line.accepted() == []
    assert (await line.push(mai)).status_code == 200


async def test_garbage_is_no_json_and_no_utf_8(line: LineClient) -> None:
    """What a gateway in between may answer, and what breaks clients that decode before they look at the status."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "garbage"})
    answer = await line.push(mai)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode("utf-8")


async def test_a_server_error_may_hide_an_acceptance(line: LineClient) -> None:
    """With `accept` the message went out although LINE answered 500: the retry learns it by 409."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "server_error", "accept": True, "count": 1})
    assert [(await line.push(mai, key=KEY)).status_code for _ in range(2)] == [500, 409]
    assert len(await line.accepted()) == 1


async def test_accept_then_reset_accepts_and_cuts_the_connection(line: LineClient) -> None:
    """The client sees a broken connection, the retry sees 409; the statistics count the request as reset."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "accept_then_reset", "count": 1})
    with pytest.raises(ConnectionResetError):
        await line.push(mai, key=KEY)
    assert (await line.push(mai, key=KEY)).status_code == 409
    assert (await line.stats())["requests"] == {"push": {"reset": 1, "409": 1}}


async def test_a_refused_request_is_answered_even_under_accept_then_reset(line: LineClient) -> None:
    """Nothing was accepted, so nothing is hidden."""
    await line.faults({"fault": "accept_then_reset"})
    assert (await line.push("U" + "0" * 32)).status_code == 400


@pytest.mark.parametrize("accept", [True, False])
async def test_a_hang_gives_no_answer(line: LineClient, accept: bool) -> None:
    """The client waits until the connection is cut; whether the message was accepted is the rule's choice."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "hang", "seconds": 0.02, "accept": accept})
    with pytest.raises(ConnectionResetError):
        await line.push(mai)
    assert len(await line.accepted()) == int(accept)
    assert (await line.stats())["requests"] == {"push": {"hang": 1}}


async def test_a_delay_holds_the_answer_back_and_nothing_else(line: LineClient) -> None:
    """The message is accepted at once; other requests do not wait."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "delay", "seconds": 0.3, "count": 1})
    started = time.monotonic()
    slow = asyncio.create_task(line.push(mai))
    await line.one_accepted()
    assert (await line.push(mai)).status_code == 200
    assert not slow.done()
    assert (await slow).status_code == 200
    assert time.monotonic() - started >= 0.3


async def test_a_rule_keeps_to_its_endpoint_and_account(line: LineClient) -> None:
    """A fault on the multicasts of one account leaves pushes and the other account alone."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "server_error", "endpoint": "multicast", "account": "main"})
    body = {"to": [mai], "messages": TEXT}
    assert (await line.line("message/multicast", body)).status_code == 500
    assert (await line.line("message/multicast", body, account="second")).status_code == 200
    assert (await line.push(mai)).status_code == 200


async def test_a_probability_meets_the_same_requests_again(line: LineClient) -> None:
    """One in ten, and the same ones for the same seed: a failing run can be repeated."""
    [mai] = await line.befriend("mai")
    rule = {"fault": "server_error", "probability": 0.1, "seed": 7}

    async def statuses() -> list[int]:
        await line.http.delete("/sim/faults")
        await line.faults(rule)
        return [(await line.push(mai)).status_code for _ in range(300)]

    first = await statuses()
    assert 15 <= first.count(500) <= 45
    assert await statuses() == first


async def test_rules_are_listed_with_how_often_they_fired_and_removed(line: LineClient) -> None:
    """The first rule that fires wins, the others wait; DELETE ends them all."""
    [mai] = await line.befriend("mai")
    await line.faults({"fault": "server_error", "count": 2}, {"fault": "rate_limit"})
    assert [(await line.push(mai)).status_code for _ in range(3)] == [500, 500, 429]
    listed = (await line.http.get("/sim/faults")).json()["faults"]
    assert [(rule["fault"], rule["fired"]) for rule in listed] == [("server_error", 2), ("rate_limit", 1)]
    assert (await line.http.delete("/sim/faults")).json() == {"faults": []}
    assert (await line.push(mai)).status_code == 200


async def test_one_rule_needs_no_list_around_it(line: LineClient) -> None:
    """As it is typed by hand."""
    [mai] = await line.befriend("mai")
    answer = await line.http.post("/sim/faults", json={"fault": "rate_limit", "count": 1})
    assert [rule["fault"] for rule in answer.json()["faults"]] == ["rate_limit"]
    assert [(await line.push(mai)).status_code for _ in range(2)] == [429, 200]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([{"fault": "meteor"}], "0.fault"),
        ([{"fault": "rate_limit", "seconds": 3}], "seconds means nothing for rate_limit"),
        ([{"fault": "accept_then_reset", "accept": True}], "accept means nothing"),
        ([{"fault": "delay", "probability": 2}], "0.probability"),
        ([{"fault": "delay", "second": 2}], "0.second"),
        ({"fault": "meteor"}, "fault"),
        ("delay", "valid"),
    ],
)
async def test_a_wrong_rule_is_refused_with_field_and_reason(line: LineClient, rules: object, reason: str) -> None:
    """A misspelt rule must not become a test that tests nothing."""
    answer = await line.http.post("/sim/faults", json=rules)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    assert (await line.http.get("/sim/faults")).json() == {"faults": []}
