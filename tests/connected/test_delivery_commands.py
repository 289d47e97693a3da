"""`todoke deliveries` and `todoke channels`: what nobody knows is listed, settled by a person, kept and told."""

import asyncio
import json
import re
import shlex
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tests.support.deliveries import NOON, crowd, message_named, request, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.quota import month_of
from todoke_local.cli import app
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.ids import retry_key
from todoke_shared.postgres.fleet_clock import sample_clock

PERSON = uuid4()


@pytest.fixture
async def bench(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A ledger, for which the commands are set up."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    async with open_bench(postgres_dsn) as bench:
        yield bench


async def invoke(*words: str) -> Result:
    """A command and how it ended."""
    return await asyncio.to_thread(CliRunner().invoke, app, [*words])


async def todoke(*words: str) -> str:
    """What a command says, which succeeds."""
    result = await invoke(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return str(result.output)


async def listed(*words: str) -> list[dict[str, object]]:
    """What `todoke deliveries unknown --json` lists."""
    return [json.loads(line) for line in (await todoke("deliveries", "unknown", "--json", *words)).splitlines()]


async def leave_unknown(bench: Bench, line: MemoryLine, *requests: MessageRequest) -> None:
    """LINE gives these no clear answer, and 25 hours pass."""
    dispatcher = bench.dispatcher(line)
    line.faults.extend(["server_error"] * len(requests))
    await bench.take(dispatcher, *requests)
    await dispatcher.send_some()
    line.faults.clear()
    bench.clock.move_to(bench.clock.now() + timedelta(hours=25))
    while await dispatcher.send_some():
        pass


def owed(name: str, *, text: str | None = None) -> MessageRequest:
    """A message that a campaign owes."""
    return request(name, campaign="welcome", step="hello", person=PERSON, text=text)


async def test_fault_13_after_25_hours_nothing_is_sent_and_all_is_listed_as_unknown(bench: Bench) -> None:
    """Pushes and a multicast that had no answer, one whose dispatcher died; LINE is away again: none goes out."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    line.faults.extend(["server_error"] * 3)
    await bench.take(dispatcher, owed("one"), *(owed(f"more{number}", text="新茶") for number in range(3)))
    await bench.take(dispatcher, owed("order"), lane="transactional")
    await dispatcher.send_some()
    await bench.take(dispatcher, owed("fine"))
    await dispatcher.send_some()
    await bench.take(dispatcher, owed("orphan"))
    await dispatcher.claim(10)  # and dies
    asked, reserved = len(line.requests), await bench.reserved()
    line.is_down = True
    bench.clock.move_to(bench.clock.now() + timedelta(hours=25))
    while await bench.dispatcher(line).send_some():
        pass
    assert len(line.requests) == asked
    assert await bench.states() == {"accepted": 1, "unknown": 6}
    assert await bench.reserved() == reserved, "what LINE may have stays counted"
    rows = await listed()
    expected = {message_named(name) for name in ("one", "order", "orphan", "more0", "more1", "more2")}
    assert {str(row["message_id"]) for row in rows} == set(map(str, expected))
    assert {(row["campaign"], row["step"], row["person_id"]) for row in rows} == {("welcome", "hello", str(PERSON))}
    told = Counter(each.message for each in await bench.outcomes() if each.state == "unknown")
    assert told == Counter(expected)


async def test_what_is_unknown_while_line_is_away_is_listed_though_nothing_is_asked(bench: Bench) -> None:
    """The breaker is open, so no message is claimed; that it is hopeless is told all the same."""
    line = MemoryLine(is_down=True)
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *(owed(f"m{number}") for number in range(20)))
    await dispatcher.send_some()
    asked = len(line.requests)
    bench.clock.move_to(NOON + timedelta(hours=25))
    await dispatcher.look_at_line()
    assert (await bench.states())["unknown"] == asked == len(line.requests)


async def test_of_a_crowd_that_is_unknown_while_line_is_away_each_member_is_listed(bench: Bench) -> None:
    """It was one row until then; an operator may know of one of its people what nobody knows of the others."""
    line = MemoryLine(is_down=True)
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, crowd("a", "b", "c"))
    await dispatcher.send_some()
    await bench.take(dispatcher, *(owed(f"m{number}") for number in range(20)))
    await dispatcher.send_some()
    bench.clock.move_to(NOON + timedelta(hours=25))
    await dispatcher.look_at_line()
    rows = await listed()
    assert len({row["multicast_id"] or row["message_id"] for row in rows}) == len(line.requests) < 20
    together = {row["message_id"]: row["together"] for row in rows if row["multicast_id"] is not None}
    assert together == {str(message_named(name)): 3 for name in "abc"}


async def test_the_list_says_what_each_is_and_how_to_settle_it(bench: Bench) -> None:
    """And each command that it shows is one."""
    line = MemoryLine()
    await leave_unknown(bench, line, owed("one"), owed("two"), owed("three"))
    text = await todoke("deliveries", "unknown")
    assert f"{message_named('one')}  campaign welcome, step hello, person {PERSON}, account main" in text
    assert "first attempted 2026-11-21 12:00 +09:00, 1 attempts; LINE may have it" in text
    assert "Last: LINE 500" in text
    shown = re.findall(r"todoke (deliveries settle \S+ \w+ --by NAME --reason TEXT)", text)
    assert len(shown) == 9
    for words in shown[0], shown[4], shown[8]:
        await todoke(*shlex.split(words))
    assert await todoke("deliveries", "unknown") == "Nothing is unknown.\n"
    assert await todoke("deliveries", "unknown", "--account", "other") == "Nothing is unknown.\n"


@pytest.mark.parametrize(("decision", "state"), [("accepted", "accepted"), ("drop", "dropped")])
async def test_a_decision_without_a_request_is_kept_and_told(bench: Bench, decision: str, state: str) -> None:
    """LINE is not asked, the month's count stays, and who decided stands in the ledger's record and in the outcome."""
    line = MemoryLine()
    await leave_unknown(bench, line, owed("one"))
    asked, reserved = len(line.requests), await bench.reserved()
    await settle("one", decision)
    row = await bench.row(message_named("one"))
    assert (row["state"], row["ambiguous"], row["next_attempt_at"]) == (state, False, None)
    told = (await bench.outcomes())[-1]
    assert (told.state, told.reason, told.campaign) == (state, "sato: asked the person", "welcome")
    [kept] = await bench.pool.fetch("SELECT * FROM settlements")
    assert (kept["message_id"], kept["decision"], kept["decided_by"]) == (message_named("one"), decision, "sato")
    assert abs(kept["decided_at"] - (await sample_clock(bench.pool)).wall) < timedelta(minutes=5)
    assert not await bench.dispatcher(line).send_some()
    assert (len(line.requests), await bench.reserved()) == (asked, reserved)


async def settle(name: str, decision: str) -> str:
    """Sato decides about the message of this name."""
    ordered = "--by", "sato", "--reason", "asked the person"
    return await todoke("deliveries", "settle", str(message_named(name)), decision, *ordered)


async def test_a_message_sent_again_is_a_new_one_with_a_key_of_its_own(bench: Bench) -> None:
    """Paid for once more, and the command says so. When that is unknown too, it is decided on anew."""
    line = MemoryLine()
    await leave_unknown(bench, line, owed("one"))
    assert "new and paid for once more; whoever has the first gets two" in await settle("one", "resend")
    line.faults.append("server_error")
    bench.clock.move_to((await sample_clock(bench.pool)).wall + timedelta(seconds=1))
    dispatcher = bench.dispatcher(line)
    await dispatcher.send_some()
    bench.clock.move_to(bench.clock.now() + timedelta(hours=25))
    await dispatcher.send_some()
    assert await bench.states() == {"unknown": 1}
    assert line.requests[-1][0] == retry_key(message_named("one"), 1)
    await settle("one", "accepted")
    assert await bench.pool.fetchval("SELECT array_agg(decision ORDER BY epoch) FROM settlements") == [
        "resend",
        "accepted",
    ]
    assert await bench.reserved() == 2


async def test_members_of_a_multicast_are_settled_together_or_each_for_itself(bench: Bench) -> None:
    """LINE has all of them or none: one command for the multicast, and another for a person who has said more."""
    line = MemoryLine()
    line.faults.append("server_error")
    await leave_unknown(bench, line, *(owed(f"m{number}", text="新茶") for number in range(3)))
    rows = await listed()
    [group] = {str(row["multicast_id"]) for row in rows}
    assert {row["together"] for row in rows} == {3}
    assert f"one of 3 of multicast {group}: LINE has all of them, or none" in await todoke("deliveries", "unknown")
    await settle("m1", "accepted")
    said = await todoke("deliveries", "settle", group, "drop", "--by", "sato", "--reason", "too late")
    assert said == "2 messages let go; nothing is sent\n"
    assert await bench.states() == {"accepted": 1, "dropped": 2}
    assert len(await bench.pool.fetch("SELECT FROM settlements")) == 3


async def test_what_left_in_a_reply_is_settled_together(bench: Bench) -> None:
    """There is no key to ask again by: after the lost answer both are listed with it, and one command settles both."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    hana = user_named("hana")
    await bench.take(dispatcher, *(request(name, to=hana, campaign="welcome", step="hello") for name in ("m0", "m1")))
    line.faults.append("reset_after_accept")
    await dispatcher.send_some()
    rows = await listed()
    [reply] = {str(row["reply_id"]) for row in rows}
    assert {(row["together"], row["multicast_id"]) for row in rows} == {(2, None)}
    assert f"one of 2 of reply {reply}: LINE has all of them, or none" in await todoke("deliveries", "unknown")
    said = await todoke("deliveries", "settle", reply, "accepted", "--by", "sato", "--reason", "she has both")
    assert said == "2 messages counted as accepted\n"
    assert await bench.states() == {"accepted": 2}
    assert {each.via for each in await bench.outcomes() if each.state == "accepted"} == {None}


async def test_only_what_is_unknown_is_settled(bench: Bench) -> None:
    """Anything else is told as what it is, and stays so; so does a decision that nobody answers for."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, owed("fine"))
    await dispatcher.send_some()
    for name, told in (("fine", "is accepted, not unknown"), ("nobody", "is no message, multicast or reply")):
        result = await invoke(
            "deliveries", "settle", str(message_named(name)), "resend", "--by", "sato", "--reason", "why not"
        )
        assert told in str(result.exception)
    await leave_unknown(bench, line, owed("one"))
    result = await invoke("deliveries", "settle", str(message_named("one")), "drop", "--by", " ", "--reason", "x")
    assert "give --by" in str(result.exception)
    assert await bench.states() == {"accepted": 1, "unknown": 1}
    assert len(line.accepted) == 1


async def test_a_stopped_channel_is_listed_and_resumed(bench: Bench) -> None:
    """LINE's words stand in the list; after `resume` its held messages go out."""
    line = MemoryLine(accounts=frozenset())
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, owed("one"), owed("two"))
    while await dispatcher.send_some():
        pass
    lines = [row.split("\t") for row in (await todoke("channels", "list")).splitlines()]
    assert lines[1] == ["main", "LINE 401: Authentication failed", "", "", "2", "0"]
    line.accounts = frozenset({"main"})
    said = await todoke("channels", "resume", "main")
    assert said == "main was stopped (LINE 401: Authentication failed); its 2 held messages go on\n"
    while await dispatcher.send_some():
        pass
    assert await bench.states() == {"accepted": 2}
    assert "knows main" in str((await invoke("channels", "resume", "mian")).exception)


async def test_a_parked_month_is_listed_and_unparked(bench: Bench) -> None:
    """What LINE said stands in the list; `resume` points to the command that clears it."""
    wall = (await sample_clock(bench.pool)).wall
    async with bench.pool.acquire() as connection:
        await channels.add(connection, ["main"])
        await channels.park(connection, "main", month_of(wall), "marketing")
    assert (await todoke("channels", "list")).splitlines()[1].split("\t")[3] == "marketing"
    assert "`todoke quota unpark main`" in await todoke("channels", "resume", "main")
    assert (await todoke("quota", "unpark", "main")).startswith("main goes on")
    assert (await todoke("channels", "list")).splitlines()[1].split("\t")[3] == ""
