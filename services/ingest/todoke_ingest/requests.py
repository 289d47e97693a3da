"""A request as a door sees it, before any HTTP framework, and whose key it carried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

Purpose = Literal["events", "segment", "browser"]
"""What a key opens: the backend's door, the Segment-compatible doors, or the browser tag's (a public key)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request carried. The shop comes from the key, never from the body alone (RELIABILITY: security).

    `key` is what an operator calls the key by, and no secret. `origins` are the sites that a browser's key may be
    used from; none means any.
    """

    shop: str
    purpose: Purpose
    key: str
    origins: tuple[str, ...] = ()


class DoorRequest(msgspec.Struct, frozen=True):
    """A request as it came: the body whole and within its door's limit, header names in lower case.

    `path` holds the path's parameters; `caller` is None at a door that asks for no key.
    """

    body: bytes = b""
    headers: Mapping[str, str] = {}
    path: Mapping[str, str] = {}
    query: str = ""
    method: str = "POST"
    caller: Caller | None = None
