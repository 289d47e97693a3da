"""Free replies on a real PostgreSQL: whom a token reaches, what rides along, and that no token is spent twice."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

from tests.support.deliveries import NOON, message_named, request, user_named
from tests.support.dispatching import Bench
from tests.support.replies import how, pass_time, said
from todoke_dispatcher.adapters import replies
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.verdict import Answer
from todoke_dispatcher.replying import ReplyAttempt
from todoke_shared.postgres.pool import open_pool

HANA = user_named("hana")
SECOND = timedelta(seconds=1)


async def test_what_is_owed_to_somebody_who_has_just_written_leaves_as_a_free_reply(bench: Bench) -> None:
    """Nothing of the month is used, the outcome says how it left, and the token is kept nowhere."""
    line = MemoryLine(quota=0)
    dispatcher = bench.dispatcher(line, monthly_limit=0)
    token = await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana", text="営業時間は"), lane="transactional")
    assert await dispatcher.send_some() == 1
    assert (said(line), how(line)) == ([["営業時間は"]], ["reply"])
    assert json.loads(line.accepted[0].body)["replyToken"] == token
    [told] = await bench.outcomes()
    assert (told.state, told.via, told.lane, told.line_request_id) == (
        "accepted",
        "reply",
        "transactional",
        line.accepted[0].request_id,
    )
    assert await bench.reserved() == 0
    row = await bench.row(message_named("hana"))
    assert (row["state"], row["attempts"], row["quota_month"]) == ("accepted", 1, None)
    assert await bench.pool.fetchval("SELECT via FROM published_deliveries") == "reply"
    for table in ("reply_tokens", "replies", "deliveries", "outbox"):
        rows = await bench.pool.fetch(f"SELECT t::text FROM {table} t")  # noqa: S608 - our own list
        assert not any(token in row["t"] or token.encode().hex() in row["t"] for row in rows), table


async def test_a_reply_is_stored_before_line_is_asked_and_its_token_is_gone(bench: Bench) -> None:
    """What goes over the wire is committed: messages, content, whose token; nobody else can spend it by then."""
    seen = []

    class WatchedLine(MemoryLine):
        async def reply(self, account: str, body: bytes) -> Answer:
            row = await bench.pool.fetchrow("SELECT * FROM replies JOIN reply_tokens USING (event_key)")
            assert row is not None
            rider = await bench.row(message_named("hana"))
            seen.append((row["state"], row["members"], row["token"]) == ("attempting", [message_named("hana")], None))
            seen.append(json.loads(row["body"])["messages"] == json.loads(body)["messages"])
            seen.append(
                (rider["state"], rider["reply_id"], rider["next_attempt_at"]) == ("attempting", row["id"], None)
            )
            return await super().reply(account, body)

    line = WatchedLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    assert await dispatcher.send_some() == 1
    assert seen == [True] * 3


async def test_what_waits_and_what_is_held_rides_along(bench: Bench) -> None:
    """The answer first, then marketing by its age, held ones though the month is used up, five objects in all."""
    line = MemoryLine(quota=0)
    dispatcher = bench.dispatcher(line, monthly_limit=0)
    held = [request(f"held{number}", text=f"held {number}", to=HANA) for number in range(3)]
    for each in held:
        await bench.take(dispatcher, each)
        await pass_time(bench, SECOND)
    await bench.take(dispatcher, request("ken", to=user_named("ken")))
    await dispatcher.send_some()
    assert await bench.states() == {"held": 4}
    await bench.give_token(dispatcher, line, "hana")
    await pass_time(bench, SECOND)
    three = [{"type": "text", "text": f"answer {number}"} for number in range(3)]
    await bench.take(dispatcher, request("answer", to=HANA, messages=three), lane="transactional")
    assert await dispatcher.send_some() == 3
    assert said(line) == [["answer 0", "answer 1", "answer 2", "held 0", "held 1"]]
    assert await bench.states() == {"accepted": 3, "held": 2}
    assert await bench.reserved() == 0


async def test_held_marketing_takes_a_token_to_which_no_answer_comes(bench: Bench) -> None:
    """Not at once, since the answer may come; after 20 seconds it goes, and only for those who have a token."""
    line = MemoryLine(quota=0)
    dispatcher = bench.dispatcher(line, monthly_limit=0)
    await bench.take(dispatcher, request("hana", text="新茶"), request("ken"))
    await dispatcher.send_some()
    await bench.give_token(dispatcher, line, "hana")
    for _ in range(19):
        await pass_time(bench, SECOND)
        await dispatcher.send_some()
    assert said(line) == []
    await pass_time(bench, SECOND)
    await dispatcher.send_some()
    assert said(line) == [["新茶"]]
    assert await bench.states() == {"accepted": 1, "held": 1}


async def test_older_marketing_leaves_a_fresh_token_to_the_answer(bench: Bench) -> None:
    """It goes on as it would have, and waits for nobody; the answer a moment later finds the token."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, request("news", text="news", to=HANA))
    await pass_time(bench, SECOND)
    await bench.give_token(dispatcher, line, "hana")
    await dispatcher.send_some()
    await bench.take(dispatcher, request("hana", text="answer"))
    await dispatcher.send_some()
    assert (said(line), how(line)) == ([["news"], ["answer"]], ["paid", "reply"])


async def test_a_crowd_leaves_as_a_multicast_and_who_has_written_gets_a_reply(bench: Bench) -> None:
    """A broadcast that comes after the token."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "m3")
    await bench.take(dispatcher, *(request(f"m{number}", text="新茶") for number in range(20)))
    assert await dispatcher.send_some() == 20
    assert sorted(len(taken.to) for taken in line.accepted) == [1, 19]
    assert Counter(to for taken in line.accepted for to in taken.to) == Counter(
        user_named(f"m{number}") for number in range(20)
    )
    assert await bench.reserved() == line.paid == 19
    assert Counter(each.via for each in await bench.outcomes()) == Counter(reply=1, multicast=19)


async def test_a_redelivery_does_not_bring_a_spent_token_back(bench: Bench) -> None:
    """LINE delivers the event again while its token is spent, and one whose token is not: only that is used."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    spent = await bench.give_token(dispatcher, line, "hana")
    unspent = await bench.give_token(dispatcher, line, "ken")
    await bench.take(dispatcher, request("hana"))
    await dispatcher.send_some()
    await pass_time(bench, timedelta(seconds=55))
    again = {"isRedelivery": True}
    await bench.give_token(dispatcher, line, "hana", replyToken=spent, deliveryContext=again)
    await bench.give_token(dispatcher, line, "ken", replyToken=unspent, deliveryContext=again)
    await bench.take(dispatcher, request("to hana", to=HANA), request("to ken", to=user_named("ken")))
    await dispatcher.send_some()
    assert sorted(how(line)[1:]) == ["paid", "reply"]
    assert [taken.to for taken in line.accepted if taken.retry_key is None] == [(HANA,), (user_named("ken"),)]


async def test_tokens_are_forgotten_when_they_are_over(bench: Bench) -> None:
    """An unspent one after its minute; the trace of a spent one once LINE redelivers its event no more."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "ken")
    await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    await dispatcher.send_some()
    for time, left in ((timedelta(seconds=49), 2), (SECOND, 1), (timedelta(minutes=19), 1), (timedelta(minutes=2), 0)):
        await pass_time(bench, time)
        await dispatcher.settle_lost_replies()
        assert await bench.pool.fetchval("SELECT count(*) FROM reply_tokens") == left, time


async def test_two_dispatchers_spend_no_token_twice_and_send_nothing_twice(bench: Bench) -> None:
    """Both claim at the same moments: each person has a token and two messages, which may leave together or not."""
    line, people = MemoryLine(), 60
    pools = [await open_pool(bench.dsn, application="dispatcher", schema="dispatcher") for _ in range(2)]
    dispatchers = [Bench(bench.dsn, pool, bench.clock).dispatcher(line) for pool in pools]
    for number in range(people):
        await bench.give_token(dispatchers[0], line, f"p{number}")
    wanted = [request(f"{kind}{number}", to=user_named(f"p{number}")) for number in range(people) for kind in "ab"]

    async def work(dispatcher: Dispatcher) -> None:
        for _ in range(40):
            claimed = await dispatcher.claim(7)
            await dispatcher.record([await dispatcher.send(attempt) for attempt in claimed.attempts])

    try:
        await bench.take(dispatchers[0], *wanted, lane="transactional")
        await asyncio.gather(*map(work, dispatchers))
    finally:
        for pool in pools:
            await pool.close()
    assert await bench.states() == {"accepted": 2 * people}
    spent = [json.loads(body).get("replyToken") for key, body in line.requests if key is None]
    assert len(spent) == len(set(spent)) > 0
    texts = Counter(text for request_ in said(line) for text in request_)
    assert len(texts) == texts.total() == 2 * people
    assert await bench.reserved() == line.paid


async def test_replies_have_a_rate_of_their_own(bench: Bench) -> None:
    """Where pushes may leave one a second, ten answers leave at once."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line, push_rate=1)
    for number in range(10):
        await bench.give_token(dispatcher, line, f"p{number}")
    await bench.take(dispatcher, *(request(f"p{number}") for number in range(10)), lane="transactional")
    assert await dispatcher.send_some() == 10
    assert how(line) == ["reply"] * 10


async def test_who_blocks_the_account_gets_no_reply(bench: Bench) -> None:
    """It is dropped, and the token is not spent on it."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.give_token(dispatcher, line, "hana")
    await bench.pool.execute(
        "INSERT INTO segmenter.friend_status VALUES ('main', $1, 'main', gen_random_uuid(), false, now())", HANA
    )
    await bench.take(dispatcher, request("hana"))
    await dispatcher.send_some()
    assert await bench.states() == {"dropped": 1}
    assert await bench.pool.fetchval("SELECT count(*) FROM reply_tokens WHERE token IS NOT NULL") == 1


async def test_what_every_claim_asks_about_tokens_is_found_by_an_index(bench: Bench) -> None:
    """Nobody reads through the ledger, nor through all tokens: of 20,000 messages and tokens, those of a few people."""
    await bench.pool.execute(
        "INSERT INTO deliveries (message_id, account, lane, shop, user_id, request, next_attempt_at, received_at, "
        "changed_at) SELECT gen_random_uuid(), 'main', 'marketing', 'main', 'U' || md5(n::text), '{}', $1, $1, $1 "
        "FROM generate_series(1, 20000) n",
        NOON,
    )
    await bench.pool.execute(
        "INSERT INTO reply_tokens SELECT gen_random_uuid(), 'main', 'U' || md5(n::text), 't', $1, $2 "
        "FROM generate_series(1, 20000) n",
        *(NOON, NOON + timedelta(seconds=50)),
    )
    await bench.pool.execute("ANALYZE deliveries, reply_tokens")
    few = [user_named(f"p{number}") for number in range(50)]
    async with bench.pool.acquire() as connection:
        for query, arguments, index in (
            ("find_tokens", ("main", few, NOON), "reply_tokens_usable"),
            ("lock_riders", ("main", few, [NOON] * 50, NOON), "deliveries_of_user"),
            ("lock_lost", (NOON, 100), "replies_attempting"),
        ):
            plan = str(await connection.fetch(f"EXPLAIN {replies._SQL[query]}", *arguments))
            assert index in plan, plan
            assert "Seq Scan on deliveries" not in plan
            assert "Seq Scan on reply_tokens" not in plan


async def test_what_was_claimed_shows_no_token(bench: Bench) -> None:
    """What a claim hands to its sender is printed somewhere one day."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    token = await bench.give_token(dispatcher, line, "hana")
    await bench.take(dispatcher, request("hana"))
    claimed = await dispatcher.claim(1)
    assert isinstance(claimed.attempts[0], ReplyAttempt)
    assert token not in repr(claimed)
