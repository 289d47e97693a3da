"""What is kept of a person. Stored as JSON in `people.state`: a field that is added needs a default."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from todoke_shared.people import carts as carts_
from todoke_shared.people.carts import Cart, Carts
from todoke_shared.people.coupons import Coupons
from todoke_shared.people.days import Day, Days
from todoke_shared.people.products import Products
from todoke_shared.people.registers import Register, Subscription
from todoke_shared.people.stores import Stores
from todoke_shared.people.tags import Tags

TOKYO = ZoneInfo("Asia/Tokyo")
"""The shops' calendar: LINE's official accounts, and the shops that have them, are in Japan."""

MAX_ATTRIBUTES = 100
MAX_CONSENTS = 20
MAX_ANSWERS = 200
MAX_EXPIRIES = 30
MAX_SUBSCRIPTIONS = 20


class Friendship(msgspec.Struct, frozen=True, gc=False):
    """Whether a LINE user is a friend of an account, and since when we know (LINE's time, not arrival)."""

    at: datetime
    friend: bool


class PersonState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All instants are UTC; days are `date.toordinal()` of the shop's calendar.

    `friendships` by `account:userId`: one person may be known to several accounts. `tags_at`: the last list of all
    tags. `expiring` by the day on which so many points run out. `carts_closed_at`: the last order that named no cart.
    `before`: what was done on days that are no longer told apart. A first or last that was never is None.
    """

    profile: dict[str, Register] = {}
    tags: Tags = {}
    tags_at: datetime | None = None
    consents: dict[str, Register] = {}
    answers: dict[str, Register] = {}
    points: Register | None = None
    expiring: dict[str, Register] = {}
    coupons: Coupons = {}
    subscriptions: dict[str, Subscription] = {}
    carts: Carts = {}
    carts_closed_at: datetime | None = None
    friendships: dict[str, Friendship] = {}
    days: Days = {}
    before: Day = Day()
    products: Products = {}
    stores: Stores = {}
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    last_visit_at: datetime | None = None
    last_return_at: datetime | None = None
    last_click_at: datetime | None = None
    registered_at: datetime | None = None

    @property
    def cart(self) -> Cart:
        """What the person is about to buy: the open cart that was changed last."""
        return carts_.current(self.carts)

    def is_friend(self, account: str) -> bool | None:
        """Whether the person is a friend of the account; None when we have never heard."""
        known = [status.friend for key, status in self.friendships.items() if key.partition(":")[0] == account]
        return any(known) if known else None

    def contact(self, name: str) -> str | None:
        """The hash of an e-mail address or telephone number, an attribute by its `name`."""
        register = self.profile.get(name)
        return register.value if register is not None and isinstance(register.value, str) else None
