"""How far an import is, kept beside its file, so that it can be stopped at any moment and goes on where it was."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from todoke_local.importing.survey import Survey

LINES_TOLD = 10
"""Enough to see what is meant; their number is told in any case."""


class NotRead(BaseModel):
    """In how many rows that were taken a field could not be read, and in which lines of the file, the first of them."""

    model_config = ConfigDict(extra="forbid")

    rows: int = 0
    lines: list[int] = []

    def add(self, line: int) -> None:
        """One more."""
        self.rows += 1
        if len(self.lines) < LINES_TOLD:
            self.lines.append(line)


class Counts(BaseModel):
    """What became of the rows so far. `left_out`: they are nothing to tell (an order never finished).

    `not_read`: by field, what of the rows taken could not be read.
    """

    model_config = ConfigDict(extra="forbid")

    rows: int = 0
    refused: int = 0
    left_out: int = 0
    events: int = 0
    not_read: dict[str, NotRead] = {}


class Progress(BaseModel):
    """`offset`: bytes of the file that are done with; `refused_bytes`: of the file of refused rows, likewise.

    `as_of` stays what it was when the import began. `choices`: what it began with, in words.
    """

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    size: int
    sha256: str
    choices: dict[str, str]
    as_of: str
    offset: int
    line: int
    refused_bytes: int = 0
    counts: Counts = Counts()
    done: bool = False

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """What is kept of an earlier run; None when there was none. ValueError when it cannot be understood."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise ValueError(f"{file} is not what this release writes; start over with --restart") from None

    def check(self, found: Survey, choices: dict[str, str]) -> None:
        """ValueError when the file, or a choice, is not the one that the import began with."""
        if (found.size, found.sha256) != (self.size, self.sha256):
            raise ValueError(
                f"the file has changed since its import began (line {self.line} was next). Import it from the start "
                "with --restart: rows that say the same as before change nothing"
            )
        for name in sorted(self.choices.keys() | choices.keys()):
            was, is_ = self.choices.get(name, ""), choices.get(name, "")
            if was != is_:
                raise ValueError(
                    f"the import began with {name} {was or '(none)'}, now it is {is_ or '(none)'}. Repeat the command "
                    "as it was, or start over with --restart"
                )

    def write(self, file: Path) -> None:
        """Keep it, whole or not at all, though the power fails."""
        new = file.with_name(f"{file.name}.new")
        with new.open("wb") as out:
            out.write(self.model_dump_json(indent=1).encode())
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)


def progress_file(file: Path) -> Path:
    """Where the progress of a file's import is kept."""
    return file.with_name(f"{file.name}.todoke-progress")
