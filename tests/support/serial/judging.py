"""The verdict on a segmenter: what it has stored and triggered, against the serial reader's word."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from tests.support.serial.identities import Label
from tests.support.serial.person import Known
from tests.support.serial.reader import CART_OR_ORDER, Fired, SerialReader
from tests.support.serial.readings import Stored, named
from tests.support.serial.rules import OWN, PLANS, SHIPPED, Holds, Plan
from tests.support.serial.told import Told
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.source import load_campaigns
from todoke_shared.segments.model import Segment
from todoke_shared.segments.source import load_segments

ROOT = Path(__file__).parents[3]
Batches: TypeAlias = "Iterable[tuple[datetime, Sequence[Told]]]"
"""What was handled together, and the shop's time then; in order."""


@dataclass(frozen=True)
class Rules:
    """The segments and campaigns in force."""

    own: Mapping[str, tuple[dict[str, object], Holds]]
    plans: Sequence[Plan]

    def segments(self) -> list[Segment]:
        """As they are published."""
        own = [Segment(segment=name, when=when) for name, (when, _) in self.own.items()]
        return [*load_segments(ROOT / "segments"), *own]

    def campaigns(self) -> list[Campaign]:
        """As they are published: the shipped ones, and the story's own."""
        own = [Campaign.model_validate(plan.document) for plan in self.plans if plan.document]
        return [*load_campaigns(ROOT / "campaigns"), *own]

    def reader(self) -> SerialReader:
        """A serial reader who knows them."""
        return SerialReader({**SHIPPED, **{name: holds for name, (_, holds) in self.own.items()}}, self.plans)


PLAIN = Rules(OWN, PLANS)


def as_it_happened(load: Iterable[Told]) -> Batches:
    """Each event by itself when it was first told, and nothing out of its place."""
    in_order = sorted(load, key=lambda told: told.sent_at or told.at)
    return [(told.sent_at or told.at, [told]) for told in in_order]


def in_one_batch(events: Iterable[Told]) -> list[Told]:
    """The order in which a batch is decided: as it happened (docs/adr/0004)."""
    return sorted(events, key=lambda told: (told.at, str(told.key)))


def differences(stored: Stored, reader: SerialReader) -> list[str]:
    """Where what is stored of people is not what the reader knows; empty when nowhere."""
    labels = stored.labels(reader.who_is_who)
    ids = {label: person for person, label in labels.items()}
    found = [] if stored.products == reader.products else [f"stored {stored.products}, told {reader.products}"]
    for label, known in reader.people.items():
        person = stored.people[ids[label]]
        found += [f"{label} {name}: stored {a!r}, told {b!r}" for name, a, b in _unlike(person, known)]
        friends = {user: friend for user, (friend, _) in known.friends.items()}
        if stored.friends.get(ids[label], {}) != friends:
            found.append(f"{label} friend_status: {stored.friends.get(ids[label])}, told {friends}")
    for label, segments in reader.members.items():
        if stored.segments[ids[label]] != segments:
            found.append(f"{label} segments: stored {stored.segments[ids[label]]}, told {segments}")
    return found


_FOR_MESSAGES = ("cart", "cart_changed_at")
"""They follow from the carts; what a message names is compared with the triggers."""


def _unlike(stored: Known, told: Known) -> list[tuple[str, object, object]]:
    pairs = [
        (one.name, getattr(stored, one.name), getattr(told, one.name))
        for one in fields(Known)
        if one.name not in _FOR_MESSAGES
    ]
    return [(name, a, _plain(b)) for name, a, b in pairs if a != _plain(b)]


def _plain(value: object) -> object:
    """Without days on which nothing was counted."""
    return {key: one for key, one in value.items() if one != {}} if isinstance(value, dict) else value


def wrongly_fired(
    actual: Iterable[Fired], stored: Stored, reader: SerialReader
) -> tuple[Counter[Fired], Counter[Fired]]:
    """Triggers that nobody owes, and those that are owed and not there; a trigger told twice is one too many."""
    found = Counter(named(actual, stored, stored.labels(reader.who_is_who)))
    owed = Counter(reader.settled())
    return found - owed, owed - found


Run: TypeAlias = "tuple[Label, datetime]"


def runs_that_last(fired: Iterable[Fired], campaign: str, lasting: timedelta) -> set[Run]:
    """Who is in a campaign from when on for so long at least, to the millisecond.

    The campaign's runs are per person and start over; an exit, or a newer entry, ends them (docs/adr/0005).
    """
    entries: defaultdict[Label, set[datetime]] = defaultdict(set)
    exits: defaultdict[Label, set[datetime]] = defaultdict(set)
    for one in fired:
        if one.campaign == campaign and one.at is not None:
            (entries if one.kind == "enter" else exits)[one.who].add(one.at)
    found = set()
    for who, starts in entries.items():
        for start in starts:
            ends = {at for at in exits[who] if at >= start} | {at for at in starts if at > start}
            if not ends or min(ends) - start >= lasting:
                found.add((who, _to_the_millisecond(start)))
    return found


def corrections(fired: Iterable[Fired], campaign: str) -> dict[Run, set[str]]:
    """What late news has made of a change of a person's cart, by that change: enter, exit, or both in turn."""
    found: defaultdict[Run, set[str]] = defaultdict(set)
    for one in fired:
        if one.campaign == campaign and one.at is not None and one.at.microsecond % 1000:
            found[one.who, _to_the_millisecond(one.at)].add(one.kind)
    return found


def _to_the_millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def unconditional(fired: Iterable[Fired]) -> Counter[tuple[str, str, str, str]]:
    """The triggers that nothing but their event decides: campaign, kind, key and cause."""
    plain = {("welcome", "enter"), ("order-confirmation", "enter")}
    return Counter((one.campaign, one.kind, one.key, one.cause) for one in fired if (one.campaign, one.kind) in plain)


def cart_owners(load: Iterable[Told], reader: SerialReader) -> set[Label]:
    """Members who have filled, emptied and ordered carts by their customer id, and by nothing else."""
    by: defaultdict[Label, set[str]] = defaultdict(set)
    for told in load:
        if told.type in CART_OR_ORDER:
            by[reader.who_is_who.whose(told.who, told.at)].add(told.subject)
    return {label for label, subjects in by.items() if subjects == {label[1]}}


def by_key(load: Iterable[Told]) -> dict[UUID, Told]:
    """Each event by its identity."""
    return {told.key: told for told in load}
