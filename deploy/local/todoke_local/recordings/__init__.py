"""Recordings of shop events -> CloudEvents, in the order in which they happened."""

from collections.abc import Callable, Iterator
from pathlib import Path

from todoke_local.recordings.cloudevents import read_cloudevents
from todoke_local.recordings.recorded import Recorded
from todoke_local.recordings.taobao import read_taobao

FORMATS: dict[str, Callable[[Path], Iterator[Recorded]]] = {"cloudevents": read_cloudevents, "taobao": read_taobao}

__all__ = ["FORMATS", "Recorded", "read_recording"]


def read_recording(file: Path, format_: str) -> list[Recorded]:
    """The events of a file, oldest first. ValueError names the line that cannot be read."""
    if format_ not in FORMATS:
        raise ValueError(f"unknown format {format_!r}; use one of {', '.join(sorted(FORMATS))}")
    return sorted(FORMATS[format_](file), key=lambda event: event.at)
