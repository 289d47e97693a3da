"""How values read in a Japanese shop's messages: the filters of the template language. docs/messages.md lists them.

Each is a ValueError of `MISTAKES` for a value that it cannot read.
"""

from collections.abc import Callable
from datetime import date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from todoke_dispatcher.domain.quota import TOKYO

_WEEKDAYS = "月火水木金土日"
_NO_NUMBER = "{} needs a number"
_NO_DATE = "{} needs a date or a time as in ISO 8601"
_NO_TIME = "{} needs a time as in ISO 8601"
_NO_LENGTH = "short needs a whole number of at least 1"

Filter = Callable[..., str]


def filters(zone: tzinfo) -> dict[str, Filter]:
    """All by their names. Instants are told in `zone`."""
    return {"yen": yen, "number": number, "points": points, "short": short, **_dates(zone)}


def yen(value: object) -> str:
    """1980 -> `1,980円`. There is no part of a yen: fractions are rounded half up."""
    return f"{_decimal(value, 'yen').quantize(Decimal(1), ROUND_HALF_UP):,}円"


def number(value: object) -> str:
    """1234567 -> `1,234,567`; fractions stay as they are."""
    return f"{_decimal(value, 'number'):,f}"


def points(value: object) -> str:
    """1200 -> `1,200ポイント`."""
    return f"{_decimal(value, 'points').quantize(Decimal(1), ROUND_HALF_UP):,}ポイント"


def short(value: object, most: int = 20) -> str:
    """The text, cut to `most` characters as LINE counts them (UTF-16 units), the last one `…` where it was cut."""
    if type(most) is not int or most < 1:
        raise ValueError(_NO_LENGTH)
    text = str(value)
    if 2 * len(text) <= most or _units(text) <= most:
        return text
    left = most - 1
    kept = ""
    for character in text:
        left -= _units(character)
        if left < 0:
            break
        kept += character
    return f"{kept}…"


def jpdate(value: object, zone: tzinfo = TOKYO) -> str:
    """`2026-11-21`, a date or an instant -> `11月21日`."""
    day = _day(value, "jpdate", zone)
    return f"{day.month}月{day.day}日"


def _dates(zone: tzinfo) -> dict[str, Filter]:
    def on(value: object) -> str:
        return jpdate(value, zone)

    def with_weekday(value: object) -> str:
        day = _day(value, "jpday", zone)
        return f"{day.month}月{day.day}日({_WEEKDAYS[day.weekday()]})"

    def with_year(value: object) -> str:
        day = _day(value, "jpyear", zone)
        return f"{day.year}年{day.month}月{day.day}日"

    def at(value: object) -> str:
        return f"{_instant(value, 'jptime', zone):%H:%M}"

    def on_at(value: object) -> str:
        instant = _instant(value, "jpdatetime", zone)
        return f"{with_weekday(instant)} {instant:%H:%M}"

    return {"jpdate": on, "jpday": with_weekday, "jpyear": with_year, "jptime": at, "jpdatetime": on_at}


def _decimal(value: object, name: str) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(_NO_NUMBER.format(name)) from None
    if isinstance(value, bool) or not found.is_finite() or abs(found.adjusted()) > 20:
        raise ValueError(_NO_NUMBER.format(name))  # 1e999999 would be a million digits
    return found


def _day(value: object, name: str, zone: tzinfo) -> date:
    found = _read(value, name, _NO_DATE)
    return found.astimezone(zone) if isinstance(found, datetime) and found.tzinfo is not None else found


def _instant(value: object, name: str, zone: tzinfo) -> datetime:
    """In `zone`; a time that names no offset is taken to be of it."""
    if isinstance(value, str) and "T" not in value and " " not in value:
        raise ValueError(_NO_TIME.format(name))  # a plain date would come out as midnight
    found = _read(value, name, _NO_TIME)
    if not isinstance(found, datetime):
        raise ValueError(_NO_TIME.format(name))
    return found.astimezone(zone) if found.tzinfo is not None else found


def _read(value: object, name: str, otherwise: str) -> date:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(otherwise.format(name)) from None
    if not isinstance(value, date):
        str(value)  # a value that is missing complains by itself
        raise ValueError(otherwise.format(name))
    return value


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


MISTAKES = frozenset(
    {
        _NO_LENGTH,
        *(_NO_NUMBER.format(name) for name in ("yen", "number", "points")),
        *(_NO_DATE.format(name) for name in ("jpdate", "jpday", "jpyear")),
        *(_NO_TIME.format(name) for name in ("jptime", "jpdatetime")),
    }
)
"""What they say; none of it holds a value."""
