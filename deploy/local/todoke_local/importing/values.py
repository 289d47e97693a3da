"""Texts of cells -> values, as Japanese exports write them. RowError names the field and never repeats the value."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from todoke_local.importing.words import GENDERS, NO, YES
from todoke_shared.conditions.regions import prefecture

Fields = Mapping[str, str]

_TIME = re.compile(
    r"(?P<year>\d{4})(?:[-/.]|年)(?P<month>\d{1,2})(?:[-/.]|月)(?P<day>\d{1,2})日?(?:\(.\))?"
    r"(?:[T\s]+(?P<hour>\d{1,2})(?::|時)(?P<minute>\d{1,2})(?:(?::|分)(?P<second>\d{1,2}))?(?:\.\d+)?分?秒?"
    r"\s*(?P<offset>Z|UTC|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_NUMBER_MARKS = str.maketrans("", "", ",¥\\円 ")
_LINE_USER = re.compile(r"U[0-9a-f]{32}")


class RowError(ValueError):
    """A row, or the rows of one order, cannot be imported; the message says which field is wrong, and how."""


def need(fields: Fields, field: str) -> str:
    """A text that cannot be missing."""
    if not (text := fields.get(field)):
        raise RowError(f"{field} is empty")
    return text


def read_time(fields: Fields, field: str, zone: ZoneInfo) -> datetime | None:
    """A moment: `2024-01-05 10:00:00 +0900`, `2024/1/5 10:00`, `2024年1月5日`, `20240105`; `zone` where it has none."""
    text = _plain(fields.get(field, ""))
    if not text or text.startswith("0000"):
        return None
    spaced = _DIGITS.sub(r"\1-\2-\3", text, count=1) if text[:8].isdigit() else text
    if (found := _TIME.fullmatch(spaced)) is None:
        raise RowError(f"{field} is no time such as 2024-01-05 10:00:00 or 2024/1/5")
    numbers = {name: int(number) for name, number in found.groupdict("0").items() if name != "offset"}
    try:
        naive = datetime.combine(
            date(numbers["year"], numbers["month"], numbers["day"]),
            time(numbers["hour"], numbers["minute"], numbers["second"]),
        )
        instant = _at_offset(naive, found["offset"], zone)
    except ValueError:
        raise RowError(f"{field} is a time that no calendar has") from None
    if not 2000 <= instant.year < 2200:
        raise RowError(f"{field} lies before the year 2000 or after 2199")
    return instant


def read_birthday(fields: Fields, field: str) -> str | None:
    """A day as YYYY-MM-DD; MySQL's 0000-00-00 is none."""
    text = _plain(fields.get(field, ""))
    if not text or text.startswith("0000"):
        return None
    spaced = _DIGITS.sub(r"\1-\2-\3", text, count=1) if text[:8].isdigit() else text
    try:
        if (found := _TIME.fullmatch(spaced)) is None:
            raise ValueError
        return date(int(found["year"]), int(found["month"]), int(found["day"])).isoformat()
    except ValueError:
        raise RowError(f"{field} is not a date; write 1990-05-12") from None


def read_number(fields: Fields, field: str) -> float | None:
    """A number from 0 up, with or without ¥, 円 and thousands' commas."""
    if not (text := _plain(fields.get(field, "")).translate(_NUMBER_MARKS)):
        return None
    if not re.fullmatch(r"\d{1,15}(\.\d{0,6})?", text, re.ASCII):
        raise RowError(f"{field} is no number from 0 up")
    number = float(text)
    return int(number) if number.is_integer() else number


def read_integer(fields: Fields, field: str) -> int | None:
    """A whole number from 0 up."""
    if (number := read_number(fields, field)) is None:
        return None
    if not isinstance(number, int):
        raise RowError(f"{field} is no whole number")
    return number


def read_truth(fields: Fields, field: str) -> bool | None:
    """Yes or no, in the words of exports."""
    if not (text := _plain(fields.get(field, "")).lower()):
        return None
    if text not in YES | NO:
        raise RowError(f"{field} is neither yes nor no; write true or false")
    return text in YES


def read_gender(fields: Fields, field: str) -> str | None:
    """female, male or other; None where it is not said."""
    return GENDERS.get(_plain(fields.get(field, "")).lower())


def read_prefecture(fields: Fields, field: str) -> str | None:
    """By its full name, 東京都; JP-13, 13, 東京 and Tokyo are known too, another country's region is kept as it is."""
    text = fields.get(field, "")
    return prefecture(text) or _plain(text) or None


def read_list(fields: Fields, field: str) -> list[str]:
    """Several texts in one cell, between commas, semicolons, bars or lines."""
    return [part for text in re.split(r"[,;|\n、，]", fields.get(field, "")) if (part := text.strip())]


def read_line_user(fields: Fields, field: str) -> str:
    """A LINE user id. RowError also for another tool's own number."""
    text = need(fields, field)
    if not _LINE_USER.fullmatch(text):
        raise RowError(f"{field} is no LINE user id (U and 32 of 0-9a-f); a tool's own number for a friend is none")
    return text


def present(**values: Any) -> dict[str, Any]:
    """What is known, without what is not."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _plain(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _at_offset(naive: datetime, offset: str | None, zone: ZoneInfo) -> datetime:
    if not offset:
        return naive.replace(tzinfo=zone)
    return datetime.fromisoformat(naive.isoformat() + (offset if offset[0] in "+-" else "Z"))
