"""People in PostgreSQL: a batch reads, locks and saves all of its people in a handful of statements."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from todoke_segmenter.domain.state import PersonState, join, published_facts
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps_text
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "people.sql")
_STATE = msgspec.json.Decoder(PersonState)
_ENCODER = msgspec.json.Encoder()

Identifier = tuple[str, str]
"""(shop, identifier)"""


@dataclass
class People:
    """The people of a batch, locked. Change them by `put` and `link`; `save_people` writes what changed."""

    ids: dict[Identifier, UUID]
    states: dict[UUID, PersonState]
    shops: dict[UUID, str]
    changed: set[UUID] = field(default_factory=set)
    merged: dict[UUID, UUID] = field(default_factory=dict)

    def of(self, shop: str, identifier: str) -> UUID:
        """Who is known by this identifier."""
        return self.ids[shop, identifier]

    def put(self, person: UUID, state: PersonState) -> None:
        """What is now known of a person."""
        if self.states[person] != state:
            self.states[person] = state
            self.changed.add(person)

    def link(self, shop: str, identifiers: Iterable[str]) -> UUID:
        """All these identifiers are one person: join those who were thought to be several, and give the one."""
        persons = sorted({self.of(shop, identifier) for identifier in identifiers})
        survivor, *losers = persons
        for loser in losers:
            self.put(survivor, join(self.states[survivor], self.states.pop(loser)))
            self.changed.discard(loser)
            self.merged[loser] = survivor
        if losers:
            gone = set(losers)
            self.ids = {key: survivor if person in gone else person for key, person in self.ids.items()}
            self.merged = {old: survivor if new in gone else new for old, new in self.merged.items()}
        return survivor


async def lock_people(connection: Connection, identifiers: Iterable[Identifier]) -> People:
    """Find or make the people behind these identifiers, and lock them until the transaction ends."""
    wanted = sorted(set(identifiers))
    ids = await _find(connection, wanted)
    missing = [key for key in wanted if key not in ids]
    if missing:
        await _create(connection, missing)
        ids |= await _find(connection, missing)
    shops = {person: shop for (shop, _), person in ids.items()}
    states: dict[UUID, PersonState] = {}
    to_lock = set(ids.values())
    while to_lock:
        rows = await connection.fetch(_SQL["lock_people"], sorted(to_lock))
        # Merged by a rival batch between our look-up and our lock: follow to the survivor.
        moved = {row["person_id"]: row["merged_into"] for row in rows if row["merged_into"] is not None}
        states |= {row["person_id"]: _STATE.decode(row["state"]) for row in rows if row["merged_into"] is None}
        ids = {key: moved.get(person, person) for key, person in ids.items()}
        shops |= {survivor: shops[person] for person, survivor in moved.items()}
        to_lock = set(moved.values()) - states.keys()
    return People(ids, states, shops)


async def save_people(connection: Connection, people: People) -> None:
    """Write what changed: states, friend status, merges."""
    changed = sorted(people.changed)
    if changed:
        states = [people.states[person] for person in changed]
        await connection.execute(
            _SQL["save_people"],
            changed,
            [_ENCODER.encode(state).decode() for state in states],
            [dumps_text(published_facts(state)) for state in states],
        )
    if people.merged:
        await connection.execute(_SQL["merge_people"], list(people.merged), list(people.merged.values()))
    await _save_friends(connection, people)


async def _find(connection: Connection, identifiers: list[Identifier]) -> dict[Identifier, UUID]:
    rows = await connection.fetch(
        _SQL["persons_of"], [shop for shop, _ in identifiers], [name for _, name in identifiers]
    )
    return {(row["shop"], row["identifier"]): row["person_id"] for row in rows}


async def _create(connection: Connection, identifiers: list[Identifier]) -> None:
    persons = [person_id(shop, name) for shop, name in identifiers]
    shops = [shop for shop, _ in identifiers]
    await connection.execute(_SQL["create_people"], persons, shops)
    await connection.execute(_SQL["create_identities"], shops, [name for _, name in identifiers], persons)


async def _save_friends(connection: Connection, people: People) -> None:
    rows = []
    for person in sorted(people.changed):
        for key, status in people.states[person].friendships.items():
            account, _, user_id = key.partition(":")
            rows.append((account, user_id, people.shops[person], person, status.friend, status.at))
    if rows:
        columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(_SQL["save_friends"], *columns)
