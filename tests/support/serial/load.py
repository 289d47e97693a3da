"""Two hours of two shops, made up from a seed.

What the design leaves to the order of arrival is not in here (docs/adr/0018, "What it costs"): two changes of one
device's owner, and a change and the device's next use, lie further apart than any event is late.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.serial.told import Told

STORY = timedelta(hours=2)
WITHIN_SECONDS = 60.0
"""How late an event may come."""
_APART = 2 * WITHIN_SECONDS
PRODUCTS = [f"p-{number}" for number in range(8)]
_DAY = timedelta(days=1)
_CARTS: tuple[dict[str, Any], ...] = ({}, {}, {"cart_id": "c-1"}, {"cart_id": "c-2"})
_NAMES = ("gender", "job", "city")


def make_load(count: int, start: datetime, seed: int, *, in_one_order: bool = True) -> list[Told]:
    """About `count` distinct events of households from `start` on; a few more than asked.

    Without `in_one_order` the topics are read by themselves, each as fast as it goes. A LINE user's words and the
    logout after which they are nobody's lie in two of them, so that nobody parts with a LINE user then.
    """
    chance = random.Random(seed)
    load: list[Told] = []
    while len(load) < count:
        load += _Household(f"h{len(load)}", start, random.Random(chance.random()), in_one_order).live()
    return load


@dataclass
class _Device:
    """A visitor or LINE user, and when it is used: not within two minutes of having got another owner."""

    subject: str
    closed: list[tuple[float, float]] = field(default_factory=list)

    def is_used(self, second: float) -> bool:
        return not any(start <= second < end for start, end in self.closed)


class _Household:
    """One or two members, their telephones, LINE users, and at times a tablet that they share."""

    def __init__(self, name: str, start: datetime, chance: random.Random, in_one_order: bool) -> None:
        self.name = name
        self.start = start
        self.chance = chance
        self.in_one_order = in_one_order
        self.shop = chance.choice(["north", "south"])
        self.told: list[Told] = []
        self._orders = 0
        self._instants: set[float] = set()

    def live(self) -> list[Told]:
        """Everything that they do."""
        members = self.chance.choice([1, 1, 1, 2])
        tablet = self._shared() if members == 2 else None
        for number in range(members):
            self._member(number, tablet)
        if self.chance.random() < 0.3:
            self._stranger()
        self._shop_itself()
        return self.told

    def _member(self, number: int, tablet: _Device | None) -> None:
        customer = f"customer:{self.name}-{number}"
        devices = [_Device(f"visitor:{self.name}-{number}-{at}") for at in "ab"]
        line_users = [_Device(self._line_user(number, account)) for account in ("main", "second")]
        self._import(customer, line_users)
        for device in devices:
            self._log_in(customer, device)
        if self.chance.random() < 0.7:
            self._log_in(customer, line_users[0], may_leave=self.in_one_order)
        names = [customer, customer]
        signed_in = self.chance.random() < 0.5
        if self.chance.random() < 0.2:
            old = f"customer:{self.name}-{number}-old"
            self._tell("customer.identified", customer, self._second(), {"identifiers": [old]})
            names.append(old)
        for _ in range(self.chance.randint(10, 35)):
            second = self._second()
            device = self.chance.choice([*devices, *([tablet] if tablet else [])])
            is_used = device.is_used(second) and not signed_in
            subject = self.chance.choice([*names, device.subject]) if is_used else customer
            self._act(subject, second)
        self._hurry(customer)
        for user in line_users:
            self._talk(user)

    def _hurry(self, customer: str) -> None:
        """Carts filled, emptied and ordered, and a record kept anew, within one minute: any of it may come first."""
        for _ in range(self.chance.randint(0, 2)):
            begun = self._second()
            for _ in range(self.chance.randint(3, 6)):
                item: dict[str, Any] = {"product_id": self.chance.choice(PRODUCTS[:2]), "quantity": 1}
                added: tuple[str, dict[str, Any]] = ("cart.item_added", {"item": item})
                acts = [added, added, added, ("cart.item_removed", item), ("order.placed", self._order())]
                type_, data = self.chance.choice([*acts, self.chance.choice(self._cart_acts())])
                self._tell(type_, customer, begun + self.chance.uniform(0, WITHIN_SECONDS), data)
            for _ in range(self.chance.randint(2, 5)):
                type_, data = self.chance.choice(self._words(customer))
                self._tell(type_, customer, begun + self.chance.uniform(0, WITHIN_SECONDS), data)

    def _line_user(self, number: int, account: str) -> str:
        digest = hashlib.md5(f"{self.name}-{number}-{account}".encode(), usedforsecurity=False).hexdigest()
        return f"line:{account}:U{digest}"

    def _log_in(self, customer: str, device: _Device, *, may_leave: bool = True) -> None:
        """Once or twice, at any time; now and then out again for good, or until the next time."""
        login = self._second(most=3600)
        self._identify(customer, device, login)
        if self.chance.random() < 0.3:
            self._identify(customer, device, self.chance.uniform(0, 3600))
        if may_leave and self.chance.random() < 0.2:
            logout = self.chance.uniform(3600 + _APART, 4500)
            self._tell("customer.unidentified", customer, logout, {"identifiers": [device.subject]})
            device.closed.append((logout, logout + _APART))
            if self.chance.random() < 0.5:
                again = self.chance.uniform(4500 + _APART, 6000)
                self._identify(customer, device, again)
                device.closed.append((again, again + _APART))

    def _identify(self, customer: str, device: _Device, second: float) -> None:
        self._tell("customer.identified", customer, second, {"identifiers": [device.subject]})

    def _shared(self) -> _Device:
        """A tablet. The first has it, and so its past, then the second, and then perhaps the first again."""
        tablet = _Device(f"visitor:{self.name}-tablet")
        first, second = (f"customer:{self.name}-{number}" for number in range(2))
        self._identify(first, tablet, self.chance.uniform(600, 1500))
        turns = [(second, self.chance.uniform(3000, 4000))]
        if self.chance.random() < 0.5:
            turns.append((first, self.chance.uniform(5000, 6000)))
        for customer, at in turns:
            self._identify(customer, tablet, at)
            tablet.closed.append((at, at + _APART))
        return tablet

    def _stranger(self) -> None:
        """A visitor who never says who they are."""
        for _ in range(self.chance.randint(1, 6)):
            self._act(f"visitor:{self.name}-stranger", self._second())

    def _import(self, customer: str, line_users: Sequence[_Device]) -> None:
        """What the shop knew before: told all at once, of long ago."""
        if self.chance.random() < 0.5:
            return
        for _ in range(self.chance.randint(0, 3)):
            ago = self.chance.uniform(20, 700) * _DAY
            self._tell("order.placed", customer, self._second(most=600), self._order(), ago=ago, history=True)
        self._tell("customer.updated", customer, self._second(most=600), self._customer(), ago=_DAY, history=True)
        user = line_users[1].subject
        data = {"friend": self.chance.random() < 0.7, "customer_id": customer.removeprefix("customer:")}
        self._tell("friend.imported", user, self._second(most=600), data, ago=30 * _DAY)

    def _talk(self, user: _Device) -> None:
        """Follows and unfollows, both ways round in one minute, and words."""
        for _ in range(self.chance.randint(0, 2)):
            second = self._second()
            self._tell("line.follow", user.subject, second, {}, standby=self.chance.random() < 0.1)
            if self.chance.random() < 0.5:
                gap = self.chance.choice([0.0, self.chance.uniform(0, 30)])
                self._tell("line.unfollow", user.subject, second, {}, ago=timedelta(seconds=-gap), exact=True)
        for _ in range(self.chance.randint(0, 2)):
            second = self._second()
            if user.is_used(second):
                self._tell("line.message", user.subject, second, {"message": {"type": "text", "text": "hi"}})

    def _act(self, subject: str, second: float) -> None:
        chance = self.chance
        acts: list[tuple[str, dict[str, Any]]] = [
            ("page.viewed", {"url": "/"}),
            ("product.viewed", {"product": {"product_id": chance.choice(PRODUCTS)}}),
            ("product.viewed", {"product": {"product_id": chance.choice(PRODUCTS)}}),
            ("products.searched", {"query": "tea"}),
            ("store.visited", {}),
            *self._cart_acts(),
            ("order.refunded", {"order_id": f"{self.name}-{chance.randint(0, 5)}"}),
            ("order.paid", {"order_id": f"{self.name}-{chance.randint(0, 5)}"}),
            ("custom.link.clicked", {}),
            ("custom.favourited", {}),
            *self._words(subject),
        ]
        type_, data = chance.choice(acts)
        # An order may be told half a year late and be news all the same.
        late = 190 * _DAY if type_ == "order.placed" and chance.random() < 0.1 else timedelta()
        self._tell(type_, subject, second, data, ago=late)

    def _words(self, subject: str) -> list[tuple[str, dict[str, Any]]]:
        """What is said of a person: of each the last word counts."""
        chance = self.chance
        words: list[tuple[str, dict[str, Any]]] = [
            ("custom.tag.added", {"tag": chance.choice(["vip", "gift"])}),
            ("custom.tag.removed", {"tag": chance.choice(["vip", "gift"])}),
            ("custom.survey.answered", {"question": "skin", "answer": chance.choice(["dry", "oily"])}),
            ("custom.coupon.issued", {"code": f"C{chance.randint(0, 2)}", "expires_at": "2031-01-01T00:00:00+09:00"}),
            (f"subscription.{chance.choice(['started', 'renewed', 'cancelled'])}", self._subscription()),
            ("points.changed", {"balance": chance.randint(0, 1000)}),
            ("points.expiring", {"points": chance.randint(1, 9), "expires_on": f"2031-01-{chance.randint(10, 12)}"}),
        ]
        if subject.startswith("customer:"):
            words += [("customer.updated", self._customer())] * 2 + [("customer.registered", self._customer())]
        return words

    def _cart_acts(self) -> list[tuple[str, dict[str, Any]]]:
        chance = self.chance
        return [
            ("cart.item_added", {"item": self._item(), **chance.choice(_CARTS)}),
            ("cart.item_added", {"item": self._item(), **chance.choice(_CARTS)}),
            ("cart.item_added", {"item": self._item(), **chance.choice(_CARTS)}),
            ("cart.item_removed", {"product_id": chance.choice(PRODUCTS[:4]), **chance.choice(_CARTS)}),
            ("cart.updated", {"items": self._items(0), **chance.choice(_CARTS)}),
            ("order.placed", {**self._order(), **chance.choice(_CARTS)}),
            ("order.placed", {**self._order(), **chance.choice(_CARTS)}),
        ]

    def _order(self) -> dict[str, Any]:
        self._orders += 1
        coupons = {"coupons": [f"C{self.chance.randint(0, 2)}"]} if self.chance.random() < 0.2 else {}
        amount = {"amount": self.chance.choice([980, 1980.5, 30_000])} if self.chance.random() < 0.9 else {}
        return {"order_id": f"{self.name}-{self._orders}", "items": self._items(1), **amount, **coupons}

    def _customer(self) -> dict[str, Any]:
        chance = self.chance
        told: dict[str, Any] = {name: chance.choice(["x", "y", None]) for name in _NAMES if chance.random() < 0.5}
        told["prefecture"] = chance.choice(["東京都", "大阪府"])
        more: list[tuple[str, Any]] = [
            ("tags", chance.sample(["vip", "gift", "new"], chance.randint(0, 2))),
            ("consents", {"sms": chance.random() < 0.5}),
            ("accepts_marketing", chance.random() < 0.5),
            ("points", chance.randint(0, 1000)),
        ]
        return told | dict(chance.sample(more, 2))

    def _subscription(self) -> dict[str, Any]:
        return {"subscription_id": self.chance.choice(["s1", "s2"]), "renews_at": "2031-02-01T09:00:00+09:00"}

    def _item(self) -> dict[str, Any]:
        return {"product_id": self.chance.choice(PRODUCTS[:4]), "quantity": self.chance.randint(1, 3)}

    def _items(self, fewest: int) -> list[dict[str, Any]]:
        products = self.chance.sample(PRODUCTS, self.chance.randint(fewest, 2))
        return [{"product_id": product, "quantity": self.chance.randint(1, 3)} for product in products]

    def _shop_itself(self) -> None:
        """The catalogue, which concerns nobody."""
        product = {"product_id": self.chance.choice(PRODUCTS), "name": f"N{self.chance.randint(0, 99)}"}
        price, stock = self.chance.choice([980, 1980.5]), self.chance.randint(0, 9)
        self._tell("product.updated", "", self._second(), {"product": {**product, "price": price, "stock": stock}})

    def _second(self, *, most: float = STORY.total_seconds()) -> float:
        return self.chance.uniform(0, most)

    def _tell(
        self,
        type_: str,
        subject: str,
        second: float,
        data: dict[str, Any],
        *,
        ago: timedelta = timedelta(),
        exact: bool = False,
        history: bool = False,
        standby: bool = False,
    ) -> None:
        """`exact`: in one instant with another event is meant so; all others of a household have their own."""
        sent_at = self.start + timedelta(milliseconds=int(second * 1000))
        at = sent_at - ago
        while not exact and at.timestamp() in self._instants:
            at += timedelta(milliseconds=1)
        self._instants.add(at.timestamp())
        self.told.append(
            Told(
                household=self.name,
                shop=self.shop,
                type=type_,
                subject=subject,
                at=at,
                data=data,
                sent_at=max(sent_at, at),
                history=history,
                standby=standby,
                number=len(self.told),
            )
        )
