"""Which broadcasts are planned, by whom, and when one ends or waits: what is in force decides, and not what was."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.broadcasts import Stage, add_people, befriend, campaign, crowd, go_through, open_stage
from todoke_scheduler import reading_ahead
from todoke_scheduler.adapters import broadcasts
from todoke_scheduler.broadcasting import UNREADABLE_REST
from todoke_scheduler.domain import broadcasts as rules
from todoke_shared.clock import FakeClock

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
"""Of Tokyo, when `campaign()` is due."""
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def stage(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """At noon, with chunks of ten ids, and thirty friends."""
    monkeypatch.setattr(rules, "CHUNK", 10)
    async with open_stage(postgres_dsn, NOON) as opened:
        people = crowd(30)
        await add_people(opened.pool, people)
        await befriend(opened.pool, people)
        yield opened


async def test_a_broadcast_stops_where_it_is_when_its_campaign_ends(stage: Stage) -> None:
    """Whoever comes after that is not looked at, and stands in no log."""
    await stage.publish(campaign(enter={"rate": 10}, ends="2026-04-01 12:01"))
    broadcaster = await stage.broadcaster()
    await go_through(broadcaster)
    reached = len(await stage.asked())
    stage.clock.move_to(NOON + MINUTE)
    await go_through(broadcaster)
    [row] = await stage.rows()
    assert (row["state"], row["reason"], row["ended_at"]) == ("done", "the campaign has ended", NOON + MINUTE)
    assert 0 < reached == row["entered"] == len(await stage.asked()) < 30
    assert await stage.pool.fetchval("SELECT count(*) FROM decisions") == 0


async def test_who_has_not_heard_of_a_new_version_plans_nothing_by_the_old_one(stage: Stage) -> None:
    """Nor takes back what the new one says: it would be planned and taken back in turns."""
    await stage.publish(campaign(at="2026-04-01 12:30"))
    behind = await stage.broadcaster()
    await stage.publish(campaign(at="2026-04-01 13:00"))
    await (await stage.broadcaster()).plan()
    await behind.plan()
    assert [row["due_at"] for row in await stage.rows()] == [NOON + HOUR]


async def test_a_broadcast_that_this_release_cannot_read_waits_for_one_that_can(stage: Stage) -> None:
    """Looked at again every minute, it goes on where it stands."""
    await stage.publish(campaign())
    broadcaster = await stage.broadcaster()
    await broadcaster.plan()
    assert await broadcaster.go_on()
    document = await stage.pool.fetchval("SELECT document FROM campaign_versions")
    await stage.pool.execute("UPDATE campaign_versions SET document = $1", {**document, "steps": "unknown yet"})
    await go_through(await stage.broadcaster())
    [row] = await stage.rows()
    assert (row["state"], row["entered"], row["next_at"]) == ("running", 10, NOON + UNREADABLE_REST)
    await stage.pool.execute("UPDATE campaign_versions SET document = $1", document)
    stage.clock.move_to(NOON + UNREADABLE_REST)
    await go_through(await stage.broadcaster())
    [row] = await stage.rows()
    assert (row["state"], row["entered"], len(await stage.asked())) == ("done", 30, 30)


class Replayed(FakeClock):
    """The shop's time passes sixty times as fast as everybody's."""

    rate = 60.0

    def wall(self) -> datetime:
        """Everybody's."""
        return datetime.now(UTC)


async def test_under_a_simulated_clock_it_was_published_in_the_shops_time(stage: Stage) -> None:
    """Two minutes ago are two of the shop's hours: in time for noon, though it is one o'clock by now."""
    stage.clock = Replayed(NOON + HOUR)
    await stage.publish(campaign())
    await (await stage.broadcaster()).plan()
    assert await stage.rows() == []
    await stage.pool.execute("UPDATE campaign_versions SET published_at = now() - interval '2 minutes'")
    await (await stage.broadcaster()).plan()
    assert [row["due_at"] for row in await stage.rows()] == [NOON]


async def test_an_audience_that_was_read_ahead_is_read_again_after_a_second(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has left meanwhile is not in it: a broadcast may have rested, or another scheduler have had a turn."""
    people = crowd(30)
    await stage.publish(campaign())
    broadcaster = await stage.broadcaster()
    await broadcaster.plan()
    assert await broadcaster.go_on()
    gone = people[12]
    await stage.pool.execute("UPDATE segmenter.friend_status SET is_friend = false WHERE person_id = $1", gone)
    monkeypatch.setattr(reading_ahead, "FRESH_SECONDS", 0.0)
    await go_through(broadcaster)
    assert await stage.asked() == [one for one in people if one != gone]


@pytest.mark.parametrize(
    ("keys", "records"), [({}, 3), ({"class": "transactional"}, 30), ({"links": "person"}, 30)], ids=str
)
async def test_copies_leave_together_where_nothing_tells_them_apart(
    stage: Stage, keys: dict[str, str], records: int
) -> None:
    """A chunk is one record; a transaction does not wait for a crowd, and whose link it is stands in each copy."""
    await stage.publish(campaign(**keys))
    await go_through(await stage.broadcaster())
    assert await stage.asked() == crowd(30)
    assert await stage.pool.fetchval("SELECT count(*) FROM outbox") == records


async def test_who_entered_by_another_systems_call_is_in_the_broadcast_all_the_same(stage: Stage) -> None:
    """A call with a key of its own began another journey; what counts is that of the schedule, and since it began."""
    one, other, early = crowd(3)
    entries = [(one, "", NOON), (other, "visit-1", NOON), (early, "", NOON - SECOND)]
    for person, key, at in entries:
        await stage.pool.execute("INSERT INTO journeys VALUES ('sale', $1, $2, $3, NULL)", person, key, at)
    async with stage.pool.acquire() as connection:
        assert await broadcasts.entered_since(connection, "sale", [one, other, early], NOON) == {one}


async def test_schedulers_that_take_turns_send_nothing_again_that_was_read_ahead(stage: Stage) -> None:
    """What one has read is the other's by then."""
    await stage.publish(campaign())
    one, other = await stage.broadcaster(), await stage.broadcaster()
    await one.plan()
    for _ in range(3):
        await one.go_on()
        await other.go_on()
    assert await stage.asked() == crowd(30)
    [row] = await stage.rows()
    assert (row["entered"], row["next_at"]) == (30, NOON)
