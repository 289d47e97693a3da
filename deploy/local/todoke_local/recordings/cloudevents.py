"""CloudEvents, one JSON object a line."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from todoke_local.recordings.recorded import Recorded


def read_cloudevents(file: Path) -> Iterator[Recorded]:
    """The events of a file, in its order. ValueError names the line that cannot be read."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                event = json.loads(line)
                at = datetime.fromisoformat(event["time"])
                offset = at.utcoffset()
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{file}:{number}: expected a CloudEvent with a `time`, as one line of JSON") from None
            if offset is None:
                raise ValueError(f"{file}:{number}: `time` needs an offset, for example 2026-01-31T09:00:00+09:00")
            yield Recorded(at, _customer(event.get("subject")), event)


def _customer(subject: object) -> str | None:
    """The person's name, when the recording names a customer; others are linked by the recording itself."""
    kind, _, name = str(subject or "").partition(":")
    return name if kind == "customer" and name else None
