"""`todoke campaigns preview`: messages as real people would read them; nothing is written, nothing is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from tests.support.broadcasts import LONG_AGO, Pool, add_people, befriend, crowd, knows
from todoke_local.cli import app
from todoke_local.rooms import migrate_rooms
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.campaigns.source import load_campaign
from todoke_shared.ids import person_id
from todoke_shared.people import PersonState
from todoke_shared.people.registers import Register
from todoke_shared.postgres.pool import open_pool

SALE = """campaign: sale
class: marketing
enter: {schedule: {at: 2099-04-01 12:00}, when: {gender: female}}
steps: [coupon: spring, send: news, send: points]
messages:
  news:
    - {type: text, text: "{{ person.name }}様に {{ coupon.code }}"}
  points:
    - {type: text, text: "残り {{ person.points | points }}"}
"""
CONFIRM = """campaign: confirm
class: transactional
zone: America/New_York
enter: {on: order.placed, when: {event.amount: {at_least: 1}, gender: female}, per: order}
steps: [send: thanks]
messages:
  thanks:
    - type: flex
      altText: "{{ person.name }}様 {{ event.amount | yen }} {{ event.paid_at | jptime }}"
      contents:
        type: bubble
        body:
          type: box
          layout: vertical
          contents:
            - {for: item, in: cart, most: 3, each: {type: text, text: "{{ item.name }}"}}
            - {type: text, text: "{{ event.memo | default('-', true) }}"}
"""
WOMAN, MAN = person_id("main", "customer:42"), person_id("main", "customer:7")


@pytest.fixture
async def pool(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Pool]:
    """Ten women of whom nobody knows points, a woman who has 1,200 and a cart, five men, friends all of them."""
    await migrate_rooms(postgres_dsn)
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sale.yaml").write_text(SALE, encoding="utf-8")
    (tmp_path / "confirm.yaml").write_text(CONFIRM, encoding="utf-8")
    async with await open_pool(postgres_dsn, application="test", schema="scheduler", size=2) as opened:
        await add_people(opened, crowd(5, 100), knows(name="太郎", gender="male"))
        await befriend(opened, crowd(5, 100))
        await add_people(opened, [WOMAN], _with_points(1200))
        await befriend(opened, [WOMAN])
        await opened.execute(
            "UPDATE segmenter.people SET facts = $2 WHERE person_id = $1",
            *(WOMAN, {"cart": [{"product_id": "a", "name": "煎茶", "quantity": 1, "price": None}]}),
        )
        await opened.execute(
            "INSERT INTO segmenter.identities (shop, identifier, person_id) VALUES ('main', 'customer:42', $1)", WOMAN
        )
        yield opened


def _with_points(balance: int) -> PersonState:
    known = knows(name="花", gender="female")
    return PersonState(profile=known.profile, points=Register(LONG_AGO, balance))


async def preview(*words: str, code: int = 0) -> str:
    """What `todoke campaigns preview …` says."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, app, ["campaigns", "preview", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


async def written(pool: Pool) -> list[int]:
    """How much is in every table of the scheduler and the dispatcher."""
    tables = await pool.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname IN ('scheduler', 'dispatcher') ORDER BY 1"
    )
    return [await pool.fetchval(f"SELECT count(*) FROM {table['name']}") for table in tables]  # noqa: S608


async def enrol(pool: Pool, person: UUID, event: dict[str, Any], **notes: Any) -> None:
    """A run that has come in by this event."""
    await pool.execute(
        "INSERT INTO enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at, position, "
        "status, context, holdout, notes) VALUES ($1, 'confirm', 1, 'main', $2, '', $3, $3, 0, 'done', $4, false, $5)",
        *(uuid4(), person, datetime.now(UTC), {"event": event}, notes),
    )


async def test_the_audience_reads_it_and_who_cannot_is_told_why(pool: Pool) -> None:
    """Of a broadcast that is a file: each message with their own values; a code of the pool is not taken for it."""
    await add_people(pool, crowd(1), knows(name="花", gender="female"))
    await befriend(pool, crowd(1))
    before = await written(pool)
    shown = await preview("sale.yaml", "--people", "5")
    assert len([line for line in shown.splitlines() if line.startswith("to ")]) == 2
    assert f"to {WOMAN}\n  news (not theirs, but a sample: coupon)\n    花様に SAMPLE-CODE\n" in shown
    assert "  points\n    残り 1,200ポイント\n" in shown
    assert "  points\n    not sent to them: messages[0].text: `person.points` is missing\n" in shown
    assert await written(pool) == before
    assert "main:U" not in shown


async def test_one_person_and_one_message_may_be_named(pool: Pool) -> None:
    """By the shop's own name of them, whether the campaign concerns them or not."""
    assert await preview("sale.yaml", "--person", "customer:42", "--message", "points") == (
        f"to {WOMAN}\n  points\n    残り 1,200ポイント\n"
    )
    [man] = crowd(1, 100)
    assert "太郎様に" in await preview("sale.yaml", "--person", str(man), "--message", "news")
    with pytest.raises(ValueError, match="`sale` has no message `point`; did you mean `points`"):
        await preview("sale.yaml", "--message", "point")
    with pytest.raises(ValueError, match="nobody is known as `customer:43`"):
        await preview("sale.yaml", "--person", "customer:43")


async def test_before_anybody_has_come_in_the_event_is_a_sample(pool: Pool) -> None:
    """Of those of whom the rest of `when` holds; their name and cart are their own."""
    shown = await preview("confirm.yaml")
    assert shown.startswith(
        f"to {WOMAN}\n  thanks (not theirs, but a sample: event)\n    (flex) 花様 1,234,567円 04:30\n"
    )
    assert "      煎茶\n" in shown
    assert "太郎" not in shown


async def test_who_came_in_reads_what_they_came_in_by(pool: Pool) -> None:
    """Of the published campaign, the newest first; LINE's objects to the letter, in the campaign's own time."""
    await publish(pool, [load_campaign(Path("confirm.yaml"))])
    await enrol(pool, WOMAN, {"amount": 5240, "paid_at": "2026-02-03T09:30:00+09:00", "memo": "長" * 10})
    told = json.loads(await preview("confirm", "--people", "1", "--json"))
    assert told == [
        {
            "person": str(WOMAN),
            "message": "thanks",
            "stand_ins": [],
            "messages": [
                {
                    "type": "flex",
                    "altText": "花様 5,240円 19:30",
                    "contents": {
                        "type": "bubble",
                        "body": {
                            "type": "box",
                            "layout": "vertical",
                            "contents": [{"type": "text", "text": "煎茶"}, {"type": "text", "text": "長" * 10}],
                        },
                    },
                }
            ],
        }
    ]


async def test_what_line_would_refuse_of_a_real_person_is_told(pool: Pool) -> None:
    """A value that no sample has: an altText of 2,000 characters."""
    await publish(pool, [load_campaign(Path("confirm.yaml"))])
    await pool.execute(
        "UPDATE segmenter.people SET state = jsonb_set(state::jsonb, '{profile,name,value}', $2) WHERE person_id = $1",
        *(WOMAN, "長" * 2000),
    )
    await enrol(pool, WOMAN, {"amount": 1, "paid_at": "2026-02-03T09:30:00Z", "memo": "a"})
    shown = await preview("confirm", "--people", "1")
    assert "not sent to them: LINE would refuse it: messages[0].altText: Length must be between 1 and 1500" in shown
    [told] = json.loads(await preview("confirm", "--people", "1", "--json"))
    assert "messages" not in told
    assert told["not_sent"].startswith("LINE would refuse it")


async def test_where_there_is_nobody_it_is_said(pool: Pool, tmp_path: Path) -> None:
    """And how to name somebody."""
    (tmp_path / "sale.yaml").write_text(SALE.replace("female", "other"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"nobody is known whom `sale` concerns.*--person customer:42"):
        await preview("sale.yaml")
    with pytest.raises(ValueError, match="there is no file `nothing`, and no campaign of this name is published"):
        await preview("nothing")
