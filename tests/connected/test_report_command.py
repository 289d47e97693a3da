"""`todoke report` against a database: what the tables hold, counted by hand, is what it tells."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from typer.testing import CliRunner

from tests.unit.shared.campaign_files import SMALL
from todoke_local.cli import app
from todoke_scheduler.adapters.clicks import Clicks
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.topics import OUTCOMES
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=90)
NAMES = UUID("5f0c1c1e-0000-4000-8000-00000000abcd")

CARE = Campaign.model_validate(
    {
        **SMALL,
        "campaign": "care",
        "name": "ケア",
        "goal": {"on": "order.placed", "within": "14d"},
        "holdout": 10,
        "steps": [{"send": "hello"}, {"split": {"a": 1, "b": 1}, "name": "subject", "a": [], "b": []}],
    }
)


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """The scheduler's schema with two campaigns in force, for which the command is set up."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    async with await open_pool(postgres_dsn, application="report-test", schema="scheduler", size=2) as pool:
        await publish(pool, [CARE, CARE.model_copy(update={"campaign": "other", "name": "ほか", "goal": ()})])
        yield pool


async def todoke(*words: str) -> str:
    """What `todoke report …` answers."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["report", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


async def told(*words: str) -> dict[str, Any]:
    """The report of `care`, as a program reads it."""
    report: dict[str, Any] = json.loads(await todoke("care", "--json", *words))
    return report


async def enrol(pool: Pool, person: str, **told: Any) -> UUID:
    """A run of the person, long ago unless told otherwise; gives its id."""
    run = {"status": "done", "end_reason": None, "holdout": False, "arms": {}, "at": LONG_AGO, **told}
    enrolment = uuid4()
    await pool.execute(
        "INSERT INTO enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position, "
        "status, end_reason, context, holdout, arms) VALUES ($1, 'care', 1, 'main', $2, '', $3, $3, 0, $4, $5, '{}', "
        "$6, $7)",
        *(enrolment, uuid5(NAMES, person), run["at"], run["status"], run["end_reason"], run["holdout"], run["arms"]),
    )
    return enrolment


async def convert(pool: Pool, run: UUID, amount: float | None, at: datetime = LONG_AGO) -> None:
    """A goal reached in the run."""
    holdout = await pool.fetchval("SELECT holdout FROM enrolments WHERE enrolment_id = $1", run)
    await pool.execute("INSERT INTO conversions VALUES ($1, $2, 'care', $3, $4, $5)", run, uuid4(), at, amount, holdout)


async def deliver(pool: Pool, run: UUID | None, state: str, step: str = "hello") -> UUID:
    """A message of the run in the dispatcher's ledger; gives its id."""
    message = uuid4()
    await pool.execute(
        "INSERT INTO dispatcher.deliveries (message_id, account, lane, state, shop, user_id, person_id, campaign, "
        "step, enrolment_id, request, retry_key, body, first_attempt_at, received_at, changed_at) "
        "VALUES ($1, 'main', 'marketing', $2, 'main', 'U', $5, 'care', $3, $4, '{}', $1, '', now(), now(), now())",
        *(message, state, step, run, uuid5(NAMES, "somebody")),
    )
    return message


async def crowd(pool: Pool, name: str, size: int, buyers: int, **told: Any) -> None:
    """So many people with a run each, of whom the first ones bought for 1,000 yen."""
    for number in range(size):
        run = await enrol(pool, f"{name} {number}", **told)
        if number < buyers:
            await convert(pool, run, 1000)


def clicked(message: UUID | None, at: datetime, campaign: str | None = "care", **told: Any) -> bytes:
    """What ingest tells of a click."""
    outcome = {"id": uuid4(), "message": message, "state": "clicked", "account": "main", "lane": "marketing"}
    return Outcome.model_validate({**outcome, "campaign": campaign, "at": at, **told}).to_json()


async def test_a_report_counts_runs_by_what_became_of_them(pool: Pool) -> None:
    """The holdout apart; what ended early by why; a goal may still come for what began in its window, and had none."""
    await enrol(pool, "1", status="active", at=NOW - timedelta(days=1))
    await enrol(pool, "2")
    run = await enrol(pool, "3", status="ended", end_reason="goal", at=NOW - timedelta(days=3))
    await convert(pool, run, 1000)
    await convert(pool, run, 500)
    await enrol(pool, "4", status="ended", end_reason="exit")
    await enrol(pool, "5", holdout=True, at=NOW - timedelta(days=2))
    runs = {"entered": 5, "holdout": 1, "active": 1, "done": 1, "ended": {"exit": 1, "goal": 1}, "open": 2}
    assert (await told())["runs"] == runs
    words = await todoke("care")
    assert "5\t1\t1\t2 (1 exit, 1 goal)\t1\n" in words
    assert "For 2 of the runs the goal may still be reached (within 14d of the start)" in words


async def test_messages_are_counted_by_step_as_the_ledger_has_them(pool: Pool) -> None:
    """Every message in exactly one state; those of steps that are gone come last."""
    run = await enrol(pool, "1")
    messages = [await deliver(pool, run, state) for state in ("accepted", "accepted", "failed", "dropped", "held")]
    for state in ("unknown", "waiting", "attempting"):
        await deliver(pool, run, state)
    await deliver(pool, None, "accepted", "before")
    await pool.execute(
        "UPDATE dispatcher.deliveries SET reply_id = message_id WHERE message_id = any($1)", messages[1:3]
    )
    take = Clicks(pool, cluster="test").take_outcomes
    values = [
        clicked(messages[0], NOW),
        clicked(messages[0], NOW - timedelta(minutes=9)),
        clicked(messages[1], NOW, campaign=None),
        clicked(messages[2], NOW, state="accepted", step="clicked"),
        b'{"state":"clicked"',
    ]
    for offset, value in enumerate(values):
        await take([Record(OUTCOMES.name, 0, offset, b"key", value)])
    repeated = clicked(messages[0], NOW, id=messages[0])
    more = [clicked(None, NOW, step="hello"), clicked(None, NOW, step="hello", campaign="other")]
    for offset, value in enumerate([*more, repeated, repeated], len(values)):
        await take([Record(OUTCOMES.name, 0, offset, b"key", value)])
    assert await pool.fetchval("SELECT at FROM clicks") == NOW - timedelta(minutes=9)
    hello, before = (await told())["steps"]
    assert hello == {
        "step": "hello",
        "asked": 8,
        "accepted": 2,
        "free": 1,
        "clicked": 1,
        "clickers": 1,
        "clicks": 4,
        "failed": 1,
        "dropped": 1,
        "held": 1,
        "unknown": 1,
        "under_way": 2,
    }
    assert (before["step"], before["asked"]) == ("before", 1)
    words = await todoke("care")
    assert "hello\t8\t2\t1\t1\t4\t1\t1\t1\t1\t2\n" in words
    assert "1 of 3 messages that LINE accepted went out as free replies." in words


async def test_a_person_counts_once_and_a_purchase_too(pool: Pool) -> None:
    """However many runs and goals it was counted for; an order of no known amount converts and brings no yen."""
    one, two = await enrol(pool, "1"), await enrol(pool, "1", at=LONG_AGO + timedelta(days=1))
    for run in (one, one, two):
        await convert(pool, run, 1200)
    await convert(pool, two, 300, at=LONG_AGO + timedelta(days=2))
    await convert(pool, await enrol(pool, "2"), None)
    await enrol(pool, "3")
    [campaign] = (await told())["groups"]
    assert (campaign["people"], campaign["converted"], campaign["revenue"]) == (3, 2, 1500)
    assert campaign["revenue_per_person"] == 500


async def test_lift_is_told_against_the_holdout_when_it_can_be(pool: Pool) -> None:
    """In points with an interval, and in yen."""
    await crowd(pool, "in", 200, 60)
    await crowd(pool, "out", 100, 10, holdout=True)
    report = await told()
    assert report["lift"]["rate"] == pytest.approx(0.2)
    assert report["lift"]["rate_interval"] == pytest.approx([0.1049, 0.2804], abs=1e-4)
    assert report["lift"]["revenue_per_person"] == pytest.approx(200)
    low, high = report["lift"]["revenue_interval"]
    assert (low, high) == pytest.approx((112.7, 287.3), abs=0.2)
    words = await todoke("care")
    assert "People in the campaign converted 20.0 points more often than in the holdout" in words
    assert "The campaign brings +200 yen a person against the holdout" in words
    assert "some +40,000 yen in all" in words


async def test_too_few_people_tell_nothing(pool: Pool) -> None:
    """However large the difference looks."""
    await crowd(pool, "in", 5, 2)
    await crowd(pool, "out", 4, 1, holdout=True)
    words = await todoke("care")
    assert "Too few people to tell whether the campaign converts more than the holdout" in words
    assert "Too few people to tell whether the campaign brings more" in words


async def test_whoever_was_in_the_campaign_once_is_not_in_the_holdout(pool: Pool) -> None:
    """A larger holdout of a later version takes in people who had messages."""
    await enrol(pool, "1")
    await enrol(pool, "1", holdout=True)
    await enrol(pool, "2", holdout=True)
    groups = {group["group"]: group["people"] for group in (await told())["groups"]}
    assert groups == {"campaign": 1, "holdout": 1}


async def test_the_ways_of_a_split_are_compared(pool: Pool) -> None:
    """By name, those who came to it and get messages; who took two ways counts for the first."""
    await crowd(pool, "a", 100, 40, arms={"subject": "a"})
    await crowd(pool, "b", 100, 10, arms={"subject": "b"})
    await enrol(pool, "a 0", arms={"subject": "b"}, at=NOW)
    await enrol(pool, "nowhere")
    await enrol(pool, "out", arms={"subject": "a"}, holdout=True)
    [split] = (await told())["splits"]
    assert [(arm["group"], arm["people"], arm["converted"]) for arm in split["arms"]] == [
        ("a", 100, 40),
        ("b", 100, 10),
    ]
    [comparison] = split["comparisons"]
    assert (comparison["group"], comparison["against"]) == ("b", "a")
    assert comparison["rate"] == pytest.approx(-0.3)
    assert "People in subject b converted 30.0 points less often than in subject a" in await todoke("care")


async def test_since_looks_at_runs_that_began_then_alone(pool: Pool) -> None:
    """From that day's midnight in the campaign's zone: their messages, their goals, their people."""
    midnight = datetime(2026, 11, 1, tzinfo=CARE.tz)
    before = await enrol(pool, "1", at=midnight - timedelta(seconds=1), arms={"subject": "a"})
    after = await enrol(pool, "2", at=midnight, arms={"subject": "b"})
    for run in (before, after):
        await deliver(pool, run, "accepted")
        await convert(pool, run, 700, at=midnight)
    report = await told("--since", "2026-11-01")
    assert report["since"] == "2026-11-01T00:00:00+09:00"
    assert report["runs"]["entered"] == 1
    assert report["steps"][0]["asked"] == 1
    assert [(group["people"], group["revenue"]) for group in report["groups"]] == [(1, 700)]
    assert [arm["group"] for arm in report["splits"][0]["arms"]] == ["b"]
    assert (await told())["runs"]["entered"] == 2


async def test_all_campaigns_stand_in_a_table(pool: Pool) -> None:
    """A line each, also for one that nobody has entered; a name that is none is told."""
    await crowd(pool, "in", 20, 5)
    await deliver(pool, None, "accepted")
    head, care, other = (await todoke()).splitlines()
    assert dict(zip(head.split("\t"), care.split("\t"), strict=True)) == {
        "campaign": "care",
        "name": "ケア",
        "version": "1",
        "entered": "20",
        "accepted": "1",
        "clicked": "0",
        "clicks": "0",
        "people": "20",
        "converted": "5",
        "yen": "5,000",
        "lift": "",
    }
    assert other.split("\t")[3:] == ["0"] * 7 + [""]
    assert [one["campaign"] for one in json.loads(await todoke("--json"))] == ["care", "other"]
    assert "no `goal`: nobody can convert" in await todoke("other")
    with pytest.raises(ValueError, match="no campaign `car` is published; did you mean `care`"):
        await todoke("car")


async def test_clicks_on_shared_links_count_from_the_day_asked_for(pool: Pool) -> None:
    """They belong to no run; and a click from before each was kept is one."""
    midnight = datetime(2026, 11, 1, tzinfo=CARE.tz)
    run = await enrol(pool, "1", at=midnight)
    message = await deliver(pool, run, "accepted")
    await pool.execute("INSERT INTO clicks VALUES ($1, 'care', $2)", message, midnight)
    take = Clicks(pool, cluster="test").take_outcomes
    for offset, at in enumerate((midnight - timedelta(seconds=1), midnight, midnight)):
        value = clicked(None, at, step="hello")
        await take([Record(OUTCOMES.name, 0, offset, b"key", value)])
    [step] = (await told("--since", "2026-11-01"))["steps"]
    assert (step["clicked"], step["clickers"], step["clicks"]) == (1, 1, 3)
    [step] = (await told())["steps"]
    assert step["clicks"] == 4
