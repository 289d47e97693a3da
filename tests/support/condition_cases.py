"""Random people, and random conditions as a marketer writes them, close to where answers change."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from todoke_shared.people import Friendship, PersonState, carts
from todoke_shared.people.carts import Cart, CartLine
from todoke_shared.people.coupons import Coupon
from todoke_shared.people.days import Day
from todoke_shared.people.products import ProductUse
from todoke_shared.people.registers import Register, Subscription
from todoke_shared.people.stores import StoreVisits

Written = dict[str, Any]

ZONES = [ZoneInfo(name) for name in ("Asia/Tokyo", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe")]
NOWS = [
    datetime(2026, 11, 22, 3, 4, 5, 678901, UTC),
    datetime(2026, 3, 8, 6, 59, tzinfo=UTC),  # a minute before New York's clocks go forward
    datetime(2026, 11, 1, 5, 59, tzinfo=UTC),  # and back
    datetime(2026, 4, 4, 14, 30, tzinfo=UTC),  # Lord Howe's go back by half an hour
    datetime(2027, 2, 28, 14, 59, 59, 999999, UTC),  # the last of February, in Tokyo, in a common year
    datetime(2028, 2, 28, 15, 0, tzinfo=UTC),  # February 29
    datetime(2026, 12, 31, 14, 0, tzinfo=UTC),  # the last hour of a year
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2199, 12, 31, 23, 59, tzinfo=UTC),
]
"""Instants around which calendars are hard."""

NASTY = [
    "",
    "'; DROP TABLE people; --",
    '"',
    "$1",
    "%s\\",
    "{a,b}",
    "vip",
    "skincare",
    "敏感肌",
    "😀",
    "null",
    "1",
    "true",
]
UNHEARD_OF = ["nul\0", "\ud800 half a pair"]
"""Operands that no database can hold, so that nobody has them."""
_EXACT, _ROUNDED = 1_234_567_890_123_456_768, 1.2345678901234568e18
"""The same float in binary, and not the same number in digits, which PostgreSQL reads."""
_NUMBERS: list[float] = [0, 1, 2, 3, -1, 0.5, 1.0, 2**53, 2**53 + 1, 1e16, 0.1, 1e300, _EXACT, _ROUNDED]
_PRODUCTS = ["tea-1", "tea-2", "it's"]
_STORES = ["kyoto", "it's"]
_FIELDS = ["visits", "product_views", "searches", "clicks", "orders", "returns", "amount"]
_INSTANTS = [
    "first_seen", "last_seen", "last_visit", "first_order", "last_order", "last_return", "last_click", "registered"
]  # fmt: skip
_PREFECTURES = ["東京都", "東京", "Osaka", "hokkaido", "三重県", "沖縄県", "nowhere"]


class Cases:
    """Everything random comes from the seed, so that a failure can be told by it."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.now = self.rng.choice(NOWS) + timedelta(minutes=self.rng.choice([0, 0, 1, 60, 1439]))
        self.zone = self.rng.choice(ZONES)

    def maybe(self, value: Any, chance: float = 0.7) -> Any:
        """The value, or None."""
        return value if self.rng.random() < chance else None

    def day(self) -> date:
        """A day close to today, or to where a window ends."""
        far = self.rng.choice([0, 0, -1, 1, -6, -7, -8, -13, -14, -29, -30, -31, -89, -90, 7, 30, 400, -399, -400])
        return self.now.astimezone(self.zone).date() + timedelta(days=far)

    def instant(self) -> datetime:
        """An instant whose distance from now is close to a period of a condition."""
        away = timedelta(days=self.rng.choice([0, 0, 1, 7, 14, 30, 60]), minutes=self.rng.choice([0, 1, 30, 60, 90]))
        return self.now - away - timedelta(minutes=self.rng.choice([0, 0, 1, -1]), microseconds=self.rng.choice([0, 1]))

    def scalar(self) -> Any:
        """A value as a shop tells one."""
        return self.rng.choice([*NASTY, *_NUMBERS, True, False])

    def value(self) -> Any:
        """A value that a register can hold."""
        if self.rng.random() < 0.3:
            return self.rng.sample(NASTY, self.rng.randint(0, 3))
        return self.maybe(self.scalar(), 0.9)

    def birthday(self) -> Any:
        """A birthday near today's date, or what a shop sent in its place."""
        near = self.now.astimezone(self.zone).date() + timedelta(days=self.rng.choice([0, 0, 1, -1, 3, 7, 8, 30, -30]))
        year = near.year - self.rng.choice([0, 1, 19, 20, 21, 40, 64, 100])
        return self.rng.choice(
            [
                f"{year:04}-{near.month:02}-{min(near.day, 28):02}",
                f"{year // 4 * 4 if year % 100 > 3 else 1996:04}-02-29",
                near.isoformat(),
                self.rng.choice(
                    ["2001-02-29", "1900-02-29", "0000-01-01", "19990101", "1999-1-1", "1990-01-01\n", 1990]
                ),
                f"{year:04}-{self.rng.randint(1, 12):02}-{self.rng.randint(1, 28):02}",
            ]
        )

    def person(self) -> PersonState:
        """Somebody with a little of everything."""
        rng, at = self.rng, self.now - timedelta(days=100)
        told = {
            "gender": rng.choice(["female", "male", "other", 1, None]),
            "birthday": self.birthday(),
            "prefecture": rng.choice(_PREFECTURES),
            "city": rng.choice(NASTY),
            "interests": self.value(),
            "accepts_marketing": rng.choice([True, False, "yes"]),
            "renews_on": rng.choice([self.day().isoformat(), self.birthday()]),
            "rank": self.value(),
            "it's": self.value(),
        }
        kept = {name: Register(at, value) for name, value in told.items() if rng.random() < 0.8}
        return PersonState(
            profile=kept,
            tags={tag: Register(at, rng.random() < 0.6) for tag in rng.sample(NASTY, 4)},
            consents={name: Register(at, rng.random() < 0.5) for name in rng.sample(["marketing", "it's"], 1)},
            answers={name: Register(at, self.value()) for name in rng.sample(["skin", "it's"], 1)},
            points=self.maybe(Register(at, rng.choice([0, 1, 499, 500, 501]))),
            expiring={
                self.day().isoformat(): Register(at, rng.choice([0, 1, 2, 100])) for _ in range(rng.randint(0, 3))
            },
            coupons={code: self.coupon() for code in rng.sample(["WELCOME", "it's", "vip"], rng.randint(0, 3))},
            subscriptions={
                name: Subscription(at, rng.choice(["active", "cancelled"]))
                for name in rng.sample(["a", "b"], rng.randint(0, 2))
            },
            carts={cart_id: self.cart() for cart_id in rng.sample(["", "c-1", "c-2"], rng.randint(0, 3))},
            friendships={
                key: Friendship(at, rng.random() < 0.5)
                for key in rng.sample(["main:U1", "main:U2", "second:U1"], rng.randint(0, 3))
            },
            days={self.day().toordinal(): self.done() for _ in range(rng.randint(0, 6))},
            before=self.done() if rng.random() < 0.3 else Day(),
            stores={store: self.store() for store in rng.sample(_STORES, rng.randint(0, 2))},
            products={product: self.use() for product in rng.sample(_PRODUCTS, rng.randint(0, 3))},
            **{f"{name}_at": self.maybe(self.instant()) for name in _INSTANTS},
        )

    def coupon(self) -> Coupon:
        """Held, used, or at its end."""
        rng = self.rng
        end = self.now + timedelta(days=rng.choice([0, 0, 1, -1, 3]), microseconds=rng.choice([0, 1, -1]))
        return Coupon(self.maybe(self.now), self.maybe(end), self.maybe(self.now, 0.3))

    def cart(self) -> Cart:
        """Open, closed or emptied; often changed in one instant with another."""
        rng = self.rng
        ats = [self.now - timedelta(minutes=minutes) for minutes in range(4)]
        lines = {
            product: CartLine(rng.choice(ats), rng.choice([0, 1, 2]))
            for product in rng.sample(_PRODUCTS, rng.randint(0, 3))
        }
        cart = Cart(
            lines, self.maybe(rng.choice(ats), 0.3), self.maybe(rng.choice(ats), 0.3), self.maybe(rng.choice(ats))
        )
        return carts.join(cart, Cart())  # no cart holds what its own snapshot or order hides

    def done(self) -> Day:
        """What was done on a day."""
        rng = self.rng
        return Day(
            **{
                field: rng.choice([0, 1, 2, 199_000, 1]) if field == "amount" else rng.randint(0, 1)
                for field in _FIELDS
            }
        )

    def use(self) -> ProductUse:
        """What became of a product."""
        viewed, bought = (
            {self.day().toordinal(): self.rng.choice([1, 1, 2]) for _ in range(self.rng.randint(0, 3))}
            for _ in range(2)
        )
        return ProductUse(viewed, bought)

    def store(self) -> StoreVisits:
        """Visits to a physical store."""
        return StoreVisits(self.now, {self.day().toordinal(): 1 for _ in range(self.rng.randint(0, 3))})

    def condition(self, depth: int = 3) -> Written:
        """A condition as it is written."""
        choice = self.rng.random() if depth else 1.0
        if choice < 0.2:
            return {"all": [self.condition(depth - 1) for _ in range(self.rng.randint(1, 3))]}
        if choice < 0.4:
            return {"any": [self.condition(depth - 1) for _ in range(self.rng.randint(1, 3))]}
        return {"not": self.condition(depth - 1)} if choice < 0.5 else self.comparison()

    def comparison(self) -> Written:
        """One attribute held against something, of every kind."""
        kinds = [
            self._text, self._anything, self._anything, self._list, self._flag, self._age, self._birthday, self._date,
            self._count, self._count, self._product, self._product, self._store, self._instant, self._instant,
            self._points, self._expiring, self._today,
        ]  # fmt: skip
        return self.rng.choice(kinds)()

    def _numeric(self, *numbers: float) -> Written:
        rng = self.rng
        operator = rng.choice(["at_least", "at_most", "more_than", "less_than", "is", "one_of"])
        found: Written = {
            operator: rng.sample(numbers, min(2, len(numbers))) if operator == "one_of" else rng.choice(numbers)
        }
        return found | ({"at_most": rng.choice(numbers)} if rng.random() < 0.2 else {})

    def _known(self) -> Written:
        return {"known": self.rng.random() < 0.5}

    def _text(self) -> Written:
        rng = self.rng
        return rng.choice(
            [
                {"gender": rng.choice(["female", {"one_of": ["male", "other"]}, self._known()])},
                {
                    "city": rng.choice(
                        [*NASTY, *UNHEARD_OF, {"one_of": rng.sample([*NASTY, *UNHEARD_OF], 3)}, self._known()]
                    )
                },
                {"prefecture": rng.choice(["東京都", "Tokyo", {"one_of": ["三重", "JP-47"]}, self._known()])},
                {"region": rng.choice(["関東", "kansai", {"one_of": ["九州", "北海道"]}, self._known()])},
                {
                    "subscription": rng.choice(
                        ["active", "cancelled", {"one_of": ["active", "cancelled"]}, self._known()]
                    )
                },
            ]
        )

    def _anything(self) -> Written:
        rng = self.rng
        scalars = [*NASTY, *UNHEARD_OF, *_NUMBERS, True, False]
        texts = rng.sample([*NASTY, *UNHEARD_OF], 2)
        body = rng.choice(
            [
                rng.choice(scalars),
                {"is": rng.choice(scalars)},
                {"one_of": rng.sample(scalars, rng.randint(0, 4))},
                self._numeric(*_NUMBERS),
                self._known(),
                {"has": texts[0]},
                {"has_any": texts},
                {"has_all": texts},
            ]
        )
        return {rng.choice(["profile.rank", "profile.it's", "profile.nul\0", "answer.skin", "answer.it's"]): body}

    def _list(self) -> Written:
        rng = self.rng
        names = [*NASTY, "WELCOME", "it's", *UNHEARD_OF]
        body = rng.choice(
            [
                {"has": rng.choice(names)},
                {"has_any": rng.sample(names, rng.randint(1, 4))},
                {"has_all": rng.sample(names[:8], rng.randint(1, 2))},
                self._known(),
            ]
        )
        return {rng.choice(["interests", "tags", "coupon"]): body}

    def _flag(self) -> Written:
        rng = self.rng
        name = rng.choice(["accepts_marketing", "consent.marketing", "consent.it's", "friend", "orders.ever"])
        return {name: rng.choice([True, False, self._known()])}

    def _today(self) -> Written:
        return {"cart.items": self.rng.choice([0, 1, 2, self._numeric(0, 1, 2)])}

    def _age(self) -> Written:
        return {"age": self.rng.choice([self._numeric(0, 1, 19, 20, 20.5, 21, 40, -1, 1e300), self._known(), 20])}

    def _birthday(self) -> Written:
        rng = self.rng
        days = rng.choice([self._numeric(0, 1, 3, 6, 7, 8, 30, 362, 363, 364, 365, 2.5), 0, 7])
        return {
            "birthday": rng.choice([{"month": rng.randint(1, 12)}, {"month": "this"}, {"in_days": days}, self._known()])
        }

    def _date(self) -> Written:
        days = self._numeric(0, 1, 7, -1, -30, 2.5, 400, 1e9, -1e9)
        return {"date.renews_on": self.rng.choice([{"in_days": days}, {"in_days": 0}, self._known()])}

    def _within(self) -> Written:
        within = self.rng.choice(["1d", "7d", "1w", "14d", "30d", "90d", "400d", None])
        return {"within": within} if within else {}

    def _count(self) -> Written:
        field = self.rng.choice(_FIELDS)
        numbers = (0, 0.01, 0.02, 1990, 1990.5, 3980, 0.015) if field == "amount" else (0, 1, 2, 3, 1.5)
        body = self.rng.choice([self._numeric(*numbers), {}]) | self._within()
        return {field: body or 1}

    def _product(self) -> Written:
        product = self.rng.choice([*_PRODUCTS, ["tea-1", "it's", "tea-1"], *UNHEARD_OF])
        body = {"product": product} | self.rng.choice([self._numeric(0, 1, 2, 3), {}]) | self._within()
        return {self.rng.choice(["bought", "viewed"]): body}

    def _store(self) -> Written:
        store = self.rng.choice([*_STORES, [*_STORES, "nowhere"], *UNHEARD_OF])
        return {"visited_store": {"store": store} | self.rng.choice([self._numeric(0, 1, 2), {}]) | self._within()}

    def _instant(self) -> Written:
        rng = self.rng
        period = rng.choice(["1m", "30m", "1h", "90m", "1d", "24h", "7d", "2w", "30d", "60d", "36500d"])
        return {rng.choice(_INSTANTS): rng.choice([{"within": period}, {"before": period}, self._known()])}

    def _points(self) -> Written:
        return {"points": self.rng.choice([500, self._numeric(0, 1, 499.5, 500, 501), self._known()])}

    def _expiring(self) -> Written:
        return {"points.expiring": self.rng.choice([self._numeric(0, 1, 2, 100), {}]) | self._within() or 1}
