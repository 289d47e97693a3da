"""What conditions mean, by the slowest way: what is written against the stored JSON, day by day and year by year.

It knows docs/conditions.md and the layout of the state, and nothing of our code.
"""

import re
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]

_DAY = timedelta(days=1)
_MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10_080}
_COUNTS = {"orders", "amount", "returns", "visits", "product_views", "searches", "clicks"}
_INSTANTS = {
    "first_seen", "last_seen", "last_visit", "first_order", "last_order", "last_return", "last_click", "registered"
}  # fmt: skip
_FULL = {
    "東京": "東京都",
    "Tokyo": "東京都",
    "Osaka": "大阪府",
    "hokkaido": "北海道",
    "三重": "三重県",
    "JP-47": "沖縄県",
}
_REGION_OF = {"東京都": "関東", "大阪府": "近畿", "北海道": "北海道", "三重県": "近畿", "沖縄県": "九州"}
_REGION = {"kansai": "近畿"}


class Oracle:
    """Answers for one person, as stored, at one instant."""

    def __init__(self, state: Json, now: datetime, zone: ZoneInfo, account: str) -> None:
        self.state, self.now, self.account = state, now, account
        self.today = now.astimezone(zone).date()

    def holds(self, written: Json) -> bool:
        """Whether the condition, as it is written, holds."""
        return all(self._entry(name, body) for name, body in written.items())

    def _entry(self, name: str, body: Any) -> bool:
        if name == "all":
            return all(map(self.holds, body))
        if name == "any":
            return any(map(self.holds, body))
        if name == "not":
            return not self.holds(body)
        body = body if isinstance(body, dict) else {"is": body}
        if name in _COUNTS | {"bought", "viewed", "visited_store", "points.expiring"}:
            total = self._total(name, body)
            asked = {word: operand for word, operand in body.items() if word not in ("within", "product", "store")}
            return all(_fits(total, word, operand) for word, operand in (asked or {"at_least": 1}).items())
        return all(self._word(name, word, operand) for word, operand in body.items())

    def _word(self, name: str, word: str, operand: Any) -> bool:
        if word == "month":
            born = self._date("birthday")
            return born is not None and born.month == (self.today.month if operand == "this" else operand)
        if word == "in_days":
            days = self._days_to(name)
            asked = operand if isinstance(operand, dict) else {"is": operand}
            return days is not None and all(_fits(days, each, wanted) for each, wanted in asked.items())
        if word in ("within", "before"):
            at = self._at(f"{name}_at")
            return at is not None and (self.now < at + _period(operand)) == (word == "within")
        return _fits(self._value(name), word, _spelt(name, operand))

    def _value(self, name: str) -> Any:  # noqa: C901, PLR0911 - one line for each attribute
        state = self.state
        head, _, rest = name.partition(".")
        if name in _INSTANTS:
            return self._at(f"{name}_at")
        if name == "age":
            return self._age()
        if name == "birthday" or head == "date":
            return self._date(rest or name)
        if name == "region":
            told = state.get("profile", {}).get("prefecture", {}).get("value")
            return _REGION_OF.get(_FULL.get(told, told), "none of them") if told is not None else None
        if name == "prefecture":
            told = state.get("profile", {}).get("prefecture", {}).get("value")
            return _FULL.get(told, told)
        if name == "points":
            return state.get("points", {}).get("value")
        if name == "tags":
            return [tag for tag, told in state.get("tags", {}).items() if told["value"] is True] or None
        if name == "coupon":
            return [code for code, told in state.get("coupons", {}).items() if self._held(told)] or None
        if name == "subscription":
            return {told["value"] for told in state.get("subscriptions", {}).values()} or None
        if name == "friend":
            mine = [t["friend"] for key, t in state.get("friendships", {}).items() if key.split(":")[0] == self.account]
            return True in mine if mine else None
        if name == "orders.ever":
            return "last_order_at" in state
        if head in ("profile", "consent", "answer") and rest:
            place = {"profile": "profile", "consent": "consents", "answer": "answers"}[head]
            return state.get(place, {}).get(rest, {}).get("value")
        return state.get("profile", {}).get(name, {}).get("value")

    def _total(self, name: str, body: Json) -> Fraction:
        if name == "points.expiring":
            ahead = _period(body["within"]) // _DAY if "within" in body else 10_000
            coming = {(self.today + n * _DAY).isoformat() for n in range(ahead)}
            return sum(
                (Fraction(t["value"]) for day, t in self.state.get("expiring", {}).items() if day in coming), Fraction()
            )
        length = _period(body["within"]) // _DAY if "within" in body else None
        days = None if length is None else {str(self.today.toordinal() - n) for n in range(length)}
        if name in ("bought", "viewed"):
            products = body["product"] if isinstance(body["product"], list) else [body["product"]]
            uses = [self.state.get("products", {}).get(product, {}).get(name, {}) for product in set(products)]
            return sum(
                (Fraction(n) for use in uses for day, n in use.items() if days is None or day in days), Fraction()
            )
        if name == "visited_store":
            stores = body["store"] if isinstance(body["store"], list) else [body["store"]]
            found = [self.state.get("stores", {}).get(store, {}).get("days", {}) for store in set(stores)]
            return Fraction(sum(days is None or day in days for each in found for day in each))
        told = [done for day, done in self.state.get("days", {}).items() if days is None or day in days]
        told += [self.state.get("before", {})] if days is None else []
        return Fraction(sum(done.get(name, 0) for done in told), 100 if name == "amount" else 1)

    def _held(self, coupon: Json) -> bool:
        ends = coupon.get("expires_at")
        return "redeemed_at" not in coupon and (ends is None or datetime.fromisoformat(ends) > self.now)

    def _at(self, field: str) -> datetime | None:
        return datetime.fromisoformat(self.state[field]) if field in self.state else None

    def _date(self, name: str) -> date | None:
        told = self.state.get("profile", {}).get(name, {}).get("value")
        try:
            found = datetime.strptime(told, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no time zone
        except (TypeError, ValueError):
            return None
        return found if found.isoformat() == told else None

    def _days_to(self, name: str) -> int | None:
        told = self._date(name.removeprefix("date."))
        if told is None:
            return None
        if name != "birthday":
            return (told - self.today).days
        days = 0
        while not _is_birthday(told, self.today + days * _DAY):
            days += 1
        return days

    def _age(self) -> int | None:
        born = self._date("birthday")
        if born is None or born > self.today:
            return None
        return sum(_birthday(born, year) <= self.today for year in range(born.year + 1, self.today.year + 1))


def _birthday(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:  # February 29
        return date(year, 3, 1)


def _is_birthday(born: date, day: date) -> bool:
    return _birthday(born, day.year) == day


def _period(text: str) -> timedelta:
    number, unit = re.fullmatch(r"(\d+)([mhdw])", text).groups()  # type: ignore[union-attr]
    return timedelta(minutes=int(number) * _MINUTES[unit])


def _spelt(name: str, operand: Any) -> Any:
    if isinstance(operand, list):
        return [_spelt(name, item) for item in operand]
    known = {"prefecture": _FULL, "region": _REGION}.get(name)
    return known.get(operand, operand) if known and isinstance(operand, str) else operand


def _number(value: Any) -> Fraction | None:
    """The number that is written: 1e16 is ten to the sixteenth, whatever a float makes of it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        return None
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def _same(value: Any, operand: Any) -> bool:
    if isinstance(value, set):
        return operand in value
    if _number(value) is not None or _number(operand) is not None:
        return _number(value) == _number(operand)
    return type(value) is type(operand) and bool(value == operand)


def _fits(value: Any, word: str, operand: Any) -> bool:  # noqa: PLR0911 - one line for each operator
    if word == "known":
        return (value is not None) is operand
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    number, bound = _number(value), None if isinstance(operand, list) else _number(operand)
    match word:
        case "is":
            return value is not None and _same(value, operand)
        case "one_of":
            return value is not None and any(_same(value, item) for item in operand)
        case "has":
            return operand in texts
        case "has_any":
            return bool(set(operand) & set(texts))
        case "has_all":
            return set(operand) <= set(texts)
    if number is None or bound is None:
        return False
    return {
        "at_least": number >= bound,
        "at_most": number <= bound,
        "more_than": number > bound,
        "less_than": number < bound,
    }[word]
