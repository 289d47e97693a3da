"""`todoke quota`: what the month has, in a table and for programs; `todoke quota unpark`."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.broadcasts import Pool, campaign
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.settings import DispatcherSettings
from todoke_local.cli import app
from todoke_local.quota_words import ACCOUNTS, CAMPAIGNS
from todoke_local.rooms import migrate_rooms
from todoke_local.settings import RESERVE
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.postgres.pool import open_pool

CONFIG = """
accounts:
  main:
    channel_secrets: [env:SECRET]
    access_token: env:TOKEN
    monthly_limit: 1000
    price_yen: 2.5
    included: 300
  other:
    channel_secrets: [env:SECRET]
    access_token: env:TOKEN
"""
HELD = """
INSERT INTO deliveries
    (message_id, account, lane, state, shop, user_id, campaign, request, reason, received_at, changed_at)
SELECT gen_random_uuid(), 'main', 'marketing', $1, 'main', 'U', 'sale', '{}', 'budget of sale', now(), now()
  FROM generate_series(1, $2)
"""


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Pool]:
    """A month of 1,000 of which 460 are used, 60 of them sent by hand; a campaign at its budget, with messages held."""
    await migrate_rooms(postgres_dsn)
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.setenv("TODOKE_CONFIG", str(tmp_path / "config.yaml"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=1) as scheduler:
        await publish(scheduler, [campaign("sale", budget={"yen": 500})])
    month = month_of(datetime.now(UTC))
    async with await open_pool(postgres_dsn, application="test", schema="dispatcher", size=1) as opened:
        await opened.execute(
            "INSERT INTO quotas (account, month, transactional, marketing, parked, line_limit, line_used, line_ours, "
            "line_at, elsewhere) VALUES ('main', $1, 150, 250, 'marketing', 900, 450, 390, '2026-11-21T03:00:00Z', 60)",
            month,
        )
        await opened.execute("INSERT INTO campaign_quotas (month, campaign, messages) VALUES ($1, 'sale', 200)", month)
        await opened.execute(HELD, "held", 7)
        await opened.execute(HELD, "waiting", 2)
        yield opened


async def todoke(*words: str, code: int = 0) -> str:
    """What `todoke quota …` says."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, app, ["quota", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


async def test_the_table_says_how_each_month_stands(pool: Pool) -> None:
    """Limit, reserve, ours by lane, LINE's count and when, what is left, waits and is held, yen; and each budget."""
    lines = (await todoke()).splitlines()
    assert lines[2].split("\t") == list(ACCOUNTS)
    main = dict(zip(ACCOUNTS, lines[3].split("\t"), strict=True))
    assert main["forecast"] == "462", "what is used, and the two that wait"
    told = [main[name] for name in ACCOUNTS if name != "forecast"]
    assert told == [
        *("main", "900", "90", "150", "250", "60", "0", "2", "7", "400", "405"),
        *("900", "450", "+60", "2026-11-21 12:00 +09:00", "parked: marketing"),
    ]
    other = dict(zip(ACCOUNTS, lines[4].split("\t"), strict=True))
    assert (other["limit"], other["yen"], other["LINE counts"]) == ("none", "", "not asked yet")
    assert lines[6].split("\t") == list(CAMPAIGNS)
    assert lines[7].split("\t") == ["sale", "200", "200", "0", "7", "500"]


async def test_programs_get_everything(pool: Pool) -> None:
    """Numbers as numbers, and null where nobody has said."""
    told = json.loads(await todoke("--json"))
    main, other = told["accounts"]
    assert {name: main[name] for name in ("used", "limit", "reserve", "held", "waiting", "forecast", "yen")} == {
        "used": 460,
        "limit": 900,
        "reserve": 90,
        "held": 7,
        "waiting": 2,
        "forecast": 462,
        "yen": 400.0,
    }
    assert main["line"] == {"limit": 900, "used": 450, "ours_then": 390, "at": "2026-11-21T03:00:00+00:00"}
    assert (main["room"], main["parked"]) == ({"transactional": 440, "marketing": 0}, "marketing")
    assert (other["limit"], other["yen"], other["line"], other["room"]["marketing"]) == (None, None, None, None)
    assert told["campaigns"] == [{"campaign": "sale", "used": 200, "budget": 200, "held": 7, "yen": 500.0}]


async def test_a_parked_account_is_unparked(pool: Pool) -> None:
    """By an operator who knows that LINE takes messages again; a second time there is nothing to do."""
    assert (await todoke("unpark", "main")).startswith("main goes on since ")
    assert await pool.fetchval("SELECT parked FROM quotas") is None
    assert (await todoke("unpark", "main")).startswith("main is not parked")
    with pytest.raises(ValueError, match="there is no account mian in TODOKE_CONFIG; it has: main, other"):
        await todoke("unpark", "mian")


def test_the_commands_reserve_is_the_dispatchers() -> None:
    """Where nothing is set, what is shown as left is what they leave."""
    assert DispatcherSettings.model_fields["transactional_reserve"].default == RESERVE
