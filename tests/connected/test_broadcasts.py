"""Broadcasts on PostgreSQL: exactly the audience, each once, whatever dies, joins, or is cancelled meanwhile."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest

from tests.support.broadcasts import (
    PlainEngine,
    Stage,
    add_people,
    befriend,
    campaign,
    crowd,
    go_through,
    knows,
    merge,
    open_stage,
    without,
)
from todoke_scheduler import broadcasting
from todoke_scheduler.adapters import broadcasts
from todoke_scheduler.domain import broadcasts as rules
from todoke_scheduler.domain.sharing import in_holdout
from todoke_shared.campaigns.limits import QuietHours
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.ids import broadcast_id, enrolment_id, message_id

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
"""Of Tokyo, when `campaign()` is due."""
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NIGHT = QuietHours(start=time(21), end=time(9))


@pytest.fixture
async def stage(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """At noon, with chunks of ten ids."""
    monkeypatch.setattr(rules, "CHUNK", 10)
    async with open_stage(postgres_dsn, NOON) as opened:
        yield opened


async def befriended(stage: Stage, number: int) -> list[UUID]:
    """So many friends, in the order of their ids."""
    people = crowd(number)
    await add_people(stage.pool, people)
    await befriend(stage.pool, people)
    return people


async def test_the_audience_is_exactly_who_is_meant(stage: Stage) -> None:
    """Friends of the account of whom the condition holds and who did not refuse; a holdout gets nothing."""
    women, men, refusing = crowd(45), crowd(20, 100), crowd(7, 200)
    strangers, gone, elsewhere = crowd(9, 300), crowd(8, 400), crowd(6, 500)
    for people in (women, strangers, gone, elsewhere):
        await add_people(stage.pool, people, knows(gender="female"))
    await add_people(stage.pool, men, knows(gender="male"))
    await add_people(stage.pool, refusing, knows({"marketing": False}, gender="female"))
    await befriend(stage.pool, [*women, *men, *refusing])
    await befriend(stage.pool, gone, friend=False)
    await befriend(stage.pool, elsewhere, "other")
    await stage.publish(campaign(enter={"when": {"gender": "female"}}, holdout=20))
    await go_through(await stage.broadcaster())
    compared = [one for one in women if in_holdout("sale", 20, one)]
    assert compared
    assert await stage.asked() == without(women, compared)
    [row] = await stage.rows()
    audience = [one for one in [*women, *refusing] if not in_holdout("sale", 20, one)]
    assert (row["state"], row["entered"], row["left_out"]) == ("done", 52, len(audience) - len(women) + len(compared))
    assert row["holdout"] == 52 - len(audience)
    assert row["looked_at"] == 95
    told = await stage.pool.fetch("SELECT decision, count(*) FROM decisions GROUP BY 1 ORDER BY 1")
    assert [tuple(line) for line in told] == [
        ("in the holdout group, which gets nothing and is compared", row["holdout"]),
        ("the person does not want marketing", row["left_out"]),
    ]


async def test_a_request_is_what_a_run_of_one_step_would_ask_for(stage: Stage) -> None:
    """Its ids are those of the run and its step, so that whatever repeats it is the same message."""
    [person] = await befriended(stage, 1)
    await add_people(stage.pool, [], None)
    await stage.publish(campaign(expires="2h"))
    await go_through(await stage.broadcaster())
    row = await stage.pool.fetchrow("SELECT * FROM outbox")
    run = await stage.pool.fetchrow("SELECT * FROM enrolments")
    assert row is not None
    assert run is not None
    request = MessageRequest.from_json(row["value"])
    assert (row["topic"], row["key"]) == ("message.requests.marketing.v1", str(person).encode())
    assert run["enrolment_id"] == request.enrolment == enrolment_id("sale", person, "", NOON)
    assert request.id == message_id(run["enrolment_id"], "0:news")
    assert (request.due_at, request.expires_at) == (NOON, NOON + 2 * HOUR)
    assert (run["status"], run["position"], run["person_id"], run["started_at"]) == ("done", 1, person, NOON)


async def test_a_template_may_say_what_is_known_of_the_person(stage: Stage) -> None:
    """Of the instant at which their chunk was read."""
    people = crowd(1)
    await add_people(stage.pool, people, knows(name="山田"))
    await befriend(stage.pool, people)
    await stage.publish(campaign(messages={"news": [{"type": "text", "text": "{{ person.name }}様"}]}))
    await go_through(await stage.broadcaster())
    value = await stage.pool.fetchval("SELECT value FROM outbox")
    request = MessageRequest.from_json(value)
    assert request.template is not None
    assert request.template.variables["person"]["name"] == "山田"


async def test_a_crash_anywhere_in_a_chunk_loses_nobody_and_repeats_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chunk dies once after its rows were written: another scheduler goes on at that very person."""
    people = await befriended(stage, 45)
    await stage.publish(campaign())
    await (await stage.broadcaster()).plan()
    whole, deaths = broadcasts.move, 0

    async def dying(*args: object, **named: object) -> None:
        nonlocal deaths
        deaths += 1
        if deaths % 2:
            raise ConnectionResetError
        await whole(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(broadcasts, "move", dying)
    for _ in range(100):
        one = await stage.broadcaster()
        try:
            if not await one.go_on():
                break
        except ConnectionResetError:
            continue
    assert deaths == 10
    assert await stage.asked() == people
    [row] = await stage.rows()
    assert (row["state"], row["entered"]) == ("done", 45)


async def test_two_schedulers_at_once_send_each_message_once(stage: Stage) -> None:
    """One at a time is at work on a broadcast; two broadcasts go on side by side."""
    people = await befriended(stage, 60)
    await stage.publish(campaign(), campaign("other"))
    one, other = await stage.broadcaster(), await stage.broadcaster()

    async def carry_out(broadcaster: broadcasting.Broadcaster) -> int:
        await broadcaster.plan()
        chunks = 0
        for _ in range(40):
            chunks += await broadcaster.go_on()
            await asyncio.sleep(0.002)
        return chunks

    chunks = await asyncio.gather(carry_out(one), carry_out(other))
    await go_through(one)
    assert min(chunks) > 0
    assert sorted(await stage.asked()) == sorted(people + people)
    assert {row["state"] for row in await stage.rows()} == {"done"}


async def test_a_cancelled_broadcast_stops_where_it_is(stage: Stage) -> None:
    """Nobody gets it from then on, and it is not planned again."""
    people = await befriended(stage, 45)
    await stage.publish(campaign())
    broadcaster = await stage.broadcaster()
    await broadcaster.plan()
    await broadcaster.go_on()
    await broadcaster.go_on()
    [gone] = await broadcasts.cancel(stage.pool, "sale", NOON)
    assert (gone.campaign, gone.entered) == ("sale", 20)
    await go_through(broadcaster)
    assert await stage.asked() == people[:20]
    assert await broadcasts.cancel(stage.pool, "sale", NOON) == []


async def test_who_joins_behind_the_place_reached_is_not_in_it_and_who_joins_before_it_is(stage: Stage) -> None:
    """Nobody is missed who matched when their place was reached, and nobody gets it twice."""
    people = crowd(40)
    await add_people(stage.pool, people)
    early, late = people[0], people[-1]
    await befriend(stage.pool, without(people, [early, late]))
    await stage.publish(campaign())
    broadcaster = await stage.broadcaster()
    await broadcaster.plan()
    await broadcaster.go_on()
    await befriend(stage.pool, [early, late])
    await go_through(broadcaster)
    assert await stage.asked() == without(people, [early])


async def test_two_ids_of_one_person_get_one_message(stage: Stage) -> None:
    """Merged before or meanwhile: the friend whose smaller id was passed before they were a friend is not missed."""
    people = crowd(40)
    shopper, friend = people[2], people[38]
    both, twice = people[1], people[37]
    await add_people(stage.pool, people)
    await befriend(stage.pool, without(people, [shopper]))
    await stage.publish(campaign())
    broadcaster = await stage.broadcaster()
    await broadcaster.plan()
    await broadcaster.go_on()
    await merge(stage.pool, shopper, friend)
    await merge(stage.pool, both, twice)
    await go_through(broadcaster)
    asked = await stage.asked()
    assert len(asked) == len(set(asked))
    assert sorted(asked) == without(people, [friend, twice])


async def test_a_rate_is_kept_over_any_stretch_of_time(stage: Stage) -> None:
    """Ten people a second: five each half second, and a stop is not made up for by a rush."""
    people = await befriended(stage, 45)
    await stage.publish(campaign(enter={"rate": 10}))
    broadcaster = await stage.broadcaster()
    by_second = []
    for tenths in range(40):
        if tenths == 20:
            stage.clock.move_to(NOON + HOUR)
        else:
            stage.clock.move_to(max(stage.clock.now(), NOON + tenths * SECOND / 10))
        await go_through(broadcaster)
        by_second.append(len(await stage.asked()))
    assert by_second[:20:5] == [5, 10, 15, 20]
    assert by_second[19:22] == [20, 30, 30]
    assert await stage.asked() == people[: by_second[-1]]


async def test_quiet_hours_rest_a_broadcast_and_the_morning_is_spread(stage: Stage) -> None:
    """Due at 22:00: nobody before 9:00, then by and by within half an hour."""
    people = await befriended(stage, 200)
    await stage.publish(campaign(at="2026-04-01 22:00"))
    broadcaster = await stage.broadcaster(PlainEngine(NIGHT))
    due, nine = NOON + 10 * HOUR, NOON + 21 * HOUR
    counts = []
    for instant in (due, due + 5 * HOUR, nine - SECOND, nine, nine + 10 * MINUTE, nine + 20 * MINUTE, nine + HOUR):
        stage.clock.move_to(instant)
        for _ in range(60):
            await go_through(broadcaster)
            stage.clock.move_to(stage.clock.now() + SECOND / 100)
        counts.append(len(await stage.asked()))
        if instant >= nine:
            assert (await stage.rows())[0]["state"] in ("running", "done")
    assert counts[:3] == [0, 0, 0]
    assert counts[3] < 20
    assert 30 < counts[4] < 100 < counts[5] < 170
    assert await stage.asked() == people


async def test_a_schedule_that_repeats_comes_every_time(stage: Stage) -> None:
    """Each day at noon: one broadcast a day, each to whoever is in the audience then."""
    people = await befriended(stage, 12)
    daily = campaign(enter={"schedule": {"every": "day", "at": "12:00"}})
    await stage.publish(daily)
    broadcaster = await stage.broadcaster()
    for number in range(3):
        stage.clock.move_to(NOON + number * DAY)
        await go_through(broadcaster)
        await broadcaster.plan()
    rows = await stage.rows()
    assert [(row["due_at"], row["state"]) for row in rows] == [
        (NOON, "done"),
        (NOON + DAY, "done"),
        (NOON + 2 * DAY, "done"),
        (NOON + 3 * DAY, "planned"),
    ]
    assert [row["broadcast_id"] for row in rows] == [broadcast_id("sale", row["due_at"]) for row in rows]
    assert await stage.asked() == people * 3


async def test_after_a_long_stop_one_broadcast_is_made_up_for_and_a_late_one_left_out_where_the_campaign_says(
    stage: Stage,
) -> None:
    """The one that was planned goes late, or is cancelled with the reason; those between never were."""
    await befriended(stage, 3)
    every = {"schedule": {"every": "day", "at": "12:00"}}
    await stage.publish(campaign(enter=every), campaign("fresh", enter=every, late={"after": "2h", "then": "skip"}))
    stage.clock.move_to(NOON + MINUTE * 2)
    await (await stage.broadcaster()).plan()
    stage.clock.move_to(NOON + 3 * DAY + 5 * HOUR)
    await go_through(await stage.broadcaster())
    rows = await stage.rows()
    assert [(row["campaign"], row["due_at"], row["state"]) for row in rows] == [
        ("fresh", NOON + DAY, "cancelled"),
        ("sale", NOON + DAY, "done"),
        ("fresh", NOON + 4 * DAY, "planned"),
        ("sale", NOON + 4 * DAY, "planned"),
    ]
    assert rows[0]["reason"] == "left out: 2d late, and the campaign does nothing more than 2h late"
    assert len(await stage.asked()) == 3


async def test_a_paused_campaign_rests_and_a_changed_schedule_is_planned_anew(stage: Stage) -> None:
    """What had not begun is gone with the old schedule."""
    await befriended(stage, 3)
    await stage.publish(campaign(at="2026-04-01 12:30"))
    await (await stage.broadcaster()).plan()
    await stage.publish(campaign(at="2026-04-01 13:00"))
    broadcaster = await stage.broadcaster()
    stage.clock.move_to(NOON + 45 * MINUTE)
    await go_through(broadcaster)
    assert [row["due_at"] for row in await stage.rows()] == [NOON + HOUR]
    await stage.pool.execute("INSERT INTO paused_campaigns (campaign) VALUES ('sale')")
    stage.clock.move_to(NOON + HOUR)
    await go_through(broadcaster)
    assert await stage.asked() == []
    await stage.pool.execute("DELETE FROM paused_campaigns")
    await go_through(broadcaster)
    assert len(await stage.asked()) == 3


async def test_a_time_long_past_is_not_sent(stage: Stage) -> None:
    """Publishing a folder with last year's broadcasts in it sends none of them."""
    await befriended(stage, 3)
    await stage.publish(campaign(at="2025-12-24 10:00"), campaign("today", at="2026-04-01 11:50"))
    await go_through(await stage.broadcaster())
    assert await stage.rows() == []


async def test_killed_again_and_again_it_goes_on_at_the_very_person(stage: Stage, postgres_dsn: str) -> None:
    """kill -9 in the middle, twice: every run and every request once."""
    people = await befriended(stage, 2_000)
    await stage.publish(campaign())
    killed = 0
    for share in (0.2, 0.6, 2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.broadcast_process", postgres_dsn, NOON.isoformat()
        )
        while process.returncode is None and await reached(stage) < share * len(people):
            await asyncio.sleep(0.005)
        if process.returncode is None:
            process.kill()
            killed += 1
        await process.wait()
    assert killed == 2
    assert await stage.asked() == people
    assert await stage.pool.fetchval("SELECT count(*) FROM enrolments") == len(people)
    [row] = await stage.rows()
    assert (row["state"], row["entered"], row["looked_at"]) == ("done", len(people), len(people))


async def reached(stage: Stage) -> int:
    """How many have entered."""
    return int(await stage.pool.fetchval("SELECT coalesce(sum(entered), 0) FROM broadcasts"))
