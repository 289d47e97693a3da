"""Who is who: which person an identifier means, now and at any time before (docs/adr/0018).

| what happens | what becomes of it |
|---|---|
| an event names several customers | they are one person for good: their states are joined |
| it names a customer and a visitor or LINE user that was nobody's | their past is joined to the customer's |
| … and one that was another member's | it is this customer's from then on, if no later login is known; no join |
| it names no customer, but a LINE user and a visitor | the same, with the LINE user in the customer's place |
| customer.unidentified | the identifier is a person of its own from then on, if no later login is known |

Whose an identifier is follows from the set of its logins and their times, in whatever order they are told. What was
folded into somebody stays with them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

import msgspec

from todoke_shared.contracts.subjects import line_user
from todoke_shared.ids import person_id

MAX_LINKS = 16
"""Logins of one identifier that are told apart, the newest: enough for a family's tablet. Older ones are one past."""

Key = tuple[str, str]
"""(shop, identifier)"""


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """From `at` on the identifier is `person`'s, by the event `by`; with `leaves`, only if it was that one's so far."""

    at: datetime
    by: UUID
    person: UUID
    leaves: UUID | None = None


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """`first`: whose the identifier was before all of its `links`, which stand in the order of their times."""

    first: UUID
    links: tuple[Link, ...] = ()

    @property
    def people(self) -> set[UUID]:
        """Everybody whose it was, is or might be."""
        named = {link.person for link in self.links} | {link.leaves for link in self.links if link.leaves is not None}
        return {self.first} | named


@dataclass(frozen=True)
class Merge:
    """`loser` turned out to be `survivor`."""

    loser: UUID
    survivor: UUID


@dataclass(frozen=True)
class Move:
    """An identifier is no longer the giver's but the taker's."""

    key: Key
    giver: UUID
    taker: UUID


@dataclass(frozen=True)
class Birth:
    """A person of whom nothing is known yet."""

    person: UUID
    shop: str


Effect = Merge | Move | Birth


class Identities:
    """The identifiers of a batch. `link` and `unlink` say what their events make of the people.

    `known`: the identifiers that events name, and all those of people whom links concern. `became`: who was found to be
    whom.
    """

    def __init__(self, known: Mapping[Key, Identity], became: Mapping[UUID, UUID]) -> None:
        self._known = dict(known)
        self._became = dict(became)
        self.changed: set[Key] = set()

    @cached_property
    def _owned(self) -> dict[UUID, set[Key]]:
        """Identifiers by person: asked for by links alone, which are few."""
        owned: dict[UUID, set[Key]] = {}
        for key in self._known:
            owned.setdefault(self.owner(key), set()).add(key)
        return owned

    def knows(self, key: Key) -> bool:
        """Whether it is anybody's."""
        return key in self._known

    def identity(self, key: Key) -> Identity:
        """What is known of an identifier, with people as they are called now."""
        identity = self._known[key]
        links = tuple(
            Link(link.at, link.by, self._now(link.person), None if link.leaves is None else self._now(link.leaves))
            for link in identity.links
        )
        return Identity(self._now(identity.first), links)

    def owner(self, key: Key, at: datetime | None = None) -> UUID:
        """Whose an identifier was at an instant, after what happened in it; now, when none is given."""
        identity = self._known[key]
        if not identity.links:
            return self._now(identity.first)
        return self._follow(identity, [link for link in identity.links if at is None or link.at <= at])

    def link(self, keys: Iterable[Key], at: datetime, by: UUID) -> list[Effect]:
        """All these identifiers were one person at `at`, by the event `by`."""
        effects: list[Effect] = []
        customers, line_users, visitors = _by_kind(keys)
        anchors = customers or line_users
        for key in anchors[1:]:
            one, other = self.owner(anchors[0], at), self.owner(key, at)
            # A shop may say that two of its customers are one; about LINE users it is only a guess of the producer's.
            if customers or self._may_be_one(other, one):
                effects += self._merge(one, other)
        if not anchors:
            for key in visitors[1:]:
                one, other = self.owner(visitors[0], at), self.owner(key, at)
                effects += self._merge(one, other) if self._may_be_one(other, one) else []
            return effects
        for key in (*line_users, *visitors) if customers else visitors:
            effects += self._place(key, anchors[0], at, by)
        return effects

    def unlink(self, subject: Key, keys: Iterable[Key], at: datetime, by: UUID) -> list[Effect]:
        """From `at` on the visitors and LINE users among `keys` are not the subject; a customer's own id stays."""
        customers, line_users, visitors = _by_kind(keys)
        if _is_customer(subject) or not customers:
            pairs = [(key, subject) for key in (*line_users, *visitors)]
        else:
            pairs = [(subject, customer) for customer in customers]
        effects: list[Effect] = []
        for key, whose in pairs:
            shop, name = key
            alone = person_id(shop, f"{name}|{by}")
            effects.append(Birth(alone, shop))
            effects += self._add(key, Link(at, by, alone, leaves=self.owner(whose, at)))
        return effects

    def _place(self, key: Key, anchor: Key, at: datetime, by: UUID) -> list[Effect]:
        effects: list[Effect] = []
        identity, person = self._known[key], self.owner(anchor, at)
        before = self._follow(identity, [link for link in identity.links if (link.at, link.by) < (at, by)])
        if self._may_be_one(before, person, besides=key):
            effects += self._merge(before, person)
        return [*effects, *self._add(key, Link(at, by, self.owner(anchor, at)))]

    def _add(self, key: Key, link: Link) -> list[Effect]:
        was, identity = self.owner(key), self._known[key]
        links = sorted((*identity.links, link), key=lambda known: (known.at, known.by))
        self._known[key] = self._shortened(Identity(identity.first, tuple(links)))
        self.changed.add(key)
        return self._moved(key, was)

    def _moved(self, key: Key, was: UUID) -> list[Effect]:
        owner = self.owner(key)
        if owner == was:
            return []
        self.changed.add(key)
        self._owned.setdefault(was, set()).discard(key)
        self._owned.setdefault(owner, set()).add(key)
        return [Move(key, was, owner)]

    def _merge(self, one: UUID, other: UUID) -> list[Effect]:
        if one == other:
            return []
        survivor, loser = sorted((one, other))
        self._became[loser] = survivor
        owned = self._owned.setdefault(survivor, set())
        owned |= self._owned.pop(loser, set())
        # Whoever left one of the two has now left both.
        linked = {key: whose for whose, keys in self._owned.items() for key in keys if self._known[key].links}
        left = [move for key in sorted(linked) for move in self._moved(key, linked[key])]
        return [Merge(loser, survivor), *left]

    def _may_be_one(self, one: UUID, other: UUID, *, besides: Key | None = None) -> bool:
        """Whether nothing speaks against it: two members, or two users of one LINE account. `besides` is not asked."""
        ones, others = self._owned.get(one, set()) - {besides}, self._owned.get(other, set()) - {besides}
        if any(map(_is_customer, ones)) and any(map(_is_customer, others)):
            return one == other
        return one == other or not (_accounts(ones) & _accounts(others))

    def _follow(self, identity: Identity, links: Iterable[Link]) -> UUID:
        owner = self._now(identity.first)
        for link in links:
            owner = self._after(link, owner)
        return owner

    def _after(self, link: Link, owner: UUID) -> UUID:
        stays = link.leaves is not None and self._now(link.leaves) != owner
        return owner if stays else self._now(link.person)

    def _now(self, person: UUID) -> UUID:
        while person in self._became:
            person = self._became[person]
        return person

    def _shortened(self, identity: Identity) -> Identity:
        """Of one person's logins in a row the first and the last; of all logins the newest."""
        first, links = identity.first, list(identity.links)
        for index in range(len(links) - 2, 0, -1):
            if self._are_one_persons(links[index - 1 : index + 2]):
                del links[index]
        while len(links) > MAX_LINKS:
            first = self._after(links.pop(0), self._now(first))
        return Identity(first, tuple(links))

    def _are_one_persons(self, links: list[Link]) -> bool:
        return all(link.leaves is None for link in links) and len({self._now(link.person) for link in links}) == 1


def _by_kind(keys: Iterable[Key]) -> tuple[list[Key], list[Key], list[Key]]:
    """Customers, LINE users and visitors, each in one order."""
    found = sorted(set(keys))
    line_users = [key for key in found if line_user(key[1]) is not None]
    customers = [key for key in found if _is_customer(key)]
    return customers, line_users, [key for key in found if key not in customers and key not in line_users]


def _is_customer(key: Key) -> bool:
    return key[1].startswith("customer:")


def _accounts(keys: Iterable[Key]) -> set[str]:
    """The LINE accounts that know the person."""
    return {user.account for _, name in keys if (user := line_user(name)) is not None}
