"""What a file is, from one pass over its bytes: its fingerprint, its encoding, and how it separates its columns."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Encoding = Literal["auto", "utf-8", "cp932"]
"""`cp932` is what Japanese tools call Shift_JIS: Microsoft's, with its own ① and 髙."""

_CHUNK = 1 << 20
_ENOUGH_LINES = 1000
"""So many lines beyond ASCII tell the encoding; the rest of the file is only hashed."""
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Survey:
    """A file's size in bytes, SHA-256, encoding, and the offset of its first row, beyond a byte order mark."""

    size: int
    sha256: str
    encoding: str
    start: int


def survey(file: Path, encoding: Encoding = "auto") -> Survey:
    """Read a file once. ValueError when it is in an encoding that none of its lines could be read in."""
    digest, utf8, other, rest = hashlib.sha256(), 0, 0, b""
    size = 0
    with file.open("rb") as source:
        head = source.read(3)
        source.seek(0)
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if utf8 + other < _ENOUGH_LINES:
                *lines, rest = (rest + chunk).split(b"\n")
                rest = rest[-_CHUNK:]
                found = [_is_utf8(line) for line in lines if not line.isascii()]
                utf8, other = utf8 + sum(found), other + found.count(False)
    if rest and not rest.isascii():
        utf8, other = utf8 + _is_utf8(rest), other + (not _is_utf8(rest))
    if head.startswith(_UTF16_MARKS):
        raise ValueError(f"{file} is UTF-16 (Excel's “Unicode text”); save it as “CSV UTF-8” and try again")
    marked = head == _UTF8_MARK
    # Text in CP932 is hardly ever valid UTF-8, so one bad byte in a file of UTF-8 does not make it CP932.
    guess = "utf-8" if marked or utf8 >= other else "cp932"
    return Survey(size, digest.hexdigest(), guess if encoding == "auto" else encoding, len(_UTF8_MARK) if marked else 0)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
