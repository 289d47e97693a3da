"""Dead letters: the untouched record, and in its headers why nobody could handle it."""

from todoke_shared.errors import BadMessageError
from todoke_shared.kafka.records import Outgoing, Record

SUFFIX = ".dlq"


def dead_letter(record: Record, error: BadMessageError, *, service: str) -> Outgoing:
    """The record as it came, for its dead-letter topic. The reason names a field and never repeats the value."""
    return Outgoing(
        topic=record.topic + SUFFIX,
        key=record.key,
        value=record.value,
        headers={
            "todoke-service": service,
            "todoke-reason": error.reason[:1000],
            "todoke-field": error.field or "",
            "todoke-origin": f"{record.topic}/{record.partition}/{record.offset}",
        },
    )
