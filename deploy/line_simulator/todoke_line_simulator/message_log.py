"""The accepted requests, newest kept: what a test compares with what should have been sent."""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple


class AcceptedMessages(NamedTuple):
    """One accepted request."""

    seq: int
    account: str
    endpoint: str
    to: tuple[str, ...]
    """As asked for; empty for a broadcast."""
    delivered: tuple[str, ...]
    """Who received it: ``to`` without the blocked and the non-friends."""
    messages: bytes
    """The message objects, JSON. Kept as bytes: a fifth of the memory of the parsed objects."""
    retry_key: str | None
    request_id: str
    accepted_at: float


class MessageLog:
    """At most ``keep`` accepted requests; ``seq`` starts at 1 and never repeats until a reset."""

    def __init__(self, keep: int) -> None:
        self._kept: deque[AcceptedMessages] = deque()
        self._keep = keep
        self._last_seq = 0
        self._alike: Counter[int] = Counter()
        self._duplicates: Counter[str] = Counter()

    @property
    def last_seq(self) -> int:
        """Number of the newest record; 0 when there is none."""
        return self._last_seq

    def next_seq(self) -> int:
        """The number for the record about to be added."""
        self._last_seq += 1
        return self._last_seq

    def add(self, record: AcceptedMessages) -> None:
        """Keep the record; the oldest falls out when there is no more room."""
        self._kept.append(record)
        same = _likeness(record)
        self._alike[same] += 1
        if self._alike[same] > 1:
            self._duplicates[record.account] += 1
        if len(self._kept) > self._keep:
            self._forget(self._kept.popleft())

    def duplicates(self, account: str) -> int:
        """How often the account sent the same messages to the same people again. Informative: it may be meant."""
        return self._duplicates[account]

    def after(self, seq: int) -> Iterator[AcceptedMessages]:
        """The kept records behind ``seq``, oldest first."""
        if not self._kept:
            return iter(())
        return islice(self._kept, max(0, seq + 1 - self._kept[0].seq), None)

    def _forget(self, record: AcceptedMessages) -> None:
        same = _likeness(record)
        self._alike[same] -= 1
        if not self._alike[same]:
            del self._alike[same]


def _likeness(record: AcceptedMessages) -> int:
    return hash((record.account, record.to, record.messages))
