"""Whatever LINE answers, whoever dies whenever, whatever token comes again: no message reaches anybody twice.

Two dispatchers on a real ledger, LINE in memory with its one-use tokens, and a clock. A dispatcher may die, or sleep,
between any two of claim, send and record; both work in turns. What ends unknown is told, and never sent again.
"""

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.support.deliveries import request, user_named
from tests.support.dispatching import Bench
from tests.support.mishaps import LONG, Fate, Passes, Round, Shift, Token, Wakes, play_all, rounds
from todoke_dispatcher.adapters.memory import Fault, MemoryLine
from todoke_shared.contracts.requests import Lane
from todoke_shared.jsons import loads

EXAMPLES = 500 if LONG else 30
PEOPLE = ("hana", "ken", "yui")
LIMIT = 6


@dataclass(frozen=True)
class Writes:
    """A person does something that may be answered; LINE takes the token, or has forgotten it already."""

    person: str
    good: bool


@dataclass(frozen=True)
class Repeats:
    """LINE delivers an old event again, and the topic's record comes again: with whatever token it had."""

    which: int


@dataclass(frozen=True)
class Owed:
    """A message of one or three objects, some of them with buttons."""

    person: str
    lane: Lane
    objects: int
    asks: bool


@dataclass(frozen=True)
class Talks:
    """Both: somebody does something, and is answered."""

    writes: Writes
    owed: Owed


Step = Writes | Repeats | Owed | Talks | Round | Wakes | Token | Passes
FAULTS: list[Fault | None] = [
    "reset_after_accept",
    "reset_after_accept",
    *[None] * 3,
    "reset",
    "server_error",
    "garbage_200",
    "rate",
    "monthly",
]
FATES: list[Fate] = ["lives", "lives", "lives", "dies before it records", "dies before it sends", "sleeps"]
ROUNDS = rounds(FAULTS, FATES)
WRITES = st.builds(Writes, st.sampled_from(PEOPLE), st.sampled_from([True, True, True, False]))
OWED = st.builds(
    Owed,
    st.sampled_from(PEOPLE),
    st.sampled_from(["transactional", "marketing", "marketing"]),
    st.sampled_from([1, 1, 3]),
    st.booleans(),
)
TALKS = st.builds(Talks, WRITES, OWED)
PASSES = st.builds(Passes, st.sampled_from([0.25, 2.0, 21.0, 31.0, 61.0]))
"""Idle tokens, tokens that are over, replies of which nobody tells."""
OTHERS = st.one_of(st.builds(Repeats, st.integers(0, 9)), st.just(Wakes()), st.builds(Token, st.booleans()), PASSES)
STEPS = st.one_of(ROUNDS, ROUNDS, ROUNDS, TALKS, TALKS, OWED, WRITES, OTHERS)


class Conversations(Shift):
    """With a LINE that sends no more than LIMIT paid messages this month."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench, MemoryLine(), monthly_limit=LIMIT)
        self.told: list[tuple[str, str]] = []
        self.owed: dict[str, str] = {}
        """Whose each message is, by what its first object says."""

    async def play(self, steps: list[Step]) -> None:
        """The steps happen, and everything comes to its end."""
        tables = "deliveries, multicasts, replies, reply_tokens, quotas, rates, channels, outbox, consumed"
        await self.bench.pool.execute(f"TRUNCATE {tables}")
        for step in steps:
            await self.do(step)
            self.check_line()
        states = await self.come_to_an_end({"waiting", "attempting"}, seconds=31, times=60)
        self.check_line()
        await self.check(states)

    async def do(self, step: Step) -> None:
        """One step."""
        match step:
            case Writes():
                await self.write(step)
            case Repeats(which) if self.told:
                await self.repeat(*self.told[which % len(self.told)])
            case Repeats():
                pass
            case Owed():
                await self.take(step)
            case Talks(writes, owed):
                await self.write(writes)
                await self.take(replace(owed, person=writes.person))
            case _:
                await self.happen(step)

    async def write(self, step: Writes) -> None:
        """See `Writes`."""
        token = await self.bench.give_token(self.dispatchers[0], self.line, step.person)
        self.told.append((step.person, token))
        if not step.good:
            del self.line.tokens["main", token]

    async def repeat(self, person: str, token: str) -> None:
        """See `Repeats`. LINE knows of the token what it knew before."""
        known = dict(self.line.tokens)
        again = {"replyToken": token, "deliveryContext": {"isRedelivery": True}}
        await self.bench.give_token(self.dispatchers[1], self.line, person, **again)
        self.line.tokens = known

    async def take(self, step: Owed) -> None:
        """The next record of its lane's topic."""
        name = f"m{len(self.owed)}"
        self.owed[name] = user_named(step.person)
        texts: list[dict[str, object]] = [
            {"type": "text", "text": f"{name} {number}" if number else name} for number in range(step.objects)
        ]
        if step.asks:
            texts[-1]["quickReply"] = {"items": [{"type": "action"}]}
        wanted = request(name, to=user_named(step.person), messages=texts)
        await self.bench.take(self.dispatchers[0], wanted, lane=step.lane)

    def received(self) -> Counter[str]:
        """How often LINE has taken which message; all of its objects, in order, by whom it is for."""
        found: Counter[str] = Counter()
        for taken in self.line.accepted:
            texts = [each["text"] for each in loads(taken.body)["messages"]]
            names = [text for text in texts if " " not in text]
            for name in names:
                start = texts.index(name)
                mine = [text for text in texts[start:] if text.split(" ")[0] == name]
                assert mine == texts[start : start + len(mine)], "a message came apart"
                assert taken.to == (self.owed[name],), "somebody else's message"
                found[name] += 1
        return found

    def check_line(self) -> None:
        """Nobody twice, no token twice, no more paid than the month has; what has buttons is last."""
        assert all(number == 1 for number in self.received().values()), self.received()
        spent = Counter(loads(body)["replyToken"] for key, body in self.line.requests if key is None)
        assert all(number == 1 for number in spent.values()), spent
        for taken in self.line.accepted:
            messages = loads(taken.body)["messages"]
            assert len(messages) <= 5
            assert not any("quickReply" in message for message in messages[:-1])
        assert self.line.paid <= LIMIT

    async def check(self, states: dict[str, int]) -> None:
        """Accepted is received, held is not, unknown is told; the month counts what was paid, and no reply."""
        assert states.keys() <= {"accepted", "unknown", "held"}, states
        rows = await self.bench.pool.fetch("SELECT request, state, quota_month, reply_id FROM deliveries")
        by_state: dict[str, set[str]] = {}
        for row in rows:
            by_state.setdefault(row["state"], set()).add(loads(row["request"])["messages"][0]["text"])
        received = set(self.received())
        assert by_state.get("accepted", set()) <= received
        assert received <= by_state.get("accepted", set()) | by_state.get("unknown", set())
        assert sum(states.values()) == len(self.owed)
        assert all(row["quota_month"] is None for row in rows if row["reply_id"])
        assert await self.bench.reserved() == sum(row["quota_month"] is not None for row in rows)
        ended = Counter(each.message for each in await self.bench.outcomes() if each.state != "held")
        assert ended.total() == len(ended) == states.get("accepted", 0) + states.get("unknown", 0)


def test_nobody_twice_whatever_becomes_of_a_reply(postgres_dsn: str) -> None:
    """Conversations, requests, rounds, answers and lost answers, deaths, redeliveries and time, in any order."""

    async def play(bench: Bench, steps: list[Step]) -> None:
        await Conversations(bench).play(steps)

    play_all(postgres_dsn, EXAMPLES, st.lists(STEPS, min_size=20, max_size=30), play)
