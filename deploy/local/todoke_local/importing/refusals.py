"""FILE.refused.csv: the rows that were not taken, as they were, each with the reason; put right, it can be imported.

When that file is imported itself, it becomes, at the end, what is still refused of it.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from todoke_local.importing.columns import LINE, REASON
from todoke_local.importing.entries import Refused

ENDING = ".refused.csv"
_PRIVATE = 0o600
"""It holds customers: for nobody but who runs the import."""


class RefusedFile:
    """Appends refused rows; there is no file until there is one. A longer one of a run cut short is cut to `size`."""

    def __init__(self, source: Path, header: Sequence[str], encoding: str, delimiter: str, size: int) -> None:
        self._again = source.name.endswith(ENDING) and REASON in header
        self.file = source if self._again else source.with_name(f"{source.name}{ENDING}")
        self.size = size
        self._written = source.with_name(f"{source.name}.part") if self._again else self.file
        self._places = [place for place, heading in enumerate(header) if heading not in (LINE, REASON)]
        self._header = [header[place] for place in self._places]
        self._encoding = encoding
        self._delimiter = delimiter

    def begin(self) -> None:
        """Forget what no progress knows of."""
        if self.size == 0:
            self._written.unlink(missing_ok=True)
        else:
            os.truncate(self._written, self.size)

    def end(self) -> bool:
        """All is imported. Whether the imported file is another from now on, so that no progress is its any more."""
        if not self._again or self.size == 0:
            return False
        self._written.replace(self.file)
        return True

    def add(self, refused: Iterable[Refused]) -> None:
        """Append rows, durably."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n")
        for one in refused:
            row, reason = one.row, one.reason
            cells = [row.cells[place] if place < len(row.cells) else "" for place in self._places]
            writer.writerow([*cells, str(row.line), reason.encode(self._encoding, "replace").decode(self._encoding)])
        if not (content := text.getvalue()):
            return
        if self.size == 0:
            head = io.StringIO()
            csv.writer(head, delimiter=self._delimiter, lineterminator="\r\n").writerow([*self._header, LINE, REASON])
            content = head.getvalue() + content
        descriptor = os.open(self._written, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _PRIVATE)
        with os.fdopen(descriptor, "ab") as out:
            out.write(content.encode(self._encoding, "replace"))
            out.flush()
            os.fsync(out.fileno())
            self.size = out.tell()
