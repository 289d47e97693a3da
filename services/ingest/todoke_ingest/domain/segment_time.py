"""When a Segment message happened, by our clock. Source: https://segment.com/docs/connections/spec/common/#timestamps"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from todoke_shared.errors import BadMessageError

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""As for every instant of ours: a correction that leads further back was made with a clock that tells nothing."""

_COARSEST = timedelta(seconds=1)
"""PHP's library writes sentAt in whole seconds, so that it may seem to lie before the timestamp by less than one."""


def occurred_at(message: Mapping[str, object], sent_at: object, received_at: datetime) -> datetime:
    """`receivedAt - (sentAt - timestamp)`, which takes the sender's wrong clock out of it; never after `received_at`.

    Without a `timestamp`, `originalTimestamp` (RudderStack's) counts; without either, `received_at`. A `sentAt` that
    is no time, lies a second before the timestamp, or leads beyond the year 2000 corrects nothing.
    BadMessageError when there is a timestamp that nobody can read: today's date would make news of what may be old.
    """
    given = [message[name] for name in ("timestamp", "originalTimestamp") if message.get(name) is not None]
    if not given:
        return received_at
    time = next((time for value in given if (time := read_time(value))), None)
    if time is None:
        raise BadMessageError("must be an ISO 8601 time such as 2026-01-31T09:00:00.000Z", field="timestamp")
    return min(_corrected(time, read_time(sent_at), received_at), received_at)


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time; one without an offset is UTC, as Segment has it. None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _corrected(time: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    if sent_at is None or time - sent_at >= _COARSEST:
        return time
    try:
        corrected = received_at - (sent_at - time)
    except OverflowError:
        return time
    return corrected if corrected >= _EARLIEST else time
