"""The serial reader: takes events one after the other, knows what it was told so far, and says what becomes true.

Read in the order in which things happened it says what is true in the end. Read in the order in which the segmenter
handled them it says what could be known at each moment: triggers are decided by that, and by nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from tests.support.serial.identities import Label, WhoIsWho, named, says_who_is_who
from tests.support.serial.person import Known, is_about_friendship, know
from tests.support.serial.rules import CART, QUIET, SLEEP, Holds, On, Plan
from tests.support.serial.told import Told, Who

CLOCK = "clock"
CART_OR_ORDER = CART | {"order.placed"}


class Fired(NamedTuple):
    """A trigger: for whom, because of which event (or `CLOCK`, and when). `cart`: what a reminder would name."""

    campaign: str
    kind: str
    who: Label
    key: str
    cause: str
    at: datetime | None
    cart: frozenset[tuple[str, int]] = frozenset()


@dataclass
class _Person:
    events: list[Told] = field(default_factory=list)
    segments: set[str] | None = None  # None: never asked


class SerialReader:
    """Everything read so far: `people`, `members` of segments, `products`, and the triggers (`settled`)."""

    def __init__(self, segments: Mapping[str, Holds], plans: Sequence[Plan]) -> None:
        self.who_is_who = WhoIsWho()
        self._fired: dict[tuple[str, ...], Fired] = {}
        self._segments = segments
        self._plans = plans
        self._people: defaultdict[Label, _Person] = defaultdict(_Person)
        self._friendships: defaultdict[Who, list[Told]] = defaultdict(list)
        self._line_users: defaultdict[str, set[Who]] = defaultdict(set)
        self._labels: defaultdict[str, dict[Label, None]] = defaultdict(dict)
        self._households: dict[Label, str] = {}
        self._known: dict[Label, Known] = {}
        self._catalogue: list[Told] = []
        self._due: list[tuple[datetime, str, Label]] = []

    def read_all(self, batches: Iterable[tuple[datetime, Sequence[Told]]]) -> "SerialReader":
        """Read what was handled at each instant, in order."""
        for now, batch in batches:
            self.tick(now)
            for told in batch:
                self.read(told, now)
        return self

    def read(self, told: Told, now: datetime) -> None:
        """One event that was not read before."""
        if not told.subject:
            self._catalogue.append(told)
            return
        for label in self._labels[told.household]:
            self._known.pop(label, None)
        touched = self._learn(told) if says_who_is_who(told) else []
        before = None
        if is_about_friendship(told):
            label = self.who_is_who.whose(told.who)
            self._friendships[told.who].append(told)
            self._line_users[told.household].add(told.who)
        else:
            label = self.who_is_who.whose(told.who, told.at)
            self._meet(label, told.household)
            before = self.known(label) if told.type in CART_OR_ORDER else None
            self._known.pop(label, None)
            self._people[label].events.append(told)
        self._meet(label, told.household)
        self._fire_by_event(told, label)
        if before is not None:
            self._fire_late(told, label, before)
        for one in dict.fromkeys((*touched, label)):
            self._ask(one, now, told)

    def tick(self, now: datetime) -> None:
        """Time has come to `now`: whoever is due is asked at the very instant."""
        while self._due and self._due[0][0] <= now:
            instant, _, label = heappop(self._due)
            if label in self._people:
                self._ask(label, instant, None)

    def known(self, label: Label) -> Known:
        """All that was told of a person."""
        if label not in self._known:
            mine = [
                told
                for user in self._line_users[self._households[label]]
                if self.who_is_who.whose(user) == label
                for told in self._friendships[user]
            ]
            self._known[label] = know(self._people[label].events, mine)
        return self._known[label]

    @property
    def people(self) -> dict[Label, Known]:
        """Everybody of whom anything is known."""
        return {label: self.known(label) for labels in self._labels.values() for label in labels}

    @property
    def products(self) -> dict[tuple[str, str], tuple[str, float, int]]:
        """The catalogue: what was said last of each product."""
        found = {}
        for told in sorted(self._catalogue, key=lambda told: told.at):
            product = told.data["product"]
            found[told.shop, product["product_id"]] = product["name"], product["price"], product["stock"]
        return found

    @property
    def members(self) -> dict[Label, set[str]]:
        """Who is in which segments, of those who were ever asked."""
        return {label: person.segments for label, person in self._people.items() if person.segments is not None}

    def settled(self) -> list[Fired]:
        """The triggers, with everybody as they are called in the end."""
        return [fired._replace(who=self.who_is_who.now(fired.who)) for fired in self._fired.values()]

    def _meet(self, label: Label, household: str) -> None:
        self._labels[household][label] = None
        self._households[label] = household

    def _learn(self, told: Told) -> list[Label]:
        """Who turned out to be whom; everybody whose friendships changed hands, or who were joined."""
        users = [(told.shop, name) for name in named(told) if name.startswith("line:")]
        before = {user: self.who_is_who.whose(user) for user in users}
        self.who_is_who.hear(told)
        touched: list[Label] = []
        for label in list(self._labels[told.household]):
            if (now := self.who_is_who.now(label)) != label:
                del self._labels[told.household][label]
                self._meet(now, told.household)
                self._join(label, now)
                touched.append(now)
        for user, giver in before.items():
            taker = self.who_is_who.whose(user)
            if taker != giver and self._friendships[user]:
                touched += [self.who_is_who.now(giver), taker]
                for one in touched:
                    self._meet(one, told.household)
        return touched

    def _join(self, old: Label, new: Label) -> None:
        gone, kept = self._people.pop(old, _Person()), self._people[new]
        kept.events += gone.events
        if gone.segments is not None:
            kept.segments = (kept.segments or set()) | gone.segments

    def _fire_by_event(self, told: Told, label: Label) -> None:
        for plan, kind, rule in self._rules(told):
            if told.type in rule.types and (rule.fires is None or rule.fires(self.known(label), told)):
                self._fire(plan, kind, label, told, told.at)

    def _fire_late(self, told: Told, label: Label, before: Known) -> None:
        """An older event shows that the cart's last change was decided on too little: what is true, just after it."""
        last = self.known(label).cart_changed_at
        if last is None or last <= told.at:
            return
        for plan, kind, rule in self._rules(told):
            if (
                rule.fires
                and rule.types & CART
                and rule.fires(self.known(label), told)
                and not rule.fires(before, told)
            ):
                self._fire(plan, kind, label, told, last + timedelta(microseconds=1))

    def _rules(self, told: Told | None) -> Iterator[tuple[Plan, str, On]]:
        """Whom a trigger may concern, what ends a run first."""
        for plan in self._plans if told is None or not told.is_silent else ():
            yield from ((plan, "goal", rule) for rule in plan.goals)
            yield from ((plan, "exit", rule) for rule in plan.exits)
            if told is None or not told.standby:
                yield plan, "enter", plan.enter

    def _fire(self, plan: Plan, kind: str, label: Label, told: Told | None, at: datetime | None) -> None:
        """One event ends a campaign, or starts it, once: what is said of it last ends, or starts, more."""
        cause, key = (CLOCK, "") if told is None else (told.id, _run_key(plan, kind, told))
        is_reminder = kind == "enter" and told is not None and told.type in CART
        cart = frozenset(self.known(label).cart.items()) if is_reminder else frozenset()
        place = (plan.name, kind, *map(str, label), cause, str(at) if told is None else "")
        self._fired[place] = Fired(plan.name, kind, label, "" if at is None else key, cause, at, cart)

    def _ask(self, label: Label, now: datetime, told: Told | None) -> None:
        person, known = self._people[label], self.known(label)
        was = person.segments or set()
        person.segments = {name for name, holds in self._segments.items() if holds(known, now)}
        for name, after in (("last seen", QUIET), ("last order", SLEEP)):
            if name in known.instants and known.instants[name] + after > now:
                heappush(self._due, (known.instants[name] + after, str(label), label))
        for plan, kind, rule in self._rules(told):
            if _moved(rule, was, person.segments):
                self._fire(plan, kind, label, told, now if told is None else None)


def _moved(rule: On, was: set[str], now: set[str]) -> bool:
    return (rule.entered in now - was) or (rule.left in was - now)


def _run_key(plan: Plan, kind: str, told: Told) -> str:
    match plan.per:
        case "event":
            return str(told.key) if kind == "enter" else ""
        case "order" | "cart":
            return str(told.data.get(f"{plan.per}_id", ""))
    return ""
