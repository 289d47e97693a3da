"""Keys of the doors: what they look like, where a request carries one, how often it may be used.

A key is 178 random bits, so one SHA-256 hides it as well as a slow hash would: that makes guessing dear, and here there
is nothing to guess. It also makes the look-up safe to time. What is compared byte by byte is the digest of what was
sent, and nobody can bend a digest towards one that he does not know.
"""

import base64
import binascii
import hashlib
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass

from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.requests import Purpose

_ALPHABET = string.ascii_letters + string.digits
_RANDOM = 30
"""Characters; the 8 that are told as the hint leave 131 bits unknown, above the 128 that RELIABILITY asks for."""
_HINT = 8
_LONGEST = 128
"""No key of ours is longer: what is, need not be hashed."""

_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+)(:\d{1,5})?/?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
"""A browser leaves these out of an origin (https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often a key may be used: `per_second` requests for long, `burst` requests at once after a rest."""

    per_second: int
    burst: int

    @property
    def spacing(self) -> int:
        """Nanoseconds that one request uses up, rounded up so that no second holds more than it should."""
        return -(-1_000_000_000 // self.per_second)


DEFAULT_LIMITS: Mapping[Purpose, Limit] = {
    "events": Limit(per_second=1000, burst=2000),
    "segment": Limit(per_second=1000, burst=2000),
    "browser": Limit(per_second=100, burst=500),
}
"""A backend is trusted with a full import (a request may hold 1,000 events); a browser's key is public, and its limit
is what all visitors of a site share: 100 pages a second is a large shop on its best day."""


def new_key(purpose: Purpose) -> str:
    """A key that nobody has seen. Its form, `tdk_(events|segment|browser)_[A-Za-z0-9]{30}`, is for secret scanners."""
    return f"tdk_{purpose}_{''.join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))}"


def hint_of(key: str) -> str:
    """What an operator calls a key: the first characters behind its prefix."""
    return key.rpartition("_")[2][:_HINT]


def hash_of(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def presented_key(purpose: Purpose, headers: Mapping[str, str], query: str) -> str | None:
    """The key that a request carries, as sent; None when there is none, or nothing that could be one.

    `Authorization: Bearer KEY`, `Authorization: Basic base64(KEY:)` (RFC 7617; how Segment's libraries send it), or
    `X-Api-Key: KEY`. A browser's key alone stands in the query (`?key=KEY`): sendBeacon sets no header, and only a
    public key may be written into everybody's access logs.
    """
    if purpose == "browser":
        text = next((part[4:] for part in query.split("&") if part.startswith("key=")), "")
    else:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            text = credentials.strip()
        elif scheme == "basic":
            text = _user(credentials)
        else:
            text = headers.get("x-api-key", "").strip()
    return text if 0 < len(text) <= _LONGEST else None


def use(limit: Limit, tat: int, now: int) -> tuple[int, int]:
    """One request of a key: its next `tat`, and the nanoseconds to wait before it may come (0: it may come now).

    The generic cell rate algorithm (ITU-T I.371), equal to a token bucket: `tat`, the theoretical arrival time, is
    when all that was used is made good, 0 for a key not yet used. Times are whole nanoseconds, in which this
    calculates exactly. A request that has to wait uses nothing up.
    """
    start = max(tat, now)
    wait = start - now - (limit.burst - 1) * limit.spacing
    return (tat, wait) if wait > 0 else (start + limit.spacing, 0)


def not_admitted(purpose: Purpose, *, given: bool) -> RequestRefusedError:
    """401: no key (or, `given`, none that is in force). WWW-Authenticate is RFC 9110's demand, 15.5.2."""
    reason = "is no key that is in force" if given else "is missing"
    where = {
        "events": "send `Authorization: Bearer KEY`",
        "segment": "send the key as the write key (Basic, no password)",
        "browser": "put ?key=KEY into the URL",
    }[purpose]
    return RequestRefusedError(
        401,
        f"{reason}; {where}. `todoke keys create SHOP --for {purpose}` makes one",
        field=_field(purpose),
        headers={"WWW-Authenticate": ("Basic" if purpose == "segment" else "Bearer") + ' realm="todoke"'},
    )


def of_another_purpose(wanted: Purpose, found: Purpose) -> RequestRefusedError:
    """403: the key is good, and opens another door."""
    reason = f"is a key for {found}; this door asks for one that was made with --for {wanted}"
    return RequestRefusedError(403, reason, field=_field(wanted))


def too_often(purpose: Purpose, limit: Limit, wait: int) -> RequestRefusedError:
    """429: come again after `wait` nanoseconds, told in whole seconds (RFC 9110, 10.2.3)."""
    seconds = -(-wait // 1_000_000_000)
    reason = f"was used more than {limit.per_second:,} times a second; wait {seconds} s and send this again"
    return RequestRefusedError(429, reason, field=_field(purpose), headers={"Retry-After": str(seconds)})


def read_origin(text: str) -> str:
    """A site's origin as a browser names it: `https://shop.example`. ValueError tells how to write it."""
    match = _ORIGIN.fullmatch(text.strip().lower()) if text.isascii() else None
    if match is None:
        raise ValueError("write an origin as https://shop.example: scheme and host (in ASCII), no path")
    scheme, host, port = match.groups()
    return f"{scheme}://{host}{port}" if port and int(port[1:]) != _DEFAULT_PORTS[scheme] else f"{scheme}://{host}"


def _field(purpose: Purpose) -> str:
    return "key" if purpose == "browser" else "Authorization"


def _user(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).partition(b":")[0].decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
