"""`todoke campaigns` against a database: pause, resume, who is where, and the diagram of what is published."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from todoke_local.cli import app
from todoke_scheduler.adapters.coupons import add_codes
from todoke_scheduler.adapters.overseeing import KNOWN_EVERYWHERE
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.diagram import mermaid
from todoke_shared.campaigns.model import Campaign
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOW = datetime.now(UTC)

CARE = Campaign.model_validate(
    {
        "campaign": "care",
        "name": "ケア",
        "class": "marketing",
        "enter": {"on": "order.placed"},
        "steps": [
            {"wait": "1h"},
            {"if": {"friend": True}, "then": [{"send": "hello"}], "else": [{"tag": "lost"}]},
            {"wait": {"until": "20:00"}},
        ],
        "messages": {"hello": [{"type": "text", "text": "こんにちは"}]},
    }
)
OTHER = CARE.model_copy(update={"campaign": "other", "name": "ほか"})


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """The scheduler's schema with two campaigns in force, for which the commands are set up."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    async with await open_pool(postgres_dsn, application="campaigns-test", schema="scheduler", size=2) as pool:
        await publish(pool, [CARE, OTHER])
        yield pool


async def todoke(*words: str) -> str:
    """What `todoke campaigns …` answers."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["campaigns", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


async def table(*words: str) -> list[dict[str, str]]:
    """A list, as a program reads it."""
    head, *rows = (await todoke(*words)).splitlines()
    return [dict(zip(head.split("\t"), row.split("\t"), strict=True)) for row in rows]


async def enrol(
    pool: Pool, status: str = "active", position: int = 0, due: timedelta = timedelta(), **more: Any
) -> None:
    """A run that stands there."""
    told = {"campaign": "care", "holdout": False, **more}
    await pool.execute(
        "INSERT INTO enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position, "
        "status, context, holdout) VALUES ($1, $2, 1, 'main', $3, '', $4, $5, $6, $7, '{}', $8)",
        *(uuid4(), told["campaign"], uuid4(), NOW, NOW + due, position, status, told["holdout"]),
    )


async def paused(pool: Pool) -> frozenset[str]:
    """What every room that has just looked takes for paused."""
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    assert {one.campaign.campaign for one in catalogue.current} == {"care", "other"}
    return catalogue.paused


async def test_a_paused_campaign_is_known_to_every_room_until_it_is_resumed(pool: Pool) -> None:
    """It stays in force, so that people go on entering it; neither a second word nor a new version changes that."""
    assert await paused(pool) == frozenset()
    assert await todoke("pause", "care") == "care: paused; go on with `todoke campaigns resume care`\n"
    assert "paused already" in await todoke("pause", "care")
    assert await paused(pool) == {"care"}
    states = {row["campaign"]: row["state"] for row in await table("list")}
    assert states["other"] == "in force"
    assert states["care"].startswith("paused since 20")
    [publication] = await publish(pool, [CARE.model_copy(update={"name": "新しいケア"})])
    assert (publication.version, await paused(pool)) == (2, frozenset({"care"}))
    assert await todoke("resume", "care") == "care: goes on\n"
    assert await todoke("resume", "care") == "care: was not paused\n"
    assert await paused(pool) == frozenset()


async def test_a_name_that_is_none_is_told(pool: Pool) -> None:
    """A typing mistake does not silently pause nothing."""
    for command in ("pause", "resume"):
        with pytest.raises(ValueError, match="no campaign `car` is published; did you mean `care`"):
            await todoke(command, "car")
    with pytest.raises(ValueError, match="there is no file `car`, and no campaign of this name is published"):
        await todoke("diagram", "car")
    assert await paused(pool) == frozenset()


async def test_who_resumes_wakes_what_rested_and_nothing_else(pool: Pool) -> None:
    """Runs whose step is due get a timer, once every scheduler knows; the others have theirs."""
    await enrol(pool, due=-timedelta(hours=1), position=1)
    await enrol(pool, due=timedelta(hours=1))
    await enrol(pool, status="done", due=-timedelta(hours=1))
    await enrol(pool, campaign="other", due=-timedelta(hours=1))
    await todoke("resume", "care")
    assert await pool.fetch("SELECT * FROM timers") == []
    await todoke("pause", "care")
    before = await pool.fetchval("SELECT clock_timestamp()")
    await todoke("resume", "care")
    [timer] = await pool.fetch("SELECT * FROM timers")
    assert timer["position"] == 1
    assert before + KNOWN_EVERYWHERE <= timer["due_at"] <= before + KNOWN_EVERYWHERE + timedelta(seconds=30)


async def test_the_list_counts_who_entered_and_what_became_of_them(pool: Pool) -> None:
    """The holdout is counted apart, for nothing reaches it."""
    for status, count in {"active": 3, "done": 2, "ended": 1}.items():
        for _ in range(count):
            await enrol(pool, status=status)
    await enrol(pool, holdout=True)
    await enrol(pool, status="done", holdout=True)
    care, other = await table("list")
    assert care == {
        "campaign": "care",
        "name": "ケア",
        "version": "1",
        "state": "in force",
        "entered": "8",
        "active": "3",
        "done": "2",
        "ended early": "1",
        "holdout": "2",
    }
    assert [other[name] for name in ("entered", "active", "done", "ended early", "holdout")] == ["0"] * 5


async def test_the_list_by_steps_says_how_many_wait_where(pool: Pool) -> None:
    """By the step's place in the file; who is through, and the holdout, is not counted."""
    for position in (1, 1, 4, 5):
        await enrol(pool, position=position)
    await enrol(pool, position=1, holdout=True)
    await enrol(pool, position=1, status="ended")
    rows = await table("list", "--steps")
    assert [(row["at"], row["step"], row["people"]) for row in rows] == [
        ("steps[1]", "if friend: true", "2"),
        ("steps[2]", "wait until 20:00", "1"),
        ("", "the end", "1"),
    ]


async def test_the_diagram_of_a_published_campaign_is_that_of_its_newest_version(pool: Pool) -> None:
    """By its name, where there is no file of it."""
    newer = CARE.model_copy(update={"name": "新しいケア"})
    await publish(pool, [newer])
    assert await todoke("diagram", "care") == mermaid(newer)


async def test_publishing_tells_of_coupon_pools_without_codes(pool: Pool, tmp_path: Path) -> None:
    """One that is not there, and one whose codes are all given; a single code to give is enough to say nothing."""
    file = tmp_path / "gift.yaml"
    file.write_text(
        "campaign: gift\nclass: marketing\nenter: {on: order.placed}\nsteps: [coupon: spring, send: a]\n"
        'messages: {a: [{type: text, text: "{{ coupon.code }}"}]}\n',
        encoding="utf-8",
    )
    remark = "gift: the coupon pool `spring` has no codes; add some: `todoke coupons create spring 1000`, or import"
    assert remark in (await todoke("publish", str(file))).splitlines()
    await add_codes(pool, "spring", ["SP-1"])
    assert "coupon pool" not in await todoke("publish", str(file))
    await pool.execute("UPDATE coupon_codes SET enrolment_id = $1, step = 'steps[0]'", uuid4())
    assert remark in (await todoke("publish", str(file))).splitlines()
