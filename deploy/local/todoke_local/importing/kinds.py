"""The kinds of files: what each one's columns are, and what its rows become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from todoke_local.importing.columns import Column
from todoke_local.importing.values import Fields, RowError
from todoke_shared.contracts.contacts import email_sha256
from todoke_shared.jsons import dumps


@dataclass(frozen=True)
class Choices:
    """What the operator chose. `as_of`: when the file was exported, the time of rows that tell none.

    `history`: the events start no campaign. `link_emails`: orders known by an e-mail address alone are this customer's.
    """

    shop: str
    account: str
    zone: ZoneInfo
    as_of: datetime
    history: bool = True
    link_emails: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that a row becomes. `key`: what names it in the file; `at`: None when the row tells no time."""

    type: str
    key: str
    data: dict[str, Any]
    subject: str | None = None
    at: datetime | None = None


Read = Callable[[Sequence[Fields], Choices], list[Draft]]
"""The rows of one thing -> its events; none when there is nothing to tell. RowError when they cannot be read."""


@dataclass(frozen=True)
class Kind:
    """`needed`: of each tuple one column must be there. `checks`: for some fields, whether a cell of it can be read;
    where it cannot, its row is taken all the same, and it is told (`not_read` says what becomes of the cell).

    `group`: rows below each other that agree in it are one thing (the first of these columns that the file has);
    `once`: which may not come again further down.
    """

    name: str
    columns: tuple[Column, ...]
    needed: tuple[tuple[str, ...], ...]
    read: Read
    group: tuple[str, ...] = ()
    once: bool = False
    checks: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

    def not_read(self, fields: Fields) -> list[str]:
        """The fields of a row that say something which nobody can read."""
        return [name for name, read in self.checks.items() if (text := fields.get(name)) and not read(text)]


def event_of(draft: Draft, kind: str, choices: Choices) -> dict[str, Any]:
    """A draft as a CloudEvent. Its id follows from what the row says, so that a repeated import changes nothing.

    Neither `as_of` nor `history` is part of the id: the same file, copied or imported once more as news, is no news.
    """
    said = [choices.shop, kind, draft.type, draft.key, draft.subject, draft.at, draft.data]
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": blake2b(dumps(said), digest_size=16).hexdigest(),
        "source": f"import:{kind}",
        "type": draft.type,
        "time": (draft.at or choices.as_of).isoformat(),
        "shop": choices.shop,
        "data": draft.data,
    }
    if draft.subject is not None:
        event["subject"] = draft.subject
    if choices.history:
        event["history"] = True
    return event


def member(number: str) -> str:
    """A member's number. Some shops take the e-mail address for one: it becomes its hash, as at ingest's doors."""
    if len(number) > 255:
        raise RowError("customer_id is longer than 255 characters")
    return email_sha256(number) or number


def guest(email_hash: str) -> str:
    """The subject of somebody known by an e-mail address alone."""
    return f"visitor:email:{email_hash}"
