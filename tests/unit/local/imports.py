"""Files and imports for tests of `todoke import`: written, opened and read as the command does it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from todoke_local.importing.entries import Entries, Entry
from todoke_local.importing.importer import Import, begin
from todoke_local.importing.kinds import Choices, Kind
from todoke_local.importing.source import Source, open_source
from todoke_local.importing.survey import Encoding
from todoke_shared.jsons import loads

AS_OF = datetime(2026, 4, 1, tzinfo=UTC)
CHOICES = Choices("main", "main", ZoneInfo("Asia/Tokyo"), AS_OF)
USER = "U" + "4a" * 16


def write(folder: Path, *lines: str, name: str = "file.csv", encoding: str = "utf-8") -> Path:
    """A file of these lines."""
    file = folder / name
    file.write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
    return file


def opened(file: Path, kind: Kind, *, encoding: Encoding = "auto", mapped: Mapping[str, str] | None = None) -> Source:
    """A file as the command opens it."""
    return open_source(file, kind, encoding, mapped or {})


def entries(source: Source, kind: Kind, choices: Choices = CHOICES) -> list[Entry]:
    """All that a file becomes."""
    found = Entries(kind, source.columns, choices)
    try:
        return list(found.of(source.rows()))
    finally:
        found.close()


def events(source: Source, kind: Kind, choices: Choices = CHOICES) -> list[dict[str, Any]]:
    """The events that a file becomes; no row of it may be refused."""
    found = entries(source, kind, choices)
    assert [refused.reason for entry in found for refused in entry.refused] == []
    return [loads(event) for entry in found for event in entry.events]


def reasons(source: Source, kind: Kind) -> list[tuple[int, str]]:
    """The refused rows of a file: line and reason."""
    return [(one.row.line, one.reason) for entry in entries(source, kind) for one in entry.refused]


def fresh(source: Source, kind: Kind, choices: Choices = CHOICES) -> Import:
    """An import that has not begun."""
    return Import(source, kind, choices, begin(source, choices, {}))


class Taken:
    """What stands in for ingest: keeps each batch, refuses by id, and fails when told to."""

    def __init__(self, *, fail_after: int | None = None, refuse: Sequence[str] = ()) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.sizes: list[int] = []
        self._fail_after = fail_after
        self._refuse = refuse

    async def post(self, body: bytes, count: int) -> dict[int, str]:
        """Take a batch. ConnectionError once, when told to fail after so many; the batch was taken all the same."""
        batch = loads(body)
        assert len(batch) == count
        self.batches.append(batch)
        self.sizes.append(len(body))
        if self._fail_after is not None and len(self.batches) > self._fail_after:
            self._fail_after = None
            raise ConnectionError("the answer never came")
        return {index: "data.x: is wrong" for index, event in enumerate(batch) if event["type"] in self._refuse}

    @property
    def events(self) -> list[dict[str, Any]]:
        """All of them."""
        return [event for batch in self.batches for event in batch]
