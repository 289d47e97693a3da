"""The Idempotency-Key of a request: which are keys, what must be the same, and the ids of events that have none.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07. Unlike it, another body
under a key is 409 and not 422: nothing is wrong with the body.
"""

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from todoke_ingest.domain.refusals import RequestRefusedError

HEADER = "idempotency-key"
_LONGEST = 255
_EVENT = UUID("5b0f4c53-8d6e-5f3a-9a57-2f1d6f6b7c11")
"""The namespace of ids made from a key; it never changes, or a repeat would be a new event."""


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request carries, None without one. RequestRefusedError (400) when it is none."""
    key = headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST or not all("!" <= character <= "~" for character in key):
        raise RequestRefusedError(400, f"must be 1 to {_LONGEST} visible ASCII characters", field="Idempotency-Key")
    return key


def other_body() -> RequestRefusedError:
    """409: the key stands for another request."""
    reason = "was used within 24 hours for another body; send this one under a key of its own"
    return RequestRefusedError(409, reason, field="Idempotency-Key")


def digest_of(body: bytes, headers: Mapping[str, str]) -> bytes:
    """What a repeat must have in common with the first request: the body, and in binary mode the event's attributes."""
    attributes = sorted((name, value) for name, value in headers.items() if name.startswith("ce-"))
    digest = hashlib.sha256("".join(f"{name}:{value}\n" for name, value in attributes).encode())
    digest.update(b"\n" + body)
    return digest.digest()


def with_ids(events: Sequence[object], shop: str, key: str) -> list[object]:
    """The events, those that have no id with one of shop, key and place: a repeat then has the same ids."""
    return [
        {**event, "id": str(uuid5(_EVENT, f"{shop}|{key}|{index}"))}
        if isinstance(event, dict) and event.get("id") is None
        else event
        for index, event in enumerate(events)
    ]
