"""E-mail addresses and telephone numbers as the topics know them: hashed, so that nobody can read them there.

Both sides of a match hash the same form: an address in lower case, a number in E.164 with Japan's code by default.
"""

import hashlib
import re
import unicodedata

_LONGEST = 320
"""Characters of an address (RFC 3696, errata 1690: 64, @ and 255). What is longer is none, and must not be normalised:
that takes time with the square of a run of combining marks."""
_NOT_A_DIGIT = re.compile(r"[^\d+]")


def email_sha256(address: str) -> str | None:
    """The hash of an address, or None when the text is none."""
    if len(address) > _LONGEST:
        return None
    clean = unicodedata.normalize("NFKC", address).strip().lower()
    return _hash(clean) if clean.count("@") == 1 and not clean.startswith("@") and not clean.endswith("@") else None


def phone_sha256(number: str, *, country: str = "81") -> str | None:
    """The hash of a telephone number, or None when the text is none. A leading 0 stands for `country`."""
    if len(number) > _LONGEST:
        return None
    clean = _NOT_A_DIGIT.sub("", unicodedata.normalize("NFKC", number))
    digits = clean.removeprefix("+")
    if not clean.startswith("+") and digits.startswith("0"):
        digits = country + digits.removeprefix("0")
    return _hash("+" + digits) if digits.isdecimal() and 8 <= len(digits) <= 15 else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
