"""What comes out of a topic and what goes in: no client's types, so that the rooms need no broker to be tested."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read, its value untouched."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Outgoing(msgspec.Struct, frozen=True):
    """A record to write. Headers are text."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str] = {}

    @property
    def headers_json(self) -> dict[str, str]:
        """Headers as they are stored in an outbox."""
        return dict(self.headers)


class Publisher(Protocol):
    """Writes records to topics."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return when every record is durable in its topic; raise when one may not be."""


class BatchHandler(Protocol):
    """A room's way to take a batch: when it returns, all effects are committed; when it raises, none are."""

    async def __call__(self, records: Sequence[Record], /) -> None:
        """Handle the records in the order given."""
