"""A request as the ledger keeps it, read for what a group needs: a thirtieth of the time that checking it again takes.

It was checked when it was taken, and rewritten where it was not `is_readable`. What cannot be read even so is a newer
release's, or somebody's hand.
"""

from datetime import datetime
from uuid import UUID

import msgspec


class StoredTemplate(msgspec.Struct, frozen=True):
    """Which template, and its variables as they are written: they are compared, not looked into."""

    campaign: str
    version: int
    message: str
    variables: dict[str, msgspec.Raw] = {}
    question: str | None = None


class StoredRequest(msgspec.Struct, frozen=True):
    """The fields that say what is sent to whom, and what an outcome tells."""

    account: str
    to: str
    due_at: datetime
    shop: str = "main"
    person: UUID | None = None
    campaign: str | None = None
    step: str | None = None
    enrolment: UUID | None = None
    template: StoredTemplate | None = None
    messages: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def has_messages(self) -> bool:
        """Whether LINE's own message objects stand in it, in place of a template."""
        return bytes(self.messages) != b"null"


_DECODER = msgspec.json.Decoder(StoredRequest)


def is_readable(value: bytes) -> bool:
    """Whether a request of the contract reads the same here.

    The contract takes more than this quick reader, and than PostgreSQL: a time as a number, a UUID as an URN.
    """
    try:
        _DECODER.decode(value)
    except ValueError:
        return False
    return True


def read_stored(value: bytes) -> StoredRequest:
    """The request. ValueError when this release cannot read it."""
    request = _DECODER.decode(value)  # its errors are ValueErrors
    if (request.template is None) != request.has_messages:
        raise ValueError("neither or both of template and messages")
    return request
