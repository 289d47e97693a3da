"""One request to many, on a real PostgreSQL: each gets the message once, and only who differs costs a row."""

import json
from collections import Counter
from datetime import timedelta
from uuid import uuid4

from tests.support.deliveries import NOON, crowd, message_named, record, request, template, user_named
from tests.support.dispatching import Bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.verdict import HAD_IT
from todoke_shared.contracts.topics import REQUESTS_TRANSACTIONAL

NAMES = [f"m{number}" for number in range(8)]
USERS = [user_named(name) for name in NAMES]


def received(line: MemoryLine) -> Counter[str]:
    """How many messages LINE has taken for each person."""
    return Counter(to for taken in line.accepted for to in taken.to)


async def rows(bench: Bench) -> int:
    """How many deliveries have a row."""
    return int(await bench.pool.fetchval("SELECT count(*) FROM deliveries"))


async def test_a_crowd_leaves_as_one_multicast_and_no_member_has_a_row(bench: Bench) -> None:
    """One request, a place in the month for each, and an outcome for each with LINE's request id."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd(*NAMES, campaign="news", step="hello"))
    assert await bench.states() == {"waiting": 8}
    assert await dispatcher.send_some() == 8
    [taken] = line.accepted
    assert list(taken.to) == USERS
    told = await bench.outcomes()
    assert {each.message for each in told} == {message_named(name) for name in NAMES}
    assert {(each.state, each.campaign, each.step, each.line_request_id) for each in told} == {
        ("accepted", "news", "hello", taken.request_id)
    }
    assert len(told) == await bench.reserved() == 8
    assert (await rows(bench), await bench.states()) == (0, {"accepted": 8})
    assert await dispatcher.send_some() == 0


async def test_a_crowd_told_again_is_the_same_crowd(bench: Bench) -> None:
    """While it waits, after it has left, and after it was opened."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    gone, late = crowd(*NAMES), crowd("late", "later", expires_at=NOON - timedelta(hours=1))
    for _ in range(3):
        await bench.take(dispatcher, gone, late, gone)
        await dispatcher.send_some()
    assert received(line) == Counter(USERS)
    assert await bench.states() == {"accepted": 8, "dropped": 2}
    assert len(await bench.outcomes()) == 10


async def test_two_crowds_that_hold_one_message_stop_nobody(bench: Bench) -> None:
    """No producer may ask for a message twice; one that does harms nobody else of the account."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    twice = crowd("a", "b"), crowd("a", "c", id=uuid4(), campaign="news")
    await bench.take(dispatcher, *twice, request("other"))
    while await dispatcher.send_some():
        pass
    assert {user_named(name) for name in ("a", "b", "c", "other")} == set(received(line))
    assert set(await bench.states()) == {"accepted"}


async def test_who_has_blocked_the_account_is_left_out_and_told_of(bench: Bench) -> None:
    """The others leave together; a crowd of whom only one is left leaves as a push."""
    await bench.pool.execute(
        "INSERT INTO segmenter.friend_status SELECT 'main', u, 'main', gen_random_uuid(), false, now()"
        " FROM unnest($1::text[]) AS u",
        [USERS[2], USERS[5], user_named("b")],
    )
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd(*NAMES), crowd("a", "b", text="別のお知らせ"))
    await dispatcher.send_some()
    assert sorted(len(taken.to) for taken in line.accepted) == [1, 6]
    assert received(line) == Counter({*USERS} - {USERS[2], USERS[5]} | {user_named("a")})
    assert await bench.states() == {"accepted": 7, "dropped": 3}
    assert {each.message: each.reason for each in await bench.outcomes() if each.state == "dropped"} == {
        message_named(name): "blocked" for name in ("m2", "m5", "b")
    }


async def test_line_refuses_one_and_the_others_get_it(bench: Bench) -> None:
    """The crowd is opened and bisected as any multicast is."""
    line = MemoryLine(never_existed=frozenset({USERS[3]}))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd(*NAMES))
    for _ in range(6):
        await dispatcher.send_some()
    assert received(line) == Counter({*USERS} - {USERS[3]})
    assert await bench.states() == {"accepted": 7, "failed": 1}
    assert (await bench.row(message_named("m3")))["state"] == "failed"
    assert Counter(each.state for each in await bench.outcomes()) == {"accepted": 7, "failed": 1}


async def test_a_month_with_room_for_some_sends_exactly_those(bench: Bench) -> None:
    """The first crowd fits whole, of the second as many as there is room for; the rest is held and told of."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, monthly_limit=11, transactional_reserve=0)
    await bench.take(dispatcher, crowd(*NAMES))
    assert await dispatcher.send_some() == 8
    await bench.take(dispatcher, crowd(*(f"n{number}" for number in range(6)), text="もう一通"))
    await dispatcher.send_some()
    assert received(line).total() == await bench.reserved() == 11
    assert await bench.states() == {"accepted": 11, "held": 3}
    assert Counter(each.state for each in await bench.outcomes()) == {"accepted": 11, "held": 3}


async def test_a_stopped_channel_holds_each_of_a_crowd_and_lets_each_go(bench: Bench) -> None:
    """LINE refuses the token: nothing is lost, and nothing goes twice once it takes messages again."""
    line = MemoryLine(accounts=frozenset())
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd(*NAMES))
    await dispatcher.send_some()
    await dispatcher.send_some()
    assert (await bench.states(), received(line).total()) == ({"held": 8}, 0)
    line.accounts = frozenset({"main"})
    async with bench.pool.acquire() as connection:
        await channels.resume(connection, "main")
    await dispatcher.send_some()
    assert received(line) == Counter(USERS)
    assert await bench.states() == {"accepted": 8}


async def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_body_and_key(bench: Bench) -> None:
    """LINE has it, and says so by 409; when the key's life is over, each member is unknown, in a row of its own."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd(*NAMES))
    line.faults.append("reset_after_accept")
    assert await dispatcher.send_some() == 0
    bench.clock.move_to(NOON + timedelta(minutes=1))
    assert await dispatcher.send_some() == 8
    assert len({(key, body) for key, body in line.requests}) == 1
    assert received(line) == Counter(USERS)
    assert [each.reason for each in await bench.outcomes()] == [HAD_IT] * 8

    await bench.take(dispatcher, crowd("x", "y", text="もう一通"))
    line.faults.append("reset_after_accept")
    await dispatcher.send_some()
    bench.clock.move_to(NOON + timedelta(hours=24))
    await dispatcher.send_some()
    assert await bench.states() == {"accepted": 8, "unknown": 2}
    assert await rows(bench) == 2


async def test_a_person_who_stands_in_a_crowd_twice_gets_two(bench: Bench) -> None:
    """LINE would deliver a multicast once to them: the crowd is opened."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd("a", "b", "c", to=[USERS[0], USERS[1], USERS[0]]))
    await dispatcher.send_some()
    assert received(line) == Counter([USERS[0], USERS[1], USERS[0]])


async def test_what_cannot_be_rendered_fails_for_each(bench: Bench) -> None:
    """A campaign that was never published: no message, and everybody's outcome says why."""
    dispatcher = bench.dispatcher(MemoryLine())
    await bench.take(dispatcher, crowd("a", "b", template=template({}, version=7).model_dump()))
    await dispatcher.send_some()
    assert await bench.states() == {"failed": 2}
    assert {each.reason for each in await bench.outcomes()} == {
        "render: version 7 of campaign cart-abandonment was never published"
    }


async def test_a_crowd_that_is_none_is_a_dead_letter_and_the_rest_flows_on(bench: Bench) -> None:
    """By its field and reason, untouched."""
    good = json.loads(crowd("a", "b").to_json())
    one = good["recipients"][0]
    bad = {
        "recipients": good | {"recipients": [one, one]},
        "recipients[0].to": good | {"recipients": [one | {"to": "Uxyz"}]},
        "rich_menu": good | {"rich_menu": "member"},
        "due_at": {key: value for key, value in good.items() if key != "due_at"},
        "account": good | {"account": "elsewhere"},
        "(the whole record)": good | {"messages": None},
    }
    values = [json.dumps(each).encode() for each in (*bad.values(), good)]
    others = [request(f"other-{number}").to_json() for number in range(8)]
    dispatcher = bench.dispatcher(MemoryLine())
    records = [record(value, offset) for offset, value in enumerate([*values, *others])]
    await dispatcher.take_requests("marketing")(records)
    letters = await bench.pool.fetch("SELECT value, headers FROM outbox ORDER BY id")
    assert [row["value"] for row in letters] == values[:-1]
    assert [row["headers"]["todoke-field"] for row in letters] == list(bad)
    assert await bench.states() == {"waiting": 10}


async def test_the_transactional_lane_takes_no_crowds(bench: Bench) -> None:
    """What somebody waits for is asked for by itself."""
    dispatcher = bench.dispatcher(MemoryLine())
    await bench.take(dispatcher, crowd("a", "b"), request("one"), request("two"), lane="transactional")
    [letter] = await bench.pool.fetch("SELECT topic, headers FROM outbox")
    assert (letter["topic"], letter["headers"]["todoke-field"]) == (f"{REQUESTS_TRANSACTIONAL.name}.dlq", "recipients")
    assert await bench.states() == {"waiting": 2}
