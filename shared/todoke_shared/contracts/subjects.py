"""Subjects: how a producer names a person. `customer:{id}`, `visitor:{id}`, `line:{account}:{userId}`."""

import re
from dataclasses import dataclass

from todoke_shared.errors import BadMessageError

SUBJECT = r"customer:[\s\S]{1,255}|visitor:[\s\S]{1,255}|line:[a-z0-9][a-z0-9_-]{0,62}:U[0-9a-f]{32}"
_SUBJECT = re.compile(SUBJECT)


def check_subject(subject: str | None, *, field: str = "subject") -> str:
    """The subject itself; BadMessageError about `field` when it names nobody."""
    if not subject or not _SUBJECT.fullmatch(subject):
        raise BadMessageError("must be customer:{id}, visitor:{id} or line:{account}:{userId}", field=field)
    return subject


@dataclass(frozen=True)
class LineUser:
    """A person as one LINE account knows them. User ids are unique per provider (LINE-API.md: identity)."""

    account: str
    user_id: str

    @property
    def subject(self) -> str:
        """`line:{account}:{userId}`."""
        return f"line:{self.account}:{self.user_id}"


def line_user(subject: str) -> LineUser | None:
    """The LINE user that a subject names, or None when it names a customer or a visitor."""
    kind, _, rest = subject.partition(":")
    if kind != "line":
        return None
    account, _, user_id = rest.partition(":")
    return LineUser(account, user_id)
