"""Two brands in one installation: what happens in one shop starts, ends and crowns nothing of the other's campaigns."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.domain import words
from todoke_scheduler.handlers import Scheduler
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
SHOP_OF = {"tea": "tea-shop", "tea-kyoto": "tea-shop", "coffee": "coffee-shop"}


def care(account: str) -> Campaign:
    """A campaign of this account."""
    return Campaign.model_validate(
        {
            "campaign": f"care-{account}",
            "class": "marketing",
            "account": account,
            "enter": {"on": "order.placed"},
            "steps": [{"wait": "1h"}, {"tag": "cared-for"}],
        }
    )


def trigger(account: str, shop: str, cause: str | None = "order.placed", **more: Any) -> Trigger:
    """As a segmenter writes it; without a cause, as another system does."""
    told = {"campaign": f"care-{account}", "shop": shop, "kind": "enter", "person": uuid4(), "at": NOON}
    return Trigger.model_validate({"id": uuid4(), "cause": cause and {"type": cause, "key": uuid4()}, **told, **more})


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The scheduler's schema, with a campaign for each account."""
    async with await open_pool(postgres_dsn, application="two-shops-test", schema="scheduler", size=2) as pool:
        await publish(pool, [care(account) for account in SHOP_OF])
        yield pool


async def entered(pool: Pool, triggers: list[Trigger], shop_of: Mapping[str, str]) -> set[tuple[str, UUID]]:
    """Who is in which campaign after these triggers."""
    scheduler = Scheduler(
        pool, FakeClock(NOON), CampaignCatalogue(pool), cluster="test", wake=lambda: None, shop_of=shop_of
    )
    records = [Record(CUSTOMER_TRIGGERS.name, 0, place, None, one.to_json()) for place, one in enumerate(triggers)]
    await scheduler.take_triggers(records)
    rows = await pool.fetch("SELECT campaign, person_id FROM enrolments WHERE status = 'active'")
    return {(row["campaign"], row["person_id"]) for row in rows}


async def test_a_shops_events_concern_its_own_campaigns(pool: Pool) -> None:
    """Every account of the shop, and none of another's; another system's own trigger is taken at its word."""
    own = [trigger("tea", "tea-shop"), trigger("tea-kyoto", "tea-shop"), trigger("coffee", "main", cause=None)]
    others = [trigger("coffee", "tea-shop"), trigger("tea", "coffee-shop"), trigger("tea", "main")]
    assert await entered(pool, [*others, *own], SHOP_OF) == {(one.campaign, one.person) for one in own}
    assert await pool.fetchval("SELECT count(*) FROM inbox") == 6
    assert await pool.fetchval("SELECT count(*) FROM decisions") == 0


async def test_an_exit_in_another_shop_ends_nothing(pool: Pool) -> None:
    """Though it names the same person."""
    run = trigger("tea", "tea-shop")
    elsewhere = trigger("tea", "coffee-shop", kind="exit", person=run.person)
    assert await entered(pool, [run, elsewhere], SHOP_OF) == {(run.campaign, run.person)}


async def test_who_calls_for_another_shops_campaign_is_told_why_nothing_came(pool: Pool) -> None:
    """In the decision log, for `todoke explain`."""
    called = trigger("tea", "coffee-shop", "campaign.start_requested")
    assert await entered(pool, [called], SHOP_OF) == set()
    [decision] = await pool.fetch("SELECT person_id, decision FROM decisions")
    assert (decision["person_id"], decision["decision"]) == (called.person, words.OF_ANOTHER_SHOP)


@pytest.mark.parametrize("shop_of", [{}, {"coffee": "coffee-shop"}])
async def test_where_nobody_can_tell_whose_an_account_is_every_shop_counts(
    pool: Pool, shop_of: Mapping[str, str]
) -> None:
    """On trial there is no file of accounts; an account that is not in it has no shop."""
    run = trigger("tea", "coffee-shop")
    assert await entered(pool, [run], shop_of) == {(run.campaign, run.person)}
