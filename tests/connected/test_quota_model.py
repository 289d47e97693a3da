"""Whatever LINE answers, whoever dies, whatever is published: nothing passes a limit or a budget, no place is lost.

Two dispatchers on a real ledger, LINE in memory, and a clock; three campaigns, two of them with budgets that change.
"""

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.broadcasts import campaign
from tests.support.deliveries import request, user_named
from tests.support.dispatching import Bench
from tests.support.mishaps import LONG, Fate, Passes, Round, Shift, play_all, rounds
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_dispatcher.reconciling import Reconciler
from todoke_shared.contracts.requests import Lane

EXAMPLES = 300 if LONG else 20
LIMIT = 14
BAD = user_named("bad")
CAMPAIGNS = ("sale", "care", None)


@dataclass(frozen=True)
class Owed:
    """A campaign's requests come, alike or each with words of its own, one of them perhaps to an id that is none."""

    campaign: str | None
    number: int
    lane: Lane
    alike: bool
    bad: bool


@dataclass(frozen=True)
class Published:
    """Another budget."""

    campaign: str
    messages: int | None


@dataclass(frozen=True)
class ByHand:
    """Somebody sends in LINE's own manager, and LINE is asked."""

    messages: int


Step = Owed | Round | Published | ByHand | Passes
FAULTS: list[Fault | None] = ["monthly", None, None, "reset_after_accept", "rate", "server_error", "monthly", "reset"]
FATES: list[Fate] = ["lives", "lives", "dies before it records"]
ROUNDS = rounds(FAULTS, FATES, rooms=[20, 20, 2])
OWED = st.builds(
    Owed,
    st.sampled_from(CAMPAIGNS),
    st.integers(1, 6),
    st.sampled_from(["marketing", "marketing", "transactional"]),
    st.sampled_from([True, True, False]),
    st.booleans(),
)
PASSES = st.builds(Passes, st.sampled_from([0.3, 15.0, 600.0]))
PUBLISHED = st.builds(Published, st.sampled_from(["sale", "care"]), st.sampled_from([None, 1, 3, 8]))
STEPS = st.one_of(
    ROUNDS, ROUNDS, ROUNDS, ROUNDS, OWED, OWED, PASSES, PASSES, PUBLISHED, st.builds(ByHand, st.integers(0, 3))
)


class Month(Shift):
    """With a LINE whose month we share, and what has been published."""

    def __init__(self, bench: Bench) -> None:
        line = MemoryLine(never_existed=frozenset({BAD}))
        super().__init__(bench, line, monthly_limit=LIMIT, transactional_reserve=0.2)
        self.reconciler = Reconciler(bench.pool, bench.clock, line, ["main"], lambda: 0.5)
        self.budgets: dict[str, int | None] = {}
        self.most: dict[str, int | None] = {}
        """What a campaign may have sent: its budget, or what it had sent before that was lowered."""
        self.owed = itertools.count()

    async def play(self, steps: list[Step]) -> None:
        """The steps happen, the books are right after each; then all settles."""
        await self.bench.pool.execute(
            "TRUNCATE deliveries, multicasts, quotas, campaign_quotas, quota_days, rates, channels, outbox, consumed, "
            "scheduler.campaign_versions"
        )
        for name in ("sale", "care"):
            await self.publish(Published(name, 3))
        for step in [Owed("sale", 5, "marketing", True, False), Owed(None, 4, "marketing", True, True), *steps]:
            await self.do(step)
            await self.check()
        await self.settle()

    async def do(self, step: Step) -> None:
        """One step. While time passes, an operator sees to what LINE has parked."""
        match step:
            case Owed():
                await self.take(step)
            case Published():
                await self.publish(step)
            case ByHand(messages):
                self.line.by_hand += messages
                await self.bench.pool.execute("UPDATE quotas SET ask_line_at = '-infinity'")
                await self.reconciler.ask_some()
            case Round():
                await self.happen(step)
            case Passes():
                await self.happen(step)
                await self.open_channel()

    async def take(self, step: Owed) -> None:
        """See `Owed`."""
        requests = []
        for index in range(step.number):
            name = f"m{next(self.owed)}"
            to = BAD if step.bad and index == 0 else user_named(name)
            requests.append(request(name, text="alike" if step.alike else name, to=to, campaign=step.campaign))
        await self.bench.take(self.dispatchers[0], *requests, lane=step.lane)

    async def publish(self, step: Published) -> None:
        """See `Published`. What a campaign may have sent by then, it had before."""
        budget: dict[str, Any] = {} if step.messages is None else {"budget": {"messages": step.messages}}
        await self.bench.publish(campaign(step.campaign, **budget))
        self.budgets[step.campaign] = step.messages
        used = (await self.bench.owed()).get(step.campaign, 0)
        self.most[step.campaign] = None if step.messages is None else max(step.messages, used)
        for dispatcher in self.dispatchers:
            await dispatcher.release_held()

    async def check(self) -> None:
        """The month is what has its place in it, by campaign and by day too; LINE has taken no more than that."""
        placed = await self.bench.pool.fetch(
            "SELECT lane, campaign, count(*) AS n FROM deliveries WHERE quota_month IS NOT NULL GROUP BY lane, campaign"
        )
        by_lane, by_campaign = Counter[str](), Counter[str]()
        for row in placed:
            by_lane[row["lane"]] += row["n"]
            by_campaign[row["campaign"] or ""] += row["n"]
        month = await self.bench.pool.fetchrow("SELECT * FROM quotas") or {"transactional": 0, "marketing": 0}
        assert {lane: month[lane] for lane in channels.LANES} == {lane: by_lane[lane] for lane in channels.LANES}
        del by_campaign[""]
        assert Counter(await self.bench.owed()) == by_campaign
        days = await self.bench.pool.fetchval("SELECT coalesce(sum(messages), 0)::int FROM quota_days")
        assert days == by_lane.total() <= LIMIT
        for name, most in self.most.items():
            assert most is None or by_campaign[name] <= most
        taken = await self.taken()
        assert taken <= Counter(by_campaign) + Counter({"": taken[""]})
        assert taken.total() <= by_lane.total()

    async def taken(self) -> Counter[str]:
        """How many messages LINE has taken, by campaign."""
        rows = await self.bench.pool.fetch("SELECT user_id, campaign, request FROM deliveries")
        owner = {row["user_id"]: row["campaign"] or "" for row in rows}
        return Counter(owner[to] for one in self.line.accepted for to in one.to)

    async def settle(self) -> None:
        """Nothing is left but what is held, and that for good reason."""
        states = await self.come_to_an_end({"waiting", "attempting"}, seconds=15, times=100)
        await self.check()
        assert states.keys() <= {"accepted", "failed", "held"}, states
        assert (await self.taken()).total() == states.get("accepted", 0) == await self.bench.reserved()
        await self.nobody_is_held_without_need()

    async def nobody_is_held_without_need(self) -> None:
        """Where something is held, its campaign's budget is used up, or the month of its lane."""
        month = await self.bench.pool.fetchrow("SELECT * FROM quotas")
        assert month is not None
        kept = max(3, month["transactional"])  # a fifth of 14, rounded up
        room = {
            "transactional": LIMIT - month["transactional"] - month["marketing"] - month["elsewhere"],
            "marketing": LIMIT - kept - month["marketing"] - month["elsewhere"],
        }
        owed = await self.bench.owed()
        for row in await self.bench.pool.fetch("SELECT lane, campaign FROM deliveries WHERE state = 'held'"):
            budget = self.budgets.get(row["campaign"])
            assert room[row["lane"]] <= 0 or (budget is not None and owed.get(row["campaign"], 0) >= budget)


def test_no_limit_is_passed_and_no_place_lost_whatever_happens(postgres_dsn: str) -> None:
    """Requests, rounds, lost answers, refusals, deaths, other budgets, messages by hand, and time, in any order."""

    async def play(bench: Bench, steps: list[Step]) -> None:
        await Month(bench).play(steps)

    play_all(postgres_dsn, EXAMPLES, st.lists(STEPS, min_size=6, max_size=18), play)
