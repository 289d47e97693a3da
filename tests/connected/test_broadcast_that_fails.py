"""A broadcast that fails, whatever the reason: the others go on, and so does it when it can."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.broadcasts import add_people, befriend, campaign, crowd, go_through, open_stage
from todoke_scheduler.broadcasting import FAILED_REST
from todoke_scheduler.domain import broadcasts as rules

NOON = datetime(2026, 4, 1, 3, tzinfo=UTC)
"""Of Tokyo, when `campaign()` is due."""
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a bad page, say'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON broadcasts FOR EACH ROW
    WHEN (NEW.campaign = 'odd' AND NEW.cursor > OLD.cursor) EXECUTE FUNCTION refuse()
"""


async def test_a_broadcast_that_fails_holds_up_no_other(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was due first, and would be the first to have a turn for ever; when it can go on, everybody has it once."""
    monkeypatch.setattr(rules, "CHUNK", 10)
    people = crowd(25)
    async with open_stage(postgres_dsn, NOON - timedelta(minutes=2)) as stage:
        await add_people(stage.pool, people)
        await befriend(stage.pool, people)
        await stage.publish(campaign("odd", at="2026-04-01 11:59"), campaign("sale"))
        await stage.pool.execute(REFUSE)
        broadcaster = await stage.broadcaster()
        await broadcaster.plan()
        stage.clock.move_to(NOON)
        await go_through(broadcaster)
        assert [(row["campaign"], row["state"]) for row in await stage.rows()] == [("odd", "planned"), ("sale", "done")]
        assert await stage.asked() == people
        await stage.pool.execute("DROP TRIGGER refuse ON broadcasts")
        await go_through(broadcaster)
        assert await stage.asked() == people
        stage.clock.move_to(NOON + FAILED_REST)
        await go_through(broadcaster)
        assert await stage.asked() == people + people
        assert [row["state"] for row in await stage.rows()] == ["done", "done"]
