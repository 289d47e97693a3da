"""People in PostgreSQL: a batch reads, locks and saves all of its people in a handful of statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from todoke_segmenter.adapters.memberships import membership_columns, read_membership
from todoke_segmenter.domain.happening import PERSON_PREFIX, Happening
from todoke_segmenter.domain.identity import Birth, Effect, Identities, Identity, Key, Merge, Move
from todoke_segmenter.domain.segments import Membership
from todoke_segmenter.domain.segments.membership import join as join_memberships
from todoke_segmenter.domain.state import hand_over, is_published_anew, join, published_facts
from todoke_shared.contracts.subjects import LineUser, line_user
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps_text
from todoke_shared.people import PersonState, decode_state, encode_state
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "people.sql")
_IDENTITY = msgspec.json.Decoder(Identity)


@dataclass
class People:
    """The people of a batch, locked. Change them by `who` and `put`; `save_people` writes what changed.

    `published`: those whose facts or contacts, which have columns of their own, may have changed.
    """

    identities: Identities
    states: dict[UUID, PersonState]
    shops: dict[UUID, str]
    memberships: dict[UUID, Membership]
    changed: set[UUID] = field(default_factory=set)
    published: set[UUID] = field(default_factory=set)
    befriended: set[UUID] = field(default_factory=set)
    merged: dict[UUID, UUID] = field(default_factory=dict)
    born: set[UUID] = field(default_factory=set)
    left: set[UUID] = field(default_factory=set)
    touched: list[UUID] = field(default_factory=list)

    def knows(self, happening: Happening) -> bool:
        """False where it names a person by an id that is nobody's: somebody who was erased."""
        return self.identities.knows((happening.shop, happening.subject))

    def who(self, happening: Happening) -> UUID:
        """To whom it happened, after what it says of who is who."""
        shop, subject = happening.shop, (happening.shop, happening.subject)
        if happening.also:
            keys = [(shop, name) for name in (happening.subject, *happening.also)]
            self._carry_out(self.identities.link(keys, happening.at, happening.key))
        if happening.apart:
            apart = [(shop, name) for name in happening.apart]
            self._carry_out(self.identities.unlink(subject, apart, happening.at, happening.key))
        return self.identities.owner(subject, None if happening.is_about_friendship else happening.at)

    def put(self, person: UUID, state: PersonState) -> None:
        """What is now known of a person."""
        known = self.states[person]
        if state is not known:
            self.states[person] = state
            self.changed.add(person)
            self.touched.append(person)
            if is_published_anew(known, state) or state.profile is not known.profile:
                self.published.add(person)
            if state.friendships is not known.friendships:
                self.befriended.add(person)

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Birth(person, shop):
                    self.states[person], self.shops[person] = PersonState(), shop
                    self.memberships[person] = Membership()
                    self.born.add(person)
                case Merge(loser, survivor):
                    self._merge(loser, survivor)
                case Move((_, identifier), giver, taker):
                    self.left.add(giver)
                    if user := line_user(identifier):
                        self._hand_over(user, giver, taker)

    def _merge(self, loser: UUID, survivor: UUID) -> None:
        self.put(survivor, join(self.states[survivor], self.states.pop(loser)))
        both = join_memberships(self.memberships[survivor], self.memberships.pop(loser))
        self.memberships[survivor] = both
        self.merged = {old: survivor if new == loser else new for old, new in self.merged.items()} | {loser: survivor}
        for people in (self.changed, self.published, self.befriended, self.left):
            if loser in people:
                people.remove(loser)
                people.add(survivor)

    def _hand_over(self, user: LineUser, giver: UUID, taker: UUID) -> None:
        left, after = hand_over(self.states[giver], self.states[taker], f"{user.account}:{user.user_id}")
        self.put(giver, left)
        self.put(taker, after)


async def lock_people(connection: Connection, happenings: Sequence[Happening]) -> People:
    """Find or make the people whom these happenings concern, and lock them until the transaction ends."""
    locking = _Locking(connection)
    await locking.find({(happening.shop, name) for happening in happenings for name in happening.identifiers})
    linked = {(h.shop, name) for h in happenings if h.also or h.apart for name in h.identifiers}
    if linked:
        await locking.foresee_all_of(linked)
    await locking.lock()
    if linked:
        await locking.find_all_of(linked)
    return People(Identities(locking.known, locking.became), locking.states, locking.shops, locking.memberships)


@dataclass
class _Locking:
    """People found so far. A rival batch may give an identifier away, or merge two people, until they are locked."""

    connection: Connection
    known: dict[Key, Identity] = field(default_factory=dict)
    states: dict[UUID, PersonState] = field(default_factory=dict)
    shops: dict[UUID, str] = field(default_factory=dict)
    memberships: dict[UUID, Membership] = field(default_factory=dict)
    became: dict[UUID, UUID] = field(default_factory=dict)
    asked: set[UUID] = field(default_factory=set)

    async def find(self, keys: Iterable[Key]) -> None:
        """Look up whose these are; who was never heard of is a person from now on, but for a person's own id."""
        wanted = sorted(keys)
        own_ids = [key for key in wanted if key[1].startswith(PERSON_PREFIX)]
        if own_ids:
            await self._look_up_ids(own_ids)
            wanted = [key for key in wanted if key not in own_ids]
        await self._look_up(wanted)
        missing = [key for key in wanted if key not in self.known]
        if missing:
            await _create(self.connection, missing)
            await self._look_up(missing)

    async def lock(self) -> None:
        """Lock everybody found, and look again wherever somebody may have been given away before."""
        while wanted := self._not_locked():
            self.asked |= wanted
            rows = await self.connection.fetch(_SQL["lock_people"], sorted(wanted))
            for row in rows:
                self._take(row)
            left = {row["person_id"] for row in rows if row["moved"]}
            if left:
                await self._look_up(sorted(key for key, identity in self.known.items() if identity.people & left))

    async def foresee_all_of(self, keys: Iterable[Key]) -> None:
        """Whom `find_all_of` will want, as far as one can tell unlocked: to be locked with the others, in one order."""
        seen: set[UUID] = set()
        while people := {p for key in keys for p in self.known[key].people} - seen:
            seen |= people
            self._learn(await self.connection.fetch(_SQL["identities_of"], sorted(people)))

    async def find_all_of(self, keys: Iterable[Key]) -> None:
        """Every identifier of the people whom these may mean: who is linked brings all that are theirs along."""
        await self._look_up(sorted(keys))
        seen: set[UUID] = set()
        await self.lock()
        while people := {self._now(p) for key in keys for p in self.known[key].people} - seen:
            seen |= people
            self._learn(await self.connection.fetch(_SQL["identities_of"], sorted(people)))
            await self.lock()

    async def _look_up(self, keys: Sequence[Key]) -> None:
        shops, names = [shop for shop, _ in keys], [name for _, name in keys]
        self._learn(await self.connection.fetch(_SQL["persons_of"], shops, names))

    async def _look_up_ids(self, keys: Iterable[Key]) -> None:
        people = [UUID(name.removeprefix(PERSON_PREFIX)) for _, name in keys]
        for row in await self.connection.fetch(_SQL["shops_of"], people):
            person, shop = row["person_id"], row["shop"]
            self.known[shop, f"{PERSON_PREFIX}{person}"] = Identity(person)
            self.shops.setdefault(person, shop)

    def _learn(self, rows: Iterable[asyncpg.Record]) -> None:
        for row in rows:
            links = row["links"]
            identity = Identity(row["person_id"]) if links is None else _IDENTITY.decode(links)
            self.known[row["shop"], row["identifier"]] = identity
            # Whose it is now is known by the row's own person, however many its links were merged into since.
            for person in (*identity.people, row["person_id"]) if links else (identity.first,):
                self.shops.setdefault(person, row["shop"])

    def _not_locked(self) -> set[UUID]:
        return {self._now(person) for person in self.shops} - self.asked

    def _take(self, row: asyncpg.Record) -> None:
        person, survivor = row["person_id"], row["merged_into"]
        if survivor is None:
            state = self.states[person] = decode_state(row["state"])
            self.memberships[person] = read_membership(row, state)
        else:
            self.became[person] = survivor
            self.shops.setdefault(survivor, self.shops[person])

    def _now(self, person: UUID) -> UUID:
        while person in self.became:
            person = self.became[person]
        return person


async def save_people(connection: Connection, people: People, now: datetime) -> None:
    """Write what changed: states, friend status, merges, who is who. `now`: the shop's time, when they were asked."""
    if people.born:
        born = sorted(people.born)
        await connection.execute(_SQL["create_people"], born, [people.shops[person] for person in born])
    await _save_states(connection, people, now)
    if people.merged:
        await connection.execute(_SQL["merge_people"], list(people.merged), list(people.merged.values()))
    await _save_identities(connection, people)
    await _save_friends(connection, people)


async def _save_states(connection: Connection, people: People, now: datetime) -> None:
    """Of most people an event changes the state alone: ten columns are sent for the others."""
    moved = {person for person, one in people.memberships.items() if one.is_dirty or one.has_moved}
    if quiet := sorted(people.changed - moved - people.published):
        states = [encode_state(people.states[person]) for person in quiet]
        await connection.execute(_SQL["save_states"], quiet, states, now)
    if others := sorted(people.changed & people.published | moved):
        both = [(people.states[person], person in people.published) for person in others]
        await connection.execute(
            _SQL["save_people"],
            others,
            [encode_state(state) for state, _ in both],
            [_facts(state) if published else None for state, published in both],
            [state.contact("email_sha256") for state, _ in both],
            [state.contact("phone_sha256") for state, _ in both],
            *membership_columns([people.memberships[person] for person in others]),
        )


def _facts(state: PersonState) -> str:
    return dumps_text(published_facts(state))


async def _create(connection: Connection, identifiers: list[Key]) -> None:
    persons = [person_id(shop, name) for shop, name in identifiers]
    shops = [shop for shop, _ in identifiers]
    await connection.execute(_SQL["create_people"], persons, shops)
    await connection.execute(_SQL["create_identities"], shops, [name for _, name in identifiers], persons)


async def _save_identities(connection: Connection, people: People) -> None:
    keys = sorted(people.identities.changed)
    if keys:
        identities = [people.identities.identity(key) for key in keys]
        await connection.execute(
            _SQL["save_identities"],
            [shop for shop, _ in keys],
            [name for _, name in keys],
            [people.identities.owner(key) for key in keys],
            [identity.links[-1].at for identity in identities],
            [dumps_text(identity) for identity in identities],
        )
    if people.left:
        await connection.execute(_SQL["mark_moved"], sorted(people.left))


async def _save_friends(connection: Connection, people: People) -> None:
    rows = []
    for person in sorted(people.befriended):
        for key, status in people.states[person].friendships.items():
            account, _, user_id = key.partition(":")
            rows.append((account, user_id, people.shops[person], person, status.friend, status.at))
    if rows:
        columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_SQL["save_friends"], *columns)
