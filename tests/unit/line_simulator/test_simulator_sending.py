"""Push, multicast, broadcast: who is reached, who is billed, what is refused."""

from tests.unit.line_simulator.line_client import TEXT, LineClient, problem_properties
from todoke_line_simulator.units import MOST_UNITS

NOBODY = "U" + "0" * 32


async def test_a_push_to_a_friend_is_accepted_delivered_and_recorded(line: LineClient) -> None:
    """A friend gets the message, and the record says what, to whom, when and under which request id."""
    [mai] = await line.befriend("mai")
    answer = await line.push(mai)
    assert answer.status_code == 200
    assert len(answer.json()["sentMessages"]) == 1
    assert await line.accepted() == [
        {
            "seq": 1,
            "account": "main",
            "endpoint": "push",
            "to": [mai],
            "delivered": [mai],
            "messages": TEXT,
            "retryKey": None,
            "requestId": answer.headers["x-line-request-id"],
            "acceptedAt": "2026-08-01T03:00:00+00:00",
        }
    ]


async def test_a_blocked_user_costs_nothing_and_gets_nothing_although_line_says_200(line: LineClient) -> None:
    """LINE answers 200 for a user who has blocked the account; blocks are learnt from webhooks only."""
    mai = await line.act("mai", "follow")
    await line.act("mai", "unfollow")
    assert (await line.push(mai)).status_code == 200
    assert [record["delivered"] for record in await line.accepted()] == [[]]
    assert (await line.read("message/quota/consumption")).json() == {"totalUsage": 0}


async def test_a_push_reaches_a_non_friend_for_seven_days_after_their_message(line: LineClient) -> None:
    """LINE lets a push through to somebody who wrote within 7 days, but no multicast."""
    mai = await line.act("mai", "message", text="質問")
    await line.push(mai)
    await line.line("message/multicast", {"to": [mai], "messages": TEXT})
    line.clock.now += 7 * 24 * 3600 + 1
    await line.push(mai)
    assert [record["delivered"] for record in await line.accepted()] == [[mai], [], []]


async def test_a_block_holds_also_within_seven_days_of_a_message(line: LineClient) -> None:
    """Who writes and then blocks the account gets nothing more."""
    mai = await line.act("mai", "message", text="もう送らないで")
    await line.act("mai", "unfollow")
    await line.push(mai)
    assert [record["delivered"] for record in await line.accepted()] == [[]]


async def test_a_user_who_never_existed_refuses_the_push(line: LineClient) -> None:
    """An id that LINE never gave out is a 400, and nothing is accepted."""
    answer = await line.push(NOBODY)
    assert (answer.status_code, answer.json()) == (400, {"message": "Failed to send messages"})
    assert await line.accepted() == []


async def test_users_of_one_company_exist_for_all_its_accounts_but_are_friends_of_one(line: LineClient) -> None:
    """User ids are unique per provider: the second account may write, but does not arrive."""
    [mai] = await line.befriend("mai", account="main")
    answer = await line.line("message/push", {"to": mai, "messages": TEXT}, account="second")
    assert answer.status_code == 200
    assert [record["delivered"] for record in await line.accepted(account="second")] == [[]]


async def test_one_bad_id_refuses_the_whole_multicast(line: LineClient) -> None:
    """A malformed id is named by its place; one that never existed is not named, so a sender has to bisect."""
    mai, ken = await line.befriend("mai", "ken")
    malformed = await line.line("message/multicast", {"to": [mai, "ken"], "messages": TEXT})
    assert malformed.status_code == 400
    assert "'to[1]'" in malformed.json()["message"]
    unknown = await line.line("message/multicast", {"to": [mai, NOBODY, ken], "messages": TEXT})
    assert (unknown.status_code, unknown.json()) == (400, {"message": "Failed to send messages"})
    assert await line.accepted() == []


async def test_a_multicast_bills_each_person_once(line: LineClient) -> None:
    """Recipients are counted, not objects and not repetitions; the blocked are left out."""
    mai, ken, yui = await line.befriend("mai", "ken", "yui")
    await line.act("yui", "unfollow")
    answer = await line.line("message/multicast", {"to": [mai, ken, mai, yui], "messages": TEXT * 5})
    assert (answer.status_code, answer.json()) == (200, {})
    assert [record["delivered"] for record in await line.accepted()] == [[mai, ken]]
    assert (await line.stats())["billed"] == 2


async def test_a_multicast_takes_1_to_500_ids(line: LineClient) -> None:
    """500 ids pass, 0 and 501 are refused."""
    people = await line.befriend(*(f"person {number}" for number in range(501)))
    for to, status in ((people[:500], 200), (people, 400), ([], 400), ("all", 400)):
        answer = await line.line("message/multicast", {"to": to, "messages": TEXT})
        assert answer.status_code == status, len(to)


async def test_a_broadcast_reaches_all_friends_and_bills_them(line: LineClient) -> None:
    """Everybody who is a friend at that moment, nobody else."""
    mai, ken, _yui = await line.befriend("mai", "ken", "yui")
    await line.act("yui", "unfollow")
    assert (await line.line("message/broadcast", {"messages": TEXT})).status_code == 200
    assert [(record["to"], record["delivered"]) for record in await line.accepted()] == [([], [mai, ken])]
    assert (await line.stats())["usage"] == 2


async def test_validate_checks_without_sending(line: LineClient) -> None:
    """Each validate call says what is wrong with the messages, and delivers nothing."""
    await line.befriend("mai")
    for of in ("push", "reply", "multicast", "broadcast"):
        assert (await line.line(f"message/validate/{of}", {"messages": TEXT})).status_code == 200
        bad = await line.line(f"message/validate/{of}", {"messages": [{"type": "text"}]})
        assert problem_properties(bad) == ["messages[0].text"]
    assert await line.accepted() == []


async def test_a_wrong_token_is_401_in_lines_format(line: LineClient) -> None:
    """The token alone chooses the account; without a right one there is a message and a request id, nothing else."""
    answer = await line.line("message/push", {"to": NOBODY, "messages": TEXT}, account="unknown")
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Authentication failed")
    assert answer.headers["x-line-request-id"]


async def test_every_answer_carries_a_request_id_of_its_own(line: LineClient) -> None:
    """LINE keeps no logs for its users: the id is all that support can go by."""
    [mai] = await line.befriend("mai")
    answers = [
        await line.push(mai),
        await line.push("nobody"),
        await line.read("message/quota"),
        await line.read("no/such/path"),
        await line.read("message/push"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 404, 405]
    assert len({answer.headers["x-line-request-id"] for answer in answers}) == 5


async def test_a_body_that_is_no_json_object_is_400(line: LineClient) -> None:
    """Broken JSON, NaN, a broken surrogate, depth, a list: a 400 with a reason, never a 500."""
    [mai] = await line.befriend("mai")
    deep = b'{"to":"%s","messages":[{"type":"text","text":%s%s}]}' % (mai.encode(), b"[" * 400, b"]" * 400)
    for raw in (b"", b"{", b"[]", b'{"to": NaN}', b'{"to":"\\ud800"}', b"\xff", deep, b"[" * 100_000):
        answer = await line.line("message/push", raw=raw)
        assert answer.status_code == 400, raw[:20]
        assert answer.json()["message"]


async def test_a_body_over_2_megabytes_is_413(line: LineClient) -> None:
    """2 MiB pass the door; one byte more does not."""
    [mai] = await line.befriend("mai")
    frame = b'{"to":"%s","messages":[{"type":"text","text":"a"}],"pad":"' % mai.encode()
    for size, status in ((2 * 1024 * 1024, 200), (2 * 1024 * 1024 + 1, 413)):
        raw = frame + b"x" * (size - len(frame) - 2) + b'"}'
        assert len(raw) == size
        assert (await line.line("message/push", raw=raw)).status_code == status


async def test_a_body_that_is_not_called_json_is_415(line: LineClient) -> None:
    """A client that forgets the content type learns it here, not in production."""
    headers = {"authorization": "Bearer simulator-token-main"}
    answer = await line.http.post("/v2/bot/message/push", content=b"{}", headers=headers)
    assert answer.status_code == 415


async def test_wrong_properties_beside_the_messages_are_named(line: LineClient) -> None:
    """line-bot-sdk's request models and LINE's rule on aggregation units hold for the rest of the body."""
    [mai] = await line.befriend("mai")
    for wrong, name in (
        ({"notificationDisabled": "yes"}, "notificationDisabled"),
        ({"customAggregationUnits": "unit"}, "customAggregationUnits"),
        ({"customAggregationUnits": ["a", "b"]}, "customAggregationUnits"),
        ({"customAggregationUnits": ["not-allowed"]}, "customAggregationUnits"),
        ({"customAggregationUnits": ["a" * 31]}, "customAggregationUnits"),
    ):
        answer = await line.line("message/push", {"to": mai, "messages": TEXT, **wrong})
        assert problem_properties(answer) == [name]
    right = {"notificationDisabled": True, "customAggregationUnits": ["cart_1"]}
    assert (await line.line("message/push", {"to": mai, "messages": TEXT, **right})).status_code == 200


async def test_recipients_are_counted_by_unit_for_a_month(line: LineClient) -> None:
    """On pushes and multicasts; the 1,001st name of the month is left out without a word, as by LINE."""
    mai, ken = await line.befriend("mai", "ken")

    async def push(unit: str) -> None:
        body = {"to": mai, "messages": TEXT, "customAggregationUnits": [unit]}
        assert (await line.line("message/push", body)).status_code == 200

    await push("cart_1")
    both = {"to": [mai, ken], "messages": TEXT, "customAggregationUnits": ["cart_1"]}
    assert (await line.line("message/multicast", both)).status_code == 200
    await line.push(mai)
    assert (await line.stats())["units"] == {"cart_1": 3}
    for number in range(MOST_UNITS):
        await push(f"u{number}")
    counted = {"cart_1": 3, **{f"u{number}": 1 for number in range(MOST_UNITS - 1)}}
    assert (await line.stats())["units"] == counted
    line.clock.now += 31 * 24 * 3600
    await push("u999")
    assert (await line.stats())["units"] == {"u999": 1}
