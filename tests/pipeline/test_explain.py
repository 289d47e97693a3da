"""`todoke explain PERSON CAMPAIGN`: what happened to somebody, from the runs, the decision log and the ledger."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.pipeline.test_language_stories import HANA, HOUR, NOON, campaign, story
from tests.support.line_webhooks import line_user_id
from tests.support.shop_events import event, line_subject
from todoke_local.cli import app
from todoke_shared.ids import person_id


async def explain(*words: str) -> list[str]:
    """What `todoke explain …` answers, without the ids of runs."""
    result = await asyncio.to_thread(CliRunner().invoke, app, ["explain", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return ["run" if line.startswith("run ") else line for line in result.output.splitlines()]


async def test_a_story_is_told_from_the_first_step_to_the_last(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under any name of the person; with what was decided, what LINE took, and how the run stands."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    steps: list[dict[str, Any]] = [{"send": "hello"}, {"wait": "1h"}, {"send": "vip", "if": {"tags": {"has": "vip"}}}]
    async with story(postgres_dsn, campaign(steps), campaign(steps, campaign="other")) as told:
        linked = {"identifiers": [line_subject("hana")]}
        await told.pipeline.post(event("customer.identified", "customer:42", NOON, linked))
        await told.trigger(person=person_id("main", line_subject("hana")))
        await told.pipeline.run_until(NOON + 2 * HOUR)
        by_customer = await explain("customer:42", "care")
        assert by_customer[0] == "run"
        assert [line.strip().partition("  ")[2] for line in by_customer[1:]] == [
            "came in, and follows version 1",
            "message hello: accepted by LINE",
            "send vip (steps[2]): not sent: its condition does not hold",
            "went through to the end of its steps",
        ]
        assert by_customer[1].strip().startswith("2026-04-01 12:00")
        assert await explain(str(HANA), "care") == by_customer
        assert await explain(f"line:main:{line_user_id('hana')}", "care") == by_customer
        assert (await explain("customer:42", "other"))[0] == "no run"


async def test_who_is_refused_is_told_why(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that came to nothing has its reason, under the run that came before it."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    once = campaign([{"send": "hello"}], enter={"on": "call", "again": "never"})
    async with story(postgres_dsn, once) as told:
        await told.trigger()
        told.pipeline.clock.move_to(NOON + timedelta(days=1))
        await told.trigger()
        lines = await explain(line_subject("hana"), "care")
        assert lines[-2:] == [
            "entries that were refused",
            "  2026-04-02 12:00  entered before, and the campaign says never again",
        ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("customer:9", "care"), "nobody is known as `customer:9`"),
        (("customer:9", "cure"), "no campaign `cure` is published"),
    ],
)
async def test_a_name_that_nobody_has_is_said_in_words(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str], said: str
) -> None:
    """Of people and of campaigns."""
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", postgres_dsn)
    async with story(postgres_dsn, campaign([{"send": "hello"}])):
        with pytest.raises(ValueError, match=said):
            await explain(*words)
