"""Messages with one content leave together, on a real PostgreSQL: each once, whoever is bad and whoever dies."""

import json
from collections import Counter, deque
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.deliveries import NOON, message_named, request, template, user_named
from tests.support.dispatching import Bench
from tests.support.line_server import TOKEN, line_server
from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.adapters.line import open_line
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.multicast import GroupState
from todoke_dispatcher.domain.verdict import Accepted, Answer, Refused
from todoke_dispatcher.forming import GROUPS_AT_ONCE, MOST_AT_ONCE
from todoke_dispatcher.sending import Result
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.ids import retry_key
from todoke_shared.postgres.pool import open_pool

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
NEWS = "新茶が届きました"


def news(number: int, first: int = 0, *, expires_at: datetime | None = None) -> list[MessageRequest]:
    """So many requests with one content, each for somebody else."""
    return [request(f"m{index}", text=NEWS, expires_at=expires_at) for index in range(first, first + number)]


def users(*numbers: int) -> frozenset[str]:
    """Whom `news` is for."""
    return frozenset(user_named(f"m{number}") for number in numbers)


def received(line: MemoryLine) -> Counter[str]:
    """How many messages LINE has taken for each person."""
    return Counter(to for taken in line.accepted for to in taken.to)


async def groups(bench: Bench) -> Counter[str]:
    """How many multicasts are in each state."""
    return Counter(row["state"] for row in await bench.pool.fetch("SELECT state FROM multicasts"))


async def test_messages_with_one_content_leave_as_one_multicast(bench: Bench) -> None:
    """One request and one place in the month for each; each has an outcome with LINE's request id."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(20))
    assert await dispatcher.send_some() == 20
    [taken] = line.accepted
    assert received(line) == Counter(users(*range(20)))
    assert json.loads(taken.body)["messages"] == [{"type": "text", "text": NEWS}]
    told = await bench.outcomes()
    assert {each.message for each in told} == {message_named(f"m{number}") for number in range(20)}
    assert {(each.state, each.lane, each.line_request_id) for each in told} == {
        ("accepted", "marketing", taken.request_id)
    }
    assert len(told) == await bench.reserved() == 20
    row = await bench.row(message_named("m7"))
    assert (row["state"], row["attempts"], row["line_request_id"]) == ("accepted", 1, taken.request_id)
    assert await dispatcher.send_some() == 0


async def test_who_has_no_company_is_pushed_and_the_transactional_lane_always(bench: Bench) -> None:
    """Other words, and an order's own lane, are requests of their own: they may not wait, and do not."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3), request("other"))
    await bench.take(dispatcher, *news(2, 10), lane="transactional")
    assert await dispatcher.send_some() == 6
    assert sorted(len(taken.to) for taken in line.accepted) == [1, 1, 1, 3]
    pushed = {str(json.loads(taken.body)["to"]) for taken in line.accepted if len(taken.to) == 1}
    assert pushed == users(10, 11) | {user_named("other")}


async def test_a_person_who_is_owed_two_gets_two(bench: Bench) -> None:
    """LINE would deliver once to whoever stands twice in a multicast: the second goes in another request."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    twice = [request(f"again{number}", text=NEWS, to=user_named(f"m{number}")) for number in range(2)]
    await bench.take(dispatcher, *news(4), *twice)
    assert await dispatcher.send_some() == 6
    assert received(line) == Counter(users(*range(4))) + Counter(users(0, 1))
    assert sorted(len(taken.to) for taken in line.accepted) == [2, 4]


async def test_what_a_template_does_not_read_keeps_nobody_apart(bench: Bench) -> None:
    """Variables may differ in what the words do not show; one that differs in what they do is alone."""
    async with await open_pool(bench.dsn, application="test", schema="scheduler") as pool:
        await publish(pool, [load_campaign(CAMPAIGNS / "cart-abandonment.yaml")])
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    kettle = [template({"cart": [{"name": "やかん"}], "event": {"id": str(number)}}) for number in range(3)]
    await bench.take(dispatcher, *(request(f"m{number}", template=each) for number, each in enumerate(kettle)))
    await bench.take(dispatcher, request("other", template=template({"cart": [{"name": "急須"}]})))
    await bench.take(dispatcher, request("bad", template=template({})))
    assert await dispatcher.send_some() == 5
    assert sorted(len(taken.to) for taken in line.accepted) == [1, 3]
    assert (await bench.row(message_named("bad")))["reason"] == "render: messages[0].text: 'cart' is undefined"


async def test_recipients_key_and_body_are_stored_before_line_is_asked(bench: Bench) -> None:
    """What goes over the wire is already committed when it goes, and its members know their group."""
    seen = []

    class WatchedLine(MemoryLine):
        async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
            row = await bench.pool.fetchrow("SELECT * FROM multicasts")
            assert row is not None
            members = [(await bench.row(member)) for member in row["members"]]
            seen.append((row["state"], row["retry_key"], row["body"]) == ("attempting", retry_key, body))
            seen.append({(each["state"], each["multicast_id"]) for each in members} == {("attempting", row["id"])})
            seen.append([each["user_id"] for each in members] == json.loads(body)["to"])
            return await super().multicast(account, retry_key, body)

    dispatcher = bench.dispatcher(WatchedLine())
    await bench.take(dispatcher, *news(3))
    assert await dispatcher.send_some() == 3
    assert seen == [True] * 3


async def test_a_crash_regroups_nothing(bench: Bench) -> None:
    """It died after LINE had the group: another sends the very same request, though more of the same waits by then."""
    line = MemoryLine()
    dead = bench.dispatcher(line)
    await bench.take(dead, *news(3))
    [attempt] = (await dead.claim(10)).attempts
    await dead.send(attempt)
    other = bench.dispatcher(line)
    await bench.take(other, *news(2, 10))
    assert await other.send_some() == 2
    bench.clock.move_to(NOON + timedelta(seconds=15))
    assert await other.send_some() == 3
    assert [len(taken.to) for taken in line.accepted] == [3, 2]
    assert (len(line.requests), len(set(line.requests))) == (3, 2)
    assert await bench.reserved() == 5


async def test_a_group_that_was_formed_and_not_sent_is_sent_by_another(bench: Bench) -> None:
    """No time slot was free, and its dispatcher died: whoever comes next sends it as it was stored."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.use_up("multicast")
    await bench.take(dispatcher, *news(3))
    assert (await dispatcher.claim(10)).attempts == []
    assert await groups(bench) == Counter(waiting=1)
    stored = await bench.pool.fetchval("SELECT body FROM multicasts")
    await bench.take(dispatcher, *news(3, 3))
    bench.clock.move_to(NOON + timedelta(seconds=1))
    assert await bench.dispatcher(line).send_some() == 6
    assert [len(taken.to) for taken in line.accepted] == [3, 3]
    assert line.accepted[0].body == stored


@pytest.mark.parametrize(("number", "bad"), [(2, {0}), (3, {2}), (64, {5}), (500, {0, 250, 499}), (40, set(range(40)))])
async def test_the_poison_is_found_and_the_rest_delivered(bench: Bench, number: int, bad: set[int]) -> None:
    """k bad ids among n: at most 1 + 2k·⌈log2 n⌉ requests; they fail with LINE's words, and cost nothing."""
    line = MemoryLine(never_existed=users(*bad))
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(number))
    while await dispatcher.send_some():
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
    assert received(line) == Counter(users(*(set(range(number)) - bad)))
    assert len(line.requests) <= 1 + 2 * len(bad) * (number - 1).bit_length()
    expected = {"accepted": number - len(bad), "failed": len(bad)}
    assert await bench.states() == {state: each for state, each in expected.items() if each}
    failed = [each for each in await bench.outcomes() if each.state == "failed"]
    assert {(each.message, each.reason) for each in failed} == {
        (message_named(f"m{each}"), "LINE 400: Failed to send messages") for each in bad
    }
    assert await bench.reserved() == number - len(bad)


async def test_a_lost_answer_ends_as_409_and_counts_once(bench: Bench) -> None:
    """LINE accepted, the connection broke: the retry, with the same recipients, learns the first request's id."""
    line = MemoryLine()
    line.faults.extend(["reset_after_accept", "server_error"])
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3))
    assert await dispatcher.send_some() == 0
    for _ in range(2):
        bench.clock.move_to(bench.clock.now() + timedelta(seconds=2))
        await dispatcher.send_some()
    [taken] = line.accepted
    assert (len(line.requests), len(set(line.requests))) == (3, 1)
    assert {each.line_request_id for each in await bench.outcomes()} == {taken.request_id}
    assert await bench.states() == {"accepted": 3}
    assert await bench.reserved() == 3


async def test_a_dispatcher_that_slept_changes_nothing_but_an_acceptance(bench: Bench) -> None:
    """It wakes after its lease with news of an old attempt: the newer claim stands, an acceptance is the truth."""
    sleeping, line = MemoryLine(faults=deque(["rate"])), MemoryLine(faults=deque(["reset"]))
    sleeper, other = bench.dispatcher(sleeping), bench.dispatcher(line)
    await bench.take(sleeper, *news(3))
    [attempt] = (await sleeper.claim(10)).attempts
    slept = await sleeper.send(attempt)
    bench.clock.move_to(NOON + timedelta(seconds=15))
    await other.send_some()
    before = await bench.pool.fetchrow("SELECT * FROM multicasts")
    assert await sleeper.record([slept]) == 0
    assert await bench.pool.fetchrow("SELECT * FROM multicasts") == before
    assert await sleeper.record([Result(attempt, Accepted("id-1"))]) == 3
    assert await sleeper.record([Result(attempt, Refused("LINE 400"))]) == 0
    assert await bench.states() == {"accepted": 3}
    assert {each.line_request_id for each in await bench.outcomes()} == {"id-1"}


async def test_after_23_hours_a_group_is_unknown_and_an_operator_sends_each_again(bench: Bench) -> None:
    """Nothing is sent by itself; decided on by a person, each is a new message with a key and a place of its own."""
    line = MemoryLine()
    line.faults.append("server_error")
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3))
    await dispatcher.send_some()
    bench.clock.move_to(NOON + timedelta(hours=25))
    assert await dispatcher.send_some() == 3
    assert len(line.requests) == 1
    assert await bench.states() == {"unknown": 3}
    assert {each.state for each in await bench.outcomes()} == {"unknown"}
    async with bench.pool.acquire() as connection:
        await deliveries.resend(connection, [message_named("m1")], bench.clock.wall())
    assert await dispatcher.send_some() == 1
    assert received(line) == Counter(users(1))
    assert line.accepted[0].retry_key == retry_key(message_named("m1"), 1)
    assert await bench.reserved() == 4


async def test_no_more_leave_than_the_month_has_room_for(bench: Bench) -> None:
    """Five places, eight messages: five in one request, three held, and LINE is asked for no more."""
    line = MemoryLine(quota=5)
    dispatcher = bench.dispatcher(line, monthly_limit=5, transactional_reserve=0)
    await bench.take(dispatcher, *news(8))
    assert await dispatcher.send_some() == 8
    assert [len(taken.to) for taken in line.accepted] == [5]
    assert len(line.requests) == 1
    assert await bench.states() == {"accepted": 5, "held": 3}
    assert await bench.reserved() == 5


async def test_lines_monthly_limit_dissolves_the_group_and_holds_each(bench: Bench) -> None:
    """LINE has less than we believed: each is held, told so once, and in the new month they leave together."""
    line = MemoryLine()
    line.faults.append("monthly")
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3))
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"held": 3}
    assert await groups(bench) == Counter({GroupState.DISSOLVED: 1})
    assert await bench.reserved() == 0
    bench.clock.move_to(datetime.fromisoformat("2026-12-01T00:00:00+09:00"))
    while await dispatcher.send_some():
        pass
    assert [len(taken.to) for taken in line.accepted] == [3]
    assert len({key for key, _ in line.requests}) == 2
    assert Counter(each.state for each in await bench.outcomes()) == Counter(held=3, accepted=3)


async def test_a_refused_token_holds_the_group_until_an_operator_resumes_the_channel(bench: Bench) -> None:
    """Nothing is lost, and nothing is counted meanwhile."""
    line = MemoryLine(accounts=frozenset())
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3))
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"held": 3}
    assert await bench.reserved() == 0
    line.accounts = frozenset({"main"})
    async with bench.pool.acquire() as connection:
        await channels.resume(connection, "main")
    while await dispatcher.send_some():
        pass
    assert received(line) == Counter(users(0, 1, 2))


async def test_a_member_that_expires_while_line_asks_to_slow_down_is_dropped_alone(bench: Bench) -> None:
    """The group is dissolved, since LINE cannot have it; the others leave together, with another key."""
    line = MemoryLine()
    line.faults.append("rate")
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(3), *news(1, 3, expires_at=NOON + timedelta(milliseconds=500)))
    assert await dispatcher.send_some() == 0
    bench.clock.move_to(NOON + timedelta(seconds=1))
    while await dispatcher.send_some():
        pass
    assert received(line) == Counter(users(0, 1, 2))
    assert await bench.states() == {"accepted": 3, "dropped": 1}
    assert await bench.reserved() == 3


async def test_multicasts_have_a_rate_of_their_own(bench: Bench) -> None:
    """At 20 a second, 5 begin within 250 ms; the other group waits, stored; pushes go on beside them."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, multicast_rate=20)
    for content in range(6):
        await bench.take(dispatcher, *(request(f"{content}-{index}", text=f"news {content}") for index in range(12)))
    await bench.take(dispatcher, request("order"), lane="transactional")
    assert await dispatcher.send_some() == 5 * 12 + 1
    assert await groups(bench) == Counter(accepted=5, waiting=1)
    assert await dispatcher.send_some() == 0
    bench.clock.move_to(NOON + timedelta(milliseconds=250))
    assert await dispatcher.send_some() == 12


async def test_small_groups_beyond_what_multicasts_carry_are_pushed(bench: Bench) -> None:
    """A hundred pairs: the first leave as multicasts, the others by push, ten times as many a second."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    pairs = [request(f"{pair}-{index}", text=f"news {pair}") for pair in range(100) for index in range(2)]
    await bench.take(dispatcher, *pairs)
    sizes = Counter[int]()
    while await dispatcher.send_some():
        sizes = Counter(len(taken.to) for taken in line.accepted)
        bench.clock.move_to(bench.clock.now() + timedelta(milliseconds=250))
    assert sizes == Counter({2: GROUPS_AT_ONCE, 1: 2 * (100 - GROUPS_AT_ONCE)})
    assert set(received(line).values()) == {1}


async def test_a_backlog_leaves_in_full_groups(bench: Bench) -> None:
    """What waits behind the first look is read along, so that a broadcast leaves by 500."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *news(MOST_AT_ONCE))
    assert await dispatcher.send_some() == MOST_AT_ONCE
    assert [len(taken.to) for taken in line.accepted] == [500] * GROUPS_AT_ONCE
    assert set(received(line).values()) == {1}


async def test_the_databases_states_are_the_tables(bench: Bench) -> None:
    """The table's own check names exactly the states that the program knows."""
    check = await bench.pool.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'multicasts_state_check'"
    )
    assert {state for state in GroupState if f"'{state}'" in check} == set(GroupState)
    assert check.count("'::text") == len(GroupState)


async def test_over_http_the_simulator_holds_us_to_lines_rules(bench: Bench) -> None:
    """Lost answers, errors, a person who never existed: each message once, and billed as LINE bills."""
    async with (
        line_server() as server,
        open_line(server.url, {"main": TOKEN}, connections=20, timeout_seconds=5) as client,
    ):
        await server.befriend(*users(*range(100)) - users(13))
        await server.faults(
            {"fault": "accept_then_reset", "count": 1, "endpoint": "multicast"},
            {"fault": "server_error", "count": 2, "endpoint": "multicast"},
        )
        dispatcher = bench.dispatcher(client)
        await bench.take(dispatcher, *news(100))
        for _ in range(12):
            await dispatcher.send_some()
            bench.clock.move_to(bench.clock.now() + timedelta(seconds=2))
        accepted = await server.accepted()
        stats = await server.stats()
    sent = Counter(str(to) for each in accepted for to in each["to"])  # type: ignore[attr-defined]
    assert sent == Counter(users(*range(100)) - users(13))
    assert await bench.states() == {"accepted": 99, "failed": 1}
    assert stats["billed"] == await bench.reserved() == 99
