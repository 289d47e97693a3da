"""Retry keys: which requests were already accepted.

Rules (https://developers.line.biz/en/docs/messaging-api/retrying-api-request/): a key lives 24 hours from acceptance;
only accepted requests are remembered, so a refused request can be repeated with its key; after 24 hours the same key
sends again.
"""

import re
from collections import OrderedDict
from typing import NamedTuple

RETRY_KEY_LIFE_SECONDS = 24 * 60 * 60
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class AcceptedRequest(NamedTuple):
    """What a repeated request is told about the first one."""

    request_id: str
    accepted_at: float
    message_ids: tuple[str, ...]


def canonical_retry_key(header: str) -> str | None:
    """The key in lower case, or None when the header is not a UUID in hexadecimal format."""
    key = header.lower()
    return key if _UUID.fullmatch(key) else None


class RetryKeys:
    """The keys that one account had accepted during the last 24 hours."""

    def __init__(self) -> None:
        self._accepted: OrderedDict[str, AcceptedRequest] = OrderedDict()

    def find(self, key: str, now: float) -> AcceptedRequest | None:
        """The accepted request that carried this key, or None if there is none or its 24 hours are over."""
        self._forget_expired(now)
        return self._accepted.get(key)

    def remember(self, key: str, accepted: AcceptedRequest) -> None:
        """Store an accepted request. The caller has asked ``find`` before, so the key is free."""
        self._accepted[key] = accepted

    def __len__(self) -> int:
        return len(self._accepted)

    def _forget_expired(self, now: float) -> None:
        # Kept in order of acceptance, so the expired ones are at the front and each is visited once.
        while self._accepted:
            key, oldest = next(iter(self._accepted.items()))
            if now - oldest.accepted_at < RETRY_KEY_LIFE_SECONDS:
                return
            del self._accepted[key]
