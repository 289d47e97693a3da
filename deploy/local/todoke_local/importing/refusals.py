"""FILE.refused.csv: the rows that were not taken, as they were, each with the reason; put right, it can be imported."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from todoke_local.importing.entries import Refused

LINE, REASON = "todoke_line", "todoke_reason"
_PRIVATE = 0o600
"""It holds customers: for nobody but who runs the import."""


class RefusedFile:
    """Appends refused rows; there is no file until there is one. A longer one of a run cut short is cut to `size`."""

    def __init__(self, file: Path, header: Sequence[str], encoding: str, delimiter: str, size: int) -> None:
        self.file = file
        self.size = size
        self._header = header
        self._encoding = encoding
        self._delimiter = delimiter

    @classmethod
    def beside(cls, file: Path, header: Sequence[str], encoding: str, delimiter: str, size: int) -> Self:
        """The one of a file that is imported."""
        return cls(file.with_name(f"{file.name}.refused.csv"), header, encoding, delimiter, size)

    def begin(self) -> None:
        """Forget what no progress knows of."""
        if self.size == 0:
            self.file.unlink(missing_ok=True)
        else:
            os.truncate(self.file, self.size)

    def add(self, refused: Iterable[Refused]) -> None:
        """Append rows, durably."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n")
        for one in refused:
            row, reason = one.row, one.reason
            width = len(self._header)
            cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
            writer.writerow([*cells, str(row.line), reason.encode(self._encoding, "replace").decode(self._encoding)])
        if not (content := text.getvalue()):
            return
        if self.size == 0:
            head = io.StringIO()
            csv.writer(head, delimiter=self._delimiter, lineterminator="\r\n").writerow([*self._header, LINE, REASON])
            content = head.getvalue() + content
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE)
        with os.fdopen(descriptor, "ab") as out:
            out.write(content.encode(self._encoding, "replace"))
            out.flush()
            os.fsync(out.fileno())
            self.size = out.tell()
