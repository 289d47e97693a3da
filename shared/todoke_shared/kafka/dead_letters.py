"""Dead letters: the untouched record, and in its headers why nobody could handle it."""

from collections.abc import Callable, Iterable, Sequence

from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.records import Outgoing, Record
from todoke_shared.telemetry import metrics

SUFFIX = ".dlq"
LARGEST_VALUE = 900_000
"""A record that came just under Kafka's limit has no room for our headers: its letter tells where it lies instead."""
LARGEST_HEADERS = 32_000
"""Bytes of a record's own headers that its letter repeats; those beyond are left out."""
BadRecord = tuple[Record, BadMessageError]
"""A record, and why nobody can handle it."""
FEW = 20
"""So many bad records may be anybody's bad day."""


def dead_letter(record: Record, error: BadMessageError, *, service: str) -> Outgoing:
    """The record as it came, for its dead-letter topic. The reason names a field and never repeats the value."""
    size = len(record.value or b"")
    return Outgoing(
        topic=record.topic + SUFFIX,
        key=record.key,
        value=record.value if size <= LARGEST_VALUE else None,
        headers={
            **_own_headers(record),
            "todoke-service": service,
            "todoke-reason": _as_header(error.reason),
            "todoke-field": _as_header(error.field or ""),
            "todoke-origin": f"{record.topic}/{record.partition}/{record.offset}",
            **({"todoke-left-out": f"{size} bytes"} if size > LARGEST_VALUE else {}),
        },
    )


def _own_headers(record: Record) -> dict[str, str]:
    """The record's own headers: in binary mode the event's attributes stand there, and its repair needs them."""
    kept: dict[str, str] = {}
    room = LARGEST_HEADERS
    for name, value in record.headers:
        text = value.decode(errors="backslashreplace")
        room -= len(name.encode()) + len(text.encode())
        if room >= 0:
            kept[_storable(name)] = _storable(text)
    return kept


def _as_header(text: str) -> str:
    return _storable(text[:1000])  # not too long for the record


def _storable(text: str) -> str:
    """Without the one character that PostgreSQL's jsonb cannot hold in the outbox."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def dead_letters(bad: Iterable[BadRecord], *, service: str, unless: Callable[[Record], bool]) -> list[Outgoing]:
    """A letter for each bad record, counted, but for those of which `unless` holds: they have theirs already."""
    letters = [dead_letter(record, error, service=service) for record, error in bad if not unless(record)]
    for letter in letters:
        metrics.DEAD_LETTERS.labels(letter.topic.removesuffix(SUFFIX)).inc()
    return letters


class DeadLetterLimit:
    """Stops a bad deploy from draining a topic into its dead letters (RELIABILITY: poison).

    A process that has never yet read a good record, and finds most of a batch bad, is itself the likelier fault:
    it stops, and nothing is dead-lettered. One that has read good records knows that the fault is a producer's.
    What is no JSON at all does not count: no release could read it.
    """

    def __init__(self) -> None:
        self._has_read_well = False

    def check(self, *, good: int, bad: Sequence[BadRecord]) -> None:
        """SlowDownError, before any dead letter is written, when it is rather us."""
        doubtful = sum(not error.gibberish for _, error in bad)
        self._has_read_well = self._has_read_well or good > doubtful
        if not self._has_read_well and doubtful > FEW:
            raise SlowDownError(
                f"{doubtful} of {good + len(bad)} records cannot be read, and none before; nothing was dead-lettered. "
                "Was this service just deployed? Roll it back; or let a producer write what can be read"
            )
