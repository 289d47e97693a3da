"""Whatever LINE answers and whoever dies whenever: nobody is sent a message twice, nobody is left out, all is told.

Two dispatchers on a real ledger, LINE in memory, and a clock. A dispatcher may die, or sleep, between any two of claim,
send and record; both work in turns.
"""

from collections import Counter
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.deliveries import crowd, request, user_named
from tests.support.dispatching import Bench
from tests.support.mishaps import LONG, Fate, Passes, Round, Shift, Token, Wakes, play_all, rounds
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_shared.jsons import loads

EXAMPLES = 500 if LONG else 40
PEOPLE = 20
BAD = frozenset({user_named("p18"), user_named("p19")})
DAY = 86_400.0
"""How long LINE keeps a retry key."""

LEDGER = """
SELECT user_id, request, state FROM deliveries
UNION ALL
SELECT unnest(user_ids), request, CASE state WHEN 'told' THEN 'accepted' ELSE state END FROM crowds
"""


@dataclass(frozen=True)
class Owed:
    """Requests come, for whomever, also the same again: each by itself, or for all of them at once."""

    people: list[int]
    text: str
    at_once: bool = False


HELD = "SELECT message_id FROM deliveries WHERE state = 'held'"
Step = Owed | Round | Wakes | Token | Passes
FAULTS: list[Fault | None] = [
    None,
    "reset_after_accept",
    "reset_after_accept",
    "monthly",
    "rate",
    "server_error",
    "reset",
    "garbage_200",
]
FATES: list[Fate] = ["lives", "lives", "dies before it records", "dies before it sends", "sleeps"]
ROUNDS = rounds(FAULTS, FATES, rooms=[20, 20, 3])
PASSES = st.builds(Passes, st.sampled_from([0.25, 2.0, 15.0, 15.0, 600.0, DAY]))
"""Retries, ends of leases, and ends of keys."""
OWED = st.builds(
    Owed, st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=12), st.sampled_from("ab"), st.booleans()
)
STEPS = st.one_of(ROUNDS, ROUNDS, ROUNDS, PASSES, PASSES, OWED, st.just(Wakes()), st.builds(Token, st.booleans()))


class Broadcasts(Shift):
    """With a LINE to which some ids are nobody's."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, MemoryLine(never_existed=BAD))
        self.owed: Counter[tuple[str, str]] = Counter()

    async def play(self, steps: list[Step], *, at_once: bool) -> None:
        """A broadcast to good ids waits, the steps happen, and everything comes to its end."""
        tables = "deliveries, multicasts, crowds, quotas, rates, channels, outbox, consumed"
        await self.bench.pool.execute(f"TRUNCATE {tables}")
        await self.take(Owed(list(range(PEOPLE - len(BAD))), "a", at_once))
        for step in steps:
            await (self.take(step) if isinstance(step, Owed) else self.happen(step))
            received = self.received()
            assert received <= self.owed, received - self.owed
            await self.check_holds()
        await self.check(await self.come_to_an_end({"waiting", "attempting", "held"}, seconds=15, times=200))

    async def take(self, step: Owed) -> None:
        """The next records of the topic."""
        first = self.owed.total()
        for person in step.people:
            self.owed[user_named(f"p{person}"), step.text] += 1
        names = [f"m{first + index}" for index in range(len(step.people))]
        users = [user_named(f"p{person}") for person in step.people]
        told = {"text": step.text, "campaign": "news", "step": step.text}
        if step.at_once:
            await self.bench.take(self.dispatchers[0], crowd(*names, to=users, **told))
            return
        apart = (request(name, to=user, **told) for name, user in zip(names, users, strict=True))
        await self.bench.take(self.dispatchers[0], *apart)

    def pass_time(self, seconds: float) -> None:
        """LINE forgets retry keys, too."""
        super().pass_time(seconds)
        if seconds == DAY:
            self.line.forget_keys()

    def received(self) -> Counter[tuple[str, str]]:
        """How often LINE has taken which text for whom."""
        return Counter(
            (to, loads(taken.body)["messages"][0]["text"]) for taken in self.line.accepted for to in taken.to
        )

    async def check(self, states: dict[str, int]) -> None:
        """Accepted means received, failed means a bad id, unknown is told; the month counts all that LINE may have."""
        rows = await self.bench.pool.fetch(LEDGER)
        by_state: dict[str, Counter[tuple[str, str]]] = {}
        for row in rows:
            text = loads(row["request"])["messages"][0]["text"]
            by_state.setdefault(row["state"], Counter())[row["user_id"], text] += 1
        assert states.keys() <= {"accepted", "failed", "unknown"}, states
        accepted, unknown = by_state.get("accepted", Counter()), by_state.get("unknown", Counter())
        assert accepted <= self.received() <= accepted + unknown
        assert by_state.get("failed", Counter()) + unknown >= Counter(
            {key: number for key, number in self.owed.items() if key[0] in BAD}
        )
        assert all(user in BAD for user, _ in by_state.get("failed", Counter()))
        assert sum(states.values()) == self.owed.total() == len(rows)
        assert await self.bench.reserved() >= states.get("accepted", 0) + states.get("unknown", 0)
        ended = Counter((each.message, each.state) for each in await self.bench.outcomes() if each.state != "held")
        assert len(ended) == ended.total() == len(rows), "each is told how it ended, once"
        await self.check_told()

    async def check_holds(self) -> None:
        """What stands still is told so, and why."""
        held = {row["message_id"] for row in await self.bench.pool.fetch(HELD)}
        told = {each.message for each in await self.bench.outcomes() if each.state == "held" and each.reason}
        assert held <= told

    async def check_told(self) -> None:
        """Each outcome says what the ledger has: whose step, in which lane, LINE's id of the request, why."""
        ledger = {row["message_id"]: row for row in await self.bench.pool.fetch("SELECT * FROM deliveries")}
        taken = {each.request_id for each in self.line.accepted}
        for each in await self.bench.outcomes():
            assert each.message is not None
            row = ledger.get(each.message)
            if row is None:  # it left in its crowd
                assert (each.state, each.lane, each.campaign) == ("accepted", "marketing", "news")
                assert each.step
                assert each.line_request_id in taken
                continue
            assert (each.lane, each.campaign, each.step) == (row["lane"], row["campaign"], row["step"])
            if each.state == "held":
                continue
            assert (each.state, each.line_request_id) == (row["state"], row["line_request_id"])
            if each.state == "accepted":
                assert each.line_request_id in taken
            else:
                assert each.reason
                assert each.reason == row["reason"]
            if each.state == "failed":
                assert each.line_request_id, "LINE has no logs for its users: its id is all there is to ask with"


def test_nobody_twice_and_nobody_left_out_whatever_happens(postgres_dsn: str) -> None:
    """Requests, rounds, answers and lost answers, refusals, deaths and time, in any order."""

    async def play(bench: Bench, story: tuple[list[Step], bool]) -> None:
        steps, at_once = story
        await Broadcasts(bench).play(steps, at_once=at_once)

    play_all(postgres_dsn, EXAMPLES, st.tuples(st.lists(STEPS, min_size=10, max_size=25), st.booleans()), play)
