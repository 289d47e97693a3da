"""`todoke broadcast`: shown first, then sent; listed; cancelled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.broadcasts import Pool, add_people, befriend, crowd, knows
from tests.support.broadcasts import campaign as broadcast_of
from todoke_dispatcher.domain.quota import month_of
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

HELD = """
INSERT INTO dispatcher.deliveries
    (message_id, account, lane, state, shop, user_id, campaign, request, reason, received_at, changed_at)
SELECT gen_random_uuid(), 'main', 'marketing', 'held', 'main', 'U', $1, '{}', 'held', now(), now()
  FROM generate_series(1, $2)
"""
THIS_MONTH = month_of(datetime.now(UTC))


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


async def test_what_does_not_fit_into_the_month_needs_a_word_of_its_own(pool: Pool, tmp_path: Path) -> None:
    """It is said before anything is planned; `--yes` is not enough."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{limit}", "5"))
    with pytest.raises(ValueError, match="does not fit into the month of account main, and nothing was planned"):
        await todoke("spring.yaml", "--yes")
    assert await states(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM campaign_versions") == 0
    shown = await todoke("spring.yaml", "--yes", "--as-far-as-it-fits")
    assert "messages  up to 10; 6 more than the 4 that the month has left\n" in shown
    assert await states(pool) == [("spring", "planned")]
    assert await pool.fetchval("SELECT expected FROM broadcasts") == 4


async def test_its_cost_is_shown_before_it_goes(pool: Pool, tmp_path: Path) -> None:
    """In yen at the account's price, as far as the plan's fee does not cover it; without a price it is not guessed."""
    assert "cost      not known: the account has no `price_yen`" in await todoke("spring.yaml", answer="n\n", code=1)
    priced = CONFIG.replace("{limit}", "100") + "    price_yen: 2.5\n"
    (tmp_path / "config.yaml").write_text(priced)
    assert "cost      up to 25 yen: 10 messages at 2.5 yen\n" in await todoke("spring.yaml", answer="n\n", code=1)
    (tmp_path / "config.yaml").write_text(priced + "    included: 4\n")
    shown = await todoke("spring.yaml", answer="n\n", code=1)
    assert "cost      up to 15 yen: 10 messages at 2.5 yen, of which the plan's fee covers some\n" in shown


async def test_a_budget_is_a_will_of_its_own(pool: Pool, tmp_path: Path) -> None:
    """The campaign says where it stops, so nobody is asked again; that much is expected of it."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{limit}", "8"))
    (tmp_path / "spring.yaml").write_text(CAMPAIGN + "budget: {messages: 6}\n")
    shown = await todoke("spring.yaml", "--yes")
    assert "up to 10; stops at 6 by its budget, and holds the others, 86% of the 7 that the month has left\n" in shown
    assert await pool.fetchval("SELECT expected FROM broadcasts") == 6


async def test_what_waits_is_held_or_planned_is_counted_first(pool: Pool, tmp_path: Path) -> None:
    """Of others as of its own; of a campaign with a budget no more than that allows; next month's is next month's."""
    await publish(pool, [broadcast_of("capped", budget={"messages": 4}), broadcast_of("other", "2099-04-01 09:00")])
    await pool.executemany(HELD, [("capped", 30), ("spring", 5), ("free", 7)])
    now = datetime.now(UTC)
    await pool.executemany(
        "INSERT INTO broadcasts (broadcast_id, campaign, due_at, next_at, expected) "
        "VALUES (gen_random_uuid(), $1, $2, $2, $3)",
        [("other", now, 11), ("other", now + timedelta(days=40), 1000)],
    )
    shown = await todoke("spring.yaml", "--at", "now", answer="n\n", code=1)
    assert "messages  up to 10; 27 wait, are held or planned already, 16% of the 63 that the month has left\n" in shown


async def test_the_next_months_room_is_whole(pool: Pool) -> None:
    """What this month has used is not held against a broadcast of a later one; what is held by then is."""
    await pool.execute("INSERT INTO dispatcher.quotas (account, month, marketing) VALUES ('main', $1, 90)", THIS_MONTH)
    await pool.executemany(HELD, [("spring", 5)])
    with pytest.raises(ValueError, match="does not fit into the month"):
        await todoke("spring.yaml", "--at", "now", "--yes")
    shown = await todoke("spring.yaml", answer="n\n", code=1)
    assert "messages  up to 10; 5 wait, are held or planned already, 12% of the 85 that the month has left\n" in shown


async def test_another_time_makes_another_version_and_a_cancelled_one_stays_so(pool: Pool) -> None:
    """`--at` stands for the time in the file; what was cancelled does not go by being asked for again."""
    await todoke("spring.yaml", "--yes")
    await todoke("spring", "--at", "2099-05-01 09:00", "--yes")
    version = await pool.fetchrow("SELECT * FROM campaign_versions ORDER BY version DESC LIMIT 1")
    assert version is not None
    assert (version["version"], version["document"]["enter"]["schedule"]) == (2, {"at": "2099-05-01 09:00"})
    told = await todoke("cancel", "spring")
    assert "spring of 2099-05-01 09:00 +09:00: cancelled; 0 people were in it by then. What LINE does not have" in told
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
