"""What the segmenter has stored and told, in the oracle's own words: by PostgreSQL and JSON, and none of its code."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tests.support.serial.identities import Label, WhoIsWho
from tests.support.serial.person import Known
from tests.support.serial.reader import CLOCK, Fired
from tests.support.serial.told import Told, Who
from todoke_shared.jsons import loads
from todoke_shared.kafka.records import Record

_PEOPLE = (
    "SELECT person_id, shop, state::jsonb AS state, segments FROM people WHERE merged_into IS NULL AND shop = any($1)"
)
_BECAME = "SELECT person_id, coalesce(merged_into, person_id) AS now FROM people WHERE shop = any($1)"
_IDENTITIES = "SELECT shop, identifier, person_id FROM identities WHERE shop = any($1)"
_PRODUCTS = "SELECT shop, product_id, name, price, stock FROM products WHERE shop = any($1)"
_FRIENDS = (
    "SELECT account || ':' || user_id AS name, shop, person_id, is_friend FROM friend_status WHERE shop = any($1)"
)


@dataclass(frozen=True)
class Stored:
    """People by id; `became`: who an old id is now; `owners`: whose an identifier is now."""

    people: Mapping[UUID, Known]
    segments: Mapping[UUID, set[str]]
    became: Mapping[UUID, UUID]
    owners: Mapping[Who, UUID]
    friends: Mapping[UUID, Mapping[str, bool]]
    products: Mapping[tuple[str, str], tuple[str, float, int]]

    def labels(self, who_is_who: WhoIsWho) -> dict[UUID, Label]:
        """Everybody as the oracle calls them. AssertionError where one of ours is two of theirs, or two are one."""
        labels: dict[UUID, Label] = {}
        ids: dict[Label, UUID] = {}
        for who, person in self.owners.items():
            label = who_is_who.whose(who)
            assert labels.setdefault(person, label) == label, f"{person} is {labels[person]} and {label}"
            assert ids.setdefault(label, person) == person, f"{label} is {ids[label]} and {person}"
        return labels


async def read_stored(pool: "asyncpg.Pool[asyncpg.Record]", shops: Sequence[str]) -> Stored:
    """The people of these shops. The pool's schema is the segmenter's."""
    rows = await pool.fetch(_PEOPLE, shops)
    friends: defaultdict[UUID, dict[str, bool]] = defaultdict(dict)
    for row in await pool.fetch(_FRIENDS, shops):
        friends[row["person_id"]][row["name"]] = row["is_friend"]
    return Stored(
        people={row["person_id"]: known_from(row["state"]) for row in rows},
        segments={row["person_id"]: set(row["segments"]) for row in rows},
        became={row["person_id"]: row["now"] for row in await pool.fetch(_BECAME, shops)},
        owners={(row["shop"], row["identifier"]): row["person_id"] for row in await pool.fetch(_IDENTITIES, shops)},
        friends=friends,
        products={(row[0], row[1]): (row[2], row[3], row[4]) for row in await pool.fetch(_PRODUCTS, shops)},
    )


def known_from(state: Mapping[str, Any]) -> Known:
    """A stored state, as far as the oracle speaks of it; `cart` is for messages, and compared with the triggers."""
    uses = state.get("products", {})
    lasts = {
        f"last {what} {product}": _at(use[f"last_{what}_at"])
        for product, use in uses.items()
        for what in ("viewed", "bought")
        if f"last_{what}_at" in use
    }
    instants = {
        name: _at(state[f"{name.replace(' ', '_')}_at"])
        for name in (
            *("first seen", "last seen", "first order", "last order", "last visit", "last return", "last click"),
            "registered",
        )
        if state.get(f"{name.replace(' ', '_')}_at")
    }
    return Known(
        days={date.fromordinal(int(day)): _counts(done) for day, done in state.get("days", {}).items()},
        before=_counts(state.get("before", {})),
        instants=instants | lasts,
        viewed=_by_day(uses, "viewed"),
        bought=_by_day(uses, "bought"),
        carts=_carts(state.get("carts", {})),
        profile={name: (told.get("value"), _at(told["at"])) for name, told in state.get("profile", {}).items()},
        tags={name for name, told in state.get("tags", {}).items() if told["value"]},
        consents={name: told["value"] for name, told in state.get("consents", {}).items()},
        points=state["points"]["value"] if state.get("points") else None,
        expiring={day: told["value"] for day, told in state.get("expiring", {}).items()},
        answers={name: told["value"] for name, told in state.get("answers", {}).items()},
        coupons={code: _coupon(told) for code, told in state.get("coupons", {}).items()},
        subscriptions={
            name: (told["value"], _maybe(told.get("renews_at")))
            for name, told in state.get("subscriptions", {}).items()
        },
        friends={user: (told["friend"], _at(told["at"])) for user, told in state.get("friendships", {}).items()},
    )


def read_triggers(records: Iterable[Record], told: Mapping[UUID, Told]) -> list[Fired]:
    """Triggers as they lie in the topic, each person by id where the oracle has a label: see `named`."""
    fired = []
    for record in records:
        trigger = loads(record.value or b"")
        event = told.get(UUID(trigger["cause"]["key"]))
        by_segment = trigger["cause"]["type"].startswith("segment.")
        at = datetime.fromisoformat(trigger["at"]).astimezone(UTC)
        items = trigger["context"].get("cart", ()) if trigger["cause"]["type"].startswith("cart.") else ()
        cart = frozenset((item["product_id"], item["quantity"]) for item in items)
        fired.append(
            Fired(
                trigger["campaign"],
                trigger["kind"],
                (trigger["shop"], trigger["person"], None),
                trigger.get("key", ""),
                CLOCK if event is None else event.id,
                None if by_segment and event is not None else at,
                cart,
            )
        )
    return fired


def named(fired: Iterable[Fired], stored: Stored, labels: Mapping[UUID, Label]) -> list[Fired]:
    """The same, with the oracle's labels."""
    return [one._replace(who=labels[stored.became[UUID(one.who[1])]]) for one in fired]


def _counts(done: Mapping[str, Any]) -> dict[str, float]:
    """Without what is zero; an amount is stored in 1/100 yen."""
    return {name: number / 100 if name == "amount" else number for name, number in done.items() if number}


def _by_day(uses: Mapping[str, Any], what: str) -> dict[str, Counter[date]]:
    return {
        product: Counter({date.fromordinal(int(day)): number for day, number in use[what].items()})
        for product, use in uses.items()
        if use.get(what)
    }


def _carts(carts: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    found = {
        cart_id: {product: line["quantity"] for product, line in cart.get("lines", {}).items() if line["quantity"]}
        for cart_id, cart in carts.items()
    }
    return {cart_id: lines for cart_id, lines in found.items() if lines}


def _coupon(told: Mapping[str, Any]) -> tuple[datetime | None, datetime | None, datetime | None]:
    return _maybe(told.get("issued_at")), _maybe(told.get("expires_at")), _maybe(told.get("redeemed_at"))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _at(text)
