"""What becomes of a reply: refused, too fast, without an answer, never sent; nobody gets anything twice by it."""

from datetime import timedelta

import pytest

from tests.support.deliveries import message_named, request, user_named
from tests.support.dispatching import Bench
from tests.support.replies import how, pass_time
from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.domain.reply import TOLD_WITHIN
from todoke_dispatcher.domain.verdict import NotSent
from todoke_dispatcher.replying import REST
from todoke_dispatcher.sending import Result
from todoke_shared.ids import retry_key

HANA = user_named("hana")
SECOND = timedelta(seconds=1)


async def reply_states(bench: Bench) -> list[str]:
    """Where each reply stands."""
    return [row["state"] for row in await bench.pool.fetch("SELECT state FROM replies ORDER BY begun_at, id")]


async def test_a_token_that_line_does_not_take_ends_in_one_push(bench: Bench) -> None:
    """Refused is not taken: the message is pushed at once with its own key, and rides in no other reply."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.give_token(dispatcher, line, "hana")
    line.tokens.clear()
    await bench.take(dispatcher, request("hana"))
    assert await dispatcher.send_some() == 1
    assert how(line) == ["paid"]
    assert line.accepted[0].retry_key == retry_key(message_named("hana"), 0)
    assert await reply_states(bench) == ["refused"]
    assert await bench.reserved() == 1
    assert [each.via for each in await bench.outcomes()] == ["push"]


async def test_a_lost_answer_is_unknown_and_never_pushed(bench: Bench) -> None:
    """LINE has it, the connection broke: nobody can ask, so nobody sends; an operator may, as a new message."""
    line = MemoryLine()
    line.faults.append("reset_after_accept")
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    assert await dispatcher.send_some() == 1
    assert await bench.states() == {"unknown": 1}
    [told] = await bench.outcomes()
    assert (told.state, told.via) == ("unknown", "reply")
    assert told.reason == (
        "LINE may have it (no answer: ConnectionResetError), and a reply is never repeated: an operator decides"
    )
    await bench.give_token(dispatcher, line, "hana")
    for time in (SECOND, timedelta(minutes=2), timedelta(hours=25)):
        await pass_time(bench, time)
        await dispatcher.send_some()
    assert (len(line.requests), len(line.accepted)) == (1, 1)
    async with bench.pool.acquire() as connection:
        await deliveries.resend(connection, [message_named("hana")], bench.clock.wall())
    assert await dispatcher.send_some() == 1
    assert line.accepted[1].retry_key == retry_key(message_named("hana"), 1)


@pytest.mark.parametrize("asked", [True, False])
async def test_a_crash_between_storing_and_telling_is_unknown(bench: Bench, asked: bool) -> None:
    """Whether LINE was asked nobody knows: a minute later its messages are listed, and nothing is ever sent."""
    line = MemoryLine()
    dead, other = bench.dispatcher(line), bench.dispatcher(line)
    await bench.give_token(dead, line, "hana")
    await bench.take(dead, request("hana"), request("also", to=HANA))
    [attempt] = (await dead.claim(10)).attempts
    if asked:
        await dead.send(attempt)
    await pass_time(bench, TOLD_WITHIN - SECOND)
    assert await other.send_some() == 0
    await pass_time(bench, SECOND)
    assert await other.send_some() == 2
    assert await bench.states() == {"unknown": 2}
    await pass_time(bench, timedelta(hours=25))
    assert await other.send_some() == 0
    assert len(line.accepted) == int(asked)


async def test_the_first_to_tell_of_a_reply_is_right(bench: Bench) -> None:
    """In its minute a slow dispatcher's word counts, however late; after it, unknown stands and is told once."""
    line = MemoryLine()
    slow, other = bench.dispatcher(line), bench.dispatcher(line)
    results = []
    for name in ("hana", "ken"):
        await bench.give_token(slow, line, name)
        await bench.take(slow, request(name))
        [attempt] = (await slow.claim(10)).attempts
        results.append(await slow.send(attempt))
    await pass_time(bench, TOLD_WITHIN - SECOND)
    await other.send_some()
    assert await slow.record(results[:1]) == 1
    await pass_time(bench, SECOND)
    assert await other.send_some() == 1
    assert await slow.record(results[1:]) == 0
    assert await bench.states() == {"accepted": 1, "unknown": 1}
    assert [each.state for each in await bench.outcomes()] == ["accepted", "unknown"]


async def test_a_token_that_line_refuses_the_account_for_stops_the_channel(bench: Bench) -> None:
    """401: LINE has not taken it, so the message is held like any other of the channel."""
    line = MemoryLine(accounts=frozenset())
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    await dispatcher.send_some()
    assert await bench.states() == {"held": 1}
    assert (await bench.row(message_named("hana")))["reason"] == "channel stopped: LINE 401: Authentication failed"
    line.accounts = frozenset({"main"})
    async with bench.pool.acquire() as connection:
        await channels.resume(connection, "main")
    assert await dispatcher.send_some() == 1
    assert how(line) == ["paid"], "its token is spent: nobody can prove that LINE did not look at it"


async def test_a_reply_that_comes_too_fast_is_pushed_once_the_channel_goes_on(bench: Bench) -> None:
    """429 has taken nothing; the pause is the channel's."""
    line = MemoryLine()
    line.faults.append("rate")
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    assert await dispatcher.send_some() == 0
    await pass_time(bench, SECOND)
    assert await dispatcher.send_some() == 1
    assert how(line) == ["paid"]


async def test_of_a_reply_that_never_went_out_the_token_is_spent_by_the_next(bench: Bench) -> None:
    """Its time slot had passed: LINE has not heard of it, so its message rides once more."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    [attempt] = (await dispatcher.claim(10)).attempts
    await dispatcher.record([Result(attempt, NotSent())])
    assert await dispatcher.send_some() == 1
    assert how(line) == ["reply"]
    assert sorted(await reply_states(bench)) == ["accepted", "dissolved"]
    assert (await bench.row(message_named("hana")))["attempts"] == 1


async def test_while_line_gives_no_clear_answers_messages_are_pushed(bench: Bench) -> None:
    """A push can be asked about again, a reply cannot: they rest, and come back by themselves."""
    line = MemoryLine()
    line.faults.append("server_error")
    dispatcher = bench.dispatcher(line)
    names = ("first", "second", "third")
    for name, rest in zip(names, (timedelta(), SECOND, REST), strict=True):
        await pass_time(bench, rest)
        await bench.give_token(dispatcher, line, name)
        await bench.take(dispatcher, request(name))
        await dispatcher.send_some()
    assert how(line) == ["paid", "reply"]
    assert [each.state for each in await bench.outcomes()] == ["unknown", "accepted", "accepted"]


async def test_a_reply_without_a_time_slot_waits_for_one(bench: Bench) -> None:
    """Rather than costing money: the rate of replies is used up for a quarter of a second."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await dispatcher.claim(1)
    async with bench.pool.acquire() as connection:
        await channels.take_slots(connection, channels.Endpoint("main", "reply", 2000), bench.clock.wall(), 10_000)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"), lane="transactional")
    assert await dispatcher.send_some() == 0
    await pass_time(bench, SECOND)
    assert await dispatcher.send_some() == 1
    assert how(line) == ["reply"]
