"""Budgets of campaigns on a real ledger: reserved with the month's quota, held beyond it, and in nobody's way."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.broadcasts import campaign
from tests.support.deliveries import NOON, message_named, request, user_named
from tests.support.dispatching import Bench, open_bench
from todoke_dispatcher.adapters import budgets
from todoke_dispatcher.adapters.channels import QuotaExceededError
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.quota import month_of
from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.jsons import loads
from todoke_shared.postgres.queries import load_queries

DECEMBER = datetime.fromisoformat("2026-12-01T00:00:00+09:00")
NEWS = "新茶が届きました"


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger of this test's own, and a campaign `sale` with a budget of three messages a month."""
    async with open_bench(postgres_dsn) as bench:
        await bench.publish(campaign("sale", budget={"messages": 3}), campaign("care"))
        yield bench


def owed_by(name: str, number: int, first: int = 0, **fields: Any) -> list[MessageRequest]:
    """So many requests of a campaign, each for somebody else."""
    return [request(f"{name}{index}", campaign=name, **fields) for index in range(first, first + number)]


async def settle(dispatcher: Dispatcher) -> int:
    """Go on until nothing more happens at this instant; gives how many messages were settled."""
    settled = 0
    for _ in range(30):
        some = await dispatcher.send_some()
        settled += some
        if not some:
            return settled
    raise AssertionError("it goes round and round: what is held is released only to be held again")


async def reasons(bench: Bench) -> dict[str, int]:
    """Why messages are held."""
    rows = await bench.pool.fetch("SELECT reason, count(*) AS n FROM deliveries WHERE state = 'held' GROUP BY reason")
    return {row["reason"]: row["n"] for row in rows}


@pytest.mark.parametrize("lane", ["marketing", "transactional"])
async def test_a_campaign_stops_at_its_budget_and_no_other_does(bench: Bench, lane: Lane) -> None:
    """In either lane. What is beyond is held once, with its reason, and not looked at again and again."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *owed_by("sale", 5), *owed_by("care", 4), request("nobody's"), lane=lane)
    assert await settle(dispatcher) == 10
    assert (len(line.accepted), await reasons(bench)) == (8, {"budget of sale": 2})
    assert await bench.owed() == {"care": 4, "sale": 3}
    for _ in range(3):
        assert await dispatcher.send_some() == 0
    assert len([each for each in await bench.outcomes() if each.state == "held"]) == 2
    assert await bench.states() == {"accepted": 8, "held": 2}


async def test_a_multicast_is_shrunk_before_it_is_stored(bench: Bench) -> None:
    """Ten with one content and room for three: one request for three, and the others are of no group."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *owed_by("sale", 10, text=NEWS), *owed_by("care", 4, text=NEWS))
    assert await settle(dispatcher) == 14
    assert sorted(len(each.to) for each in line.accepted) == [3, 4]
    assert await reasons(bench) == {"budget of sale": 7}
    assert (
        await bench.pool.fetchval("SELECT count(*) FROM deliveries WHERE state = 'held' AND multicast_id IS NULL") == 7
    )
    assert await bench.owed() == {"care": 4, "sale": 3}


async def test_a_raised_budget_lets_held_messages_go(bench: Bench) -> None:
    """A version is published, and as many go as it has room for, the oldest first; in a new month, the next ones."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    for index in range(8):
        await bench.take(dispatcher, *owed_by("sale", 1, index))
        await settle(dispatcher)
        bench.clock.move_to(bench.clock.now() + timedelta(seconds=1))
    await bench.publish(campaign("sale", budget={"messages": 5}))
    await settle(dispatcher)
    assert sorted(each.to for each in line.accepted) == sorted((user_named(f"sale{index}"),) for index in range(5))
    held = [each.message for each in await bench.outcomes() if each.message and each.state == "held"]
    assert sorted(held) == sorted(message_named(f"sale{index}") for index in range(3, 8)), "each is told once"
    await bench.publish(campaign("sale", budget={"messages": 1}))
    await settle(dispatcher)
    assert (len(line.accepted), await reasons(bench)) == (5, {"budget of sale": 3}), "less than is used already"
    bench.clock.move_to(DECEMBER)
    await settle(dispatcher)
    assert (len(line.accepted), await bench.owed()) == (6, {"sale": 6})
    await bench.publish(campaign("sale"))
    await settle(dispatcher)
    assert await bench.states() == {"accepted": 8}


async def test_what_a_budget_holds_keeps_nobody_from_the_months_room(bench: Bench) -> None:
    """Older messages of a campaign whose budget is used up stay where they are: others may use the room."""
    line = MemoryLine()
    small = bench.dispatcher(line, monthly_limit=3, transactional_reserve=0)
    await bench.take(small, *owed_by("sale", 3))
    await settle(small)
    bench.clock.move_to(NOON + timedelta(seconds=1))
    await bench.take(small, *owed_by("sale", 6, 3))
    await settle(small)
    bench.clock.move_to(NOON + timedelta(seconds=2))
    await bench.take(small, *owed_by("care", 2))
    await settle(small)
    assert await reasons(bench) == {"monthly limit": 8}
    bigger = bench.dispatcher(line, monthly_limit=5, transactional_reserve=0)
    await settle(bigger)
    assert await bench.owed() == {"care": 2, "sale": 3}
    assert await reasons(bench) == {"monthly limit": 6}
    assert len([each for each in await bench.outcomes() if each.state == "held"]) == 8, "no second time"


async def test_what_line_refuses_leaves_the_budget(bench: Bench) -> None:
    """A 400 costs nothing: its place is the next one's."""
    line = MemoryLine()
    dispatcher = bench.dispatcher(line)
    await bench.take(dispatcher, *owed_by("sale", 2, text=""), request("bad", text="", campaign="sale"))
    assert await settle(dispatcher) == 3
    assert (await bench.states(), await bench.owed()) == ({"failed": 3}, {"sale": 0})
    await bench.take(dispatcher, *owed_by("sale", 4, 10))
    await settle(dispatcher)
    assert (len(line.accepted), await bench.owed()) == (3, {"sale": 3})


async def test_yen_are_counted_at_the_accounts_price(bench: Bench) -> None:
    """Ten yen at three a message are three messages; where nobody has said a price, none goes, and none is lost."""
    line = MemoryLine()
    await bench.publish(campaign("dear", budget={"yen": 10}))
    unpriced = bench.dispatcher(line)
    await bench.take(unpriced, *owed_by("dear", 5))
    await settle(unpriced)
    assert (line.accepted, await reasons(bench)) == ([], {"budget of dear": 5})
    await settle(bench.dispatcher(line, price_yen=Decimal(3)))
    assert (len(line.accepted), await reasons(bench)) == (3, {"budget of dear": 2})


async def test_a_budget_that_this_release_cannot_read_sends_nothing(bench: Bench) -> None:
    """A newer release's kind of budget is not "no budget"; nothing is lost, and that release sends it."""
    await bench.pool.execute(
        "INSERT INTO scheduler.campaign_versions (campaign, version, document) VALUES ('care', 2, $1)",
        {**campaign("care").to_document(), "budget": {"messages_a_day": 5}},
    )
    dispatcher = bench.dispatcher(MemoryLine())
    await bench.take(dispatcher, *owed_by("care", 2))
    await settle(dispatcher)
    assert await reasons(bench) == {"budget of care": 2}


async def test_a_group_of_last_month_asks_for_its_places_anew(bench: Bench) -> None:
    """Formed in November without a time slot, sent in December: what December's budget does not allow is held."""
    line = MemoryLine()
    await bench.publish(campaign("sale", budget={"messages": 6}))
    dispatcher = bench.dispatcher(line)
    await bench.use_up("multicast")
    await bench.take(dispatcher, *owed_by("sale", 5, text=NEWS))
    await settle(dispatcher)
    assert (line.accepted, await bench.owed()) == ([], {"sale": 5})
    await bench.publish(campaign("sale", budget={"messages": 2}))
    bench.clock.move_to(DECEMBER)
    await settle(dispatcher)
    assert [len(each.to) for each in line.accepted] == [2]
    assert await reasons(bench) == {"budget of sale": 3}
    assert await bench.owed() == {"sale": 2}, "November's places were given back"


async def test_a_reservation_beyond_the_budget_is_refused_by_the_database(bench: Bench) -> None:
    """The last line of defence, whatever a dispatcher believes: nothing is counted, the claim rolls back."""
    month = month_of(NOON)
    async with bench.pool.acquire() as connection, connection.transaction():
        assert await budgets.lock(connection, month, {"sale", "care"}) == {"sale": 0, "care": 0}
        await budgets.reserve(connection, month, {"sale": 2, "care": 9}, {"sale": 3, "care": None})
    with pytest.raises(QuotaExceededError, match="the messages of sale do not fit into the budget"):
        async with bench.pool.acquire() as connection, connection.transaction():
            await budgets.reserve(connection, month, {"sale": 2, "care": 1}, {"sale": 3})
    assert await bench.owed() == {"care": 9, "sale": 2}


async def test_what_a_budget_holds_is_not_read_in_search_of_others(bench: Bench) -> None:
    """Ten thousand are held by a budget and three by the month: PostgreSQL touches the three."""
    await bench.pool.execute(
        "INSERT INTO deliveries (message_id, account, lane, state, shop, user_id, campaign, request, next_attempt_at, "
        "received_at, changed_at) SELECT gen_random_uuid(), 'main', 'marketing', 'held', 'main', 'U', "
        "CASE WHEN number <= 3 THEN 'care' ELSE 'sale' END, '{}', now(), now(), now() "
        "FROM generate_series(1, 10003) AS number"
    )
    await bench.pool.execute("ANALYZE deliveries")
    release = load_queries("todoke_dispatcher.adapters", "deliveries.sql")["release_held"]
    told = await bench.pool.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {release}", "main", "marketing", NOON, 10, ["sale"], [0]
    )
    touched = sum(rows_of(loads(told)[0]["Plan"]))
    assert 3 <= touched < 50, f"{touched} rows of deliveries were read"
    assert await bench.states() == {"held": 10_000, "waiting": 3}


def rows_of(plan: dict[str, Any]) -> list[float]:
    """How many rows each scan of the ledger in a plan gave or threw away."""
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    own = (
        [rows * plan["Actual Loops"]]
        if plan.get("Relation Name") == "deliveries" and "Scan" in plan["Node Type"]
        else []
    )
    return own + [number for part in plan.get("Plans", []) for number in rows_of(part)]
