"""Who is meant, by the rule alone (docs/adr/0018): the last login has a device, and only a shop joins two members.

People have labels: a member's is the smallest of its customer ids; `("shop", "visitor:1", since)` is whoever had a
device from `since` (the logout that left it; None: since ever) and never logged in.
"""

from bisect import insort
from collections import defaultdict
from datetime import datetime
from typing import TypeAlias

from tests.support.serial.told import Told, Who

Label: TypeAlias = "tuple[str, str, str | None]"
_Change = tuple[datetime, str, bool, Who]
"""At which instant, by which event, a login (or a logout), and whose."""


class WhoIsWho:
    """Knows the logins it was told of, in any order."""

    def __init__(self) -> None:
        self._changes: defaultdict[Who, list[_Change]] = defaultdict(list)
        self._same: dict[Who, Who] = {}

    def hear(self, told: Told) -> None:
        """Learn from an event that says who is who."""
        names = [(told.shop, name) for name in named(told)]
        customers = [who for who in names if is_customer(who)]
        if told.type == "customer.unidentified":
            for device in names[1:]:
                insort(self._changes[device], (told.at, str(told.key), False, told.who))
        elif customers:
            for other in customers[1:]:
                one, two = sorted((self.member(customers[0]), self.member(other)))
                if one != two:
                    self._same[two] = one
            for device in names:
                if not is_customer(device):
                    insort(self._changes[device], (told.at, str(told.key), True, customers[0]))

    def member(self, customer: Who) -> Who:
        """The smallest customer id of the member."""
        while customer in self._same:
            customer = self._same[customer]
        return customer

    def whose(self, who: Who, at: datetime | None = None) -> Label:
        """Whose an identifier was at an instant; now, when none is given.

        Before the first login, and between a logout and the next login, it is whoever logs in next.
        """
        if is_customer(who):
            return (*self.member(who), None)
        changes = self._changes[who]
        past = [change for change in changes if at is None or change[0] <= at]
        if past and past[-1][2]:
            return (*self.member(past[-1][3]), None)
        for _, _, is_login, customer in changes[len(past) :]:
            if is_login:
                return (*self.member(customer), None)
        return (*who, past[-1][1] if past else None)

    def now(self, label: Label) -> Label:
        """Who somebody has turned out to be: a member, a device's anonymous past, or themselves still."""
        shop, name, since = label
        if is_customer((shop, name)):
            return (*self.member((shop, name)), None)
        changes = self._changes[shop, name]
        start = next((index + 1 for index, change in enumerate(changes) if change[1] == since), 0)
        customer = next((change[3] for change in changes[start:] if change[2]), None)
        return label if customer is None else (*self.member(customer), None)


def named(told: Told) -> list[str]:
    """The identifiers of an event, its subject first."""
    also = [f"customer:{told.data['customer_id']}"] if told.data.get("customer_id") else []
    return [told.subject, *told.data.get("identifiers", []), *also]


def says_who_is_who(told: Told) -> bool:
    """Whether it names more than its subject."""
    return len(named(told)) > 1


def is_customer(who: Who) -> bool:
    """Whether an identifier is a member's own."""
    return who[1].startswith("customer:")
