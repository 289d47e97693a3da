"""Keeps e-mail addresses and telephone numbers out of the topics, wherever in a message a shop may have put them."""

import re
from collections.abc import Iterable, Iterator

from todoke_shared.contracts.contacts import email_sha256, phone_sha256
from todoke_shared.contracts.json_values import MAX_DEPTH

_ADDRESS = re.compile(r"""[^\s@<>()\[\],;:"|/?&=]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+""")
"""The lengths are those of RFC 5321 (64) and RFC 1035 (63); unbounded, a long text would take time with its square."""

_PHONE = re.compile(r"(?:.*_)?(?:phone|tel|mobile|fax)(?:_?(?:number|no))?", re.DOTALL)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_STRUCK_OUT = "(e-mail address)"
_MOST = 100
"""Addresses in one text; looking for each among more takes too long, and nobody reads them."""


def without_contacts(value: object, depth: int = 0) -> object:
    """The same JSON value without an address or a number in it.

    A field that holds nothing else becomes `{name}_sha256`, as `email` becomes `email_sha256`; an address within a
    longer text (a URL, a comment) is struck out of it. A telephone number is known by its field's name alone.
    What is nested deeper than any event may be is left out.
    """
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return dict(_fields(value.items(), depth + 1))
    if isinstance(value, list):
        return [without_contacts(inner, depth + 1) for inner in value]
    if not isinstance(value, str):
        return value
    return _hash(value) if _ADDRESS.fullmatch(value.strip()) else _strike_out(value)


def identifier_without_address(text: str) -> str:
    """Somebody's id, as different from others' as before: some shops take the address for one."""
    return _ADDRESS.sub(lambda found: _hash(found[0]), text) if _may_hold_one(text) else text


def _fields(fields: Iterable[tuple[str, object]], depth: int) -> Iterator[tuple[str, object]]:
    for name, value in fields:
        clean = _strike_out(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and _names_a_phone(name):
            if number := phone_sha256(str(value)):
                yield f"{clean}_sha256", number
        elif isinstance(value, str) and _ADDRESS.fullmatch(value.strip()):
            yield f"{clean}_sha256", _hash(value)
        else:
            yield clean, without_contacts(value, depth)


def _names_a_phone(name: str) -> bool:
    return _PHONE.fullmatch(_CAMEL.sub("_", name).lower()) is not None


def _hash(address: str) -> str:
    return email_sha256(address.replace("%40", "@")) or _STRUCK_OUT


def _strike_out(text: str) -> str:
    if text.count("@") + text.count("%40") > _MOST:
        return _STRUCK_OUT
    return _ADDRESS.sub(_STRUCK_OUT, text) if _may_hold_one(text) else text


def _may_hold_one(text: str) -> bool:
    return "@" in text or "%40" in text
