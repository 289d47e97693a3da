"""`todoke broadcast`: shown first, then sent; listed; cancelled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.broadcasts import Pool, add_people, befriend, crowd, knows
from todoke_local.cli import app
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.model import Campaign
from todoke_shared.postgres.pool import open_pool

CONFIG = """
accounts:
  main:
    channel_secrets: [env:SECRET]
    access_token: env:TOKEN
    monthly_limit: {limit}
"""
CAMPAIGN = """
campaign: spring
name: 春のセール
class: marketing
enter:
  schedule: {at: 2099-04-01 12:00}
  when: {gender: female}
steps:
  - send: news
messages:
  news:
    - {type: text, text: "{{ person.name }}様、春のセールです"}
"""


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Pool]:
    """Ten women and five men, friends all of them; a campaign file; a month of 100 messages."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("TODOKE_CONFIG", str(tmp_path / "config.yaml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{limit}", "100"))
    (tmp_path / "spring.yaml").write_text(CAMPAIGN)
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=2) as opened:
        women, men = crowd(10), crowd(5, 100)
        await add_people(opened, women, knows(name="花", gender="female"))
        await add_people(opened, men, knows(name="太郎", gender="male"))
        await befriend(opened, [*women, *men])
        yield opened


async def todoke(*words: str, answer: str = "", code: int = 0) -> str:
    """What `todoke broadcast …` says."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, app, ["broadcast", *words], input=answer, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


async def states(pool: Pool) -> list[tuple[str, str]]:
    """The broadcasts there are."""
    rows = await pool.fetch("SELECT campaign, state FROM broadcasts ORDER BY due_at")
    return [(row["campaign"], row["state"]) for row in rows]


async def test_it_is_shown_first_and_sent_when_one_says_so(pool: Pool) -> None:
    """Whom it is for, what it takes of the month, and how it reads for three of them."""
    shown = await todoke("spring.yaml", answer="n\n", code=1)
    assert "people    10\n" in shown
    assert "messages  up to 10, 11% of the 90 that the month has left\n" in shown
    assert shown.count("  花様、春のセールです\n") == 3
    assert await states(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM campaign_versions") == 0
    assert "spring: goes at 2099-04-01 12:00 +09:00" in await todoke("spring.yaml", answer="y\n")
    assert await states(pool) == [("spring", "planned")]
    listed = (await todoke("list")).splitlines()
    assert listed[1].split("\t")[:4] == ["spring", "2099-04-01 12:00 +09:00", "planned", "0"]


async def test_more_than_the_month_has_left_is_said(pool: Pool, tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{limit}", "5"))
    shown = await todoke("spring.yaml", "--yes")
    assert "up to 10, 6 more than the 4 that the month has left: those would not be sent" in shown
    assert await states(pool) == [("spring", "planned")]


async def test_another_time_makes_another_version_and_a_cancelled_one_stays_so(pool: Pool) -> None:
    """`--at` stands for the time in the file; what was cancelled does not go by being asked for again."""
    await todoke("spring.yaml", "--yes")
    await todoke("spring", "--at", "2099-05-01 09:00", "--yes")
    version = await pool.fetchrow("SELECT * FROM campaign_versions ORDER BY version DESC LIMIT 1")
    assert version is not None
    assert (version["version"], version["document"]["enter"]["schedule"]) == (2, {"at": "2099-05-01 09:00"})
    assert "spring of 2099-05-01 09:00 +09:00: cancelled; 0 people had it by then" in await todoke("cancel", "spring")
    with pytest.raises(ValueError, match="is cancelled; give another time with --at"):
        await todoke("spring", "--yes")
    with pytest.raises(ValueError, match="no broadcast `spring` is planned or under way"):
        await todoke("cancel", "spring")


async def test_now_is_this_minute(pool: Pool) -> None:
    """Of the shop's clock."""
    await todoke("spring.yaml", "--at", "now", "--yes")
    due = await pool.fetchval("SELECT due_at FROM broadcasts")
    assert timedelta() <= datetime.now(UTC) - due < timedelta(minutes=2)


async def test_what_is_no_broadcast_is_told(pool: Pool, tmp_path: Path) -> None:
    """A campaign of events, a name that nobody has, a time that is past, another time for what repeats."""
    greeting = Campaign.model_validate(
        {
            "campaign": "greeting",
            "class": "marketing",
            "enter": {"on": "line.follow"},
            "steps": [{"send": "news"}],
            "messages": {"news": [{"type": "text", "text": "こんにちは"}]},
        }
    )
    weekly = Campaign.model_validate(
        {**greeting.to_document(), "campaign": "weekly", "enter": {"schedule": {"every": "friday", "at": "12:00"}}}
    )
    await publish(pool, [greeting, weekly])
    (tmp_path / "past.yaml").write_text(CAMPAIGN.replace("2099", "2020"))
    for words, why in (
        (("greeting",), "`greeting` has no schedule"),
        (("nobody",), "there is no file `nobody`, and no campaign of this name is published"),
        (("past.yaml",), "its time is past"),
        (("weekly", "--at", "now"), "--at is for a campaign that goes once"),
    ):
        with pytest.raises(ValueError, match=why):
            await todoke(*words, "--yes")
    assert await states(pool) == []
