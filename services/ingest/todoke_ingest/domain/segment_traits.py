"""Segment's traits -> what customer.* events tell of a person.

Reserved traits: https://segment.com/docs/connections/spec/identify/#traits (camelCase and snake_case alike). What of
them we have no word for is carried; of the address only prefecture and city are, and of contacts only their hashes.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta, timezone

from todoke_ingest.domain.personal_data import without_contacts
from todoke_ingest.domain.segment_time import read_time
from todoke_ingest.domain.segment_values import carried, number_of, snake, text_of
from todoke_shared.conditions.regions import prefecture
from todoke_shared.contracts.contacts import email_sha256, phone_sha256

_JAPAN = timezone(timedelta(hours=9))
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_GENDERS = {
    **dict.fromkeys(("male", "m", "man", "男", "男性"), "male"),
    **dict.fromkeys(("female", "f", "woman", "女", "女性"), "female"),
    **dict.fromkeys(("other", "x", "nonbinary", "non-binary", "その他"), "other"),
}


def customer_data(traits: Mapping[str, object]) -> dict[str, object]:
    """The `data` of customer.updated. A trait that cannot be read as what it should be is left out."""
    given = {snake(name): value for name, value in traits.items()}
    told = {name: value for name, read in _READERS.items() if (value := read(given)) is not None}
    rest = {name: value for name, value in traits.items() if snake(name) not in _TOLD_OTHERWISE}
    return {**carried(rest), **told}


def _name(traits: Mapping[str, object]) -> object:
    if name := text_of(traits.get("name")):
        return without_contacts(name)
    first, last = text_of(traits.get("first_name")), text_of(traits.get("last_name"))
    parts = [part for part in (first, last) if part]
    western = all(part.isascii() for part in parts)
    return without_contacts(" ".join(parts if western else reversed(parts))) if parts else None


def _email(traits: Mapping[str, object]) -> object:
    address = text_of(traits.get("email"))
    return email_sha256(address) if address else _digest(traits, "email_sha256")


def _phone(traits: Mapping[str, object]) -> object:
    number = text_of(traits.get("phone"))
    return phone_sha256(number) if number else _digest(traits, "phone_sha256")


def _digest(traits: Mapping[str, object], name: str) -> str | None:
    digest = text_of(traits.get(name)) or ""
    return digest.lower() if _SHA256.fullmatch(digest) else None


def _birthday(traits: Mapping[str, object]) -> object:
    text = text_of(traits.get("birthday")) or ""
    if found := _DATE.fullmatch(text):
        year, month, day = (int(part) for part in found.groups())
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            return None
    # A browser writes midnight in Japan as 15:00 UTC of the day before.
    try:
        return time.astimezone(_JAPAN).date().isoformat() if (time := read_time(text)) else None
    except OverflowError:
        return None


def _gender(traits: Mapping[str, object]) -> object:
    return _GENDERS.get((text_of(traits.get("gender")) or "").lower())


def _prefecture(traits: Mapping[str, object]) -> object:
    address = _address(traits)
    given = [traits.get("prefecture"), *(address.get(name) for name in ("prefecture", "region", "state"))]
    given += [traits.get("region"), traits.get("state")]
    return next((found for value in given if (text := text_of(value)) and (found := prefecture(text))), None)


def _city(traits: Mapping[str, object]) -> object:
    city = text_of(traits.get("city")) or text_of(_address(traits).get("city"))
    return without_contacts(city) if city else None


def _address(traits: Mapping[str, object]) -> Mapping[str, object]:
    address = traits.get("address")
    return {snake(name): value for name, value in address.items()} if isinstance(address, dict) else {}


def _tags(traits: Mapping[str, object]) -> object:
    tags = traits.get("tags")
    texts = [text_of(tag) for tag in tags] if isinstance(tags, list) else []
    return without_contacts([text for text in texts if text]) if texts else None


def _accepts_marketing(traits: Mapping[str, object]) -> object:
    answer = traits.get("accepts_marketing")
    return answer if isinstance(answer, bool) else None


def _points(traits: Mapping[str, object]) -> object:
    points = number_of(traits.get("points"))
    return int(points) if points is not None and points == int(points) else None


def _registered_at(traits: Mapping[str, object]) -> object:
    time = read_time(traits.get("registered_at")) or read_time(traits.get("created_at"))
    return time.isoformat() if time else None


_READERS: Mapping[str, Callable[[Mapping[str, object]], object]] = {
    "name": _name,
    "email_sha256": _email,
    "phone_sha256": _phone,
    "birthday": _birthday,
    "gender": _gender,
    "prefecture": _prefecture,
    "city": _city,
    "tags": _tags,
    "accepts_marketing": _accepts_marketing,
    "points": _points,
    "registered_at": _registered_at,
}
_TOLD_OTHERWISE = _READERS.keys() | {"email", "phone", "first_name", "last_name", "address", "region", "state"}
_TOLD_OTHERWISE |= {"created_at", "id"}  # the userId once more
