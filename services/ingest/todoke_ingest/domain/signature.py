"""LINE's webhook signature: base64 of HMAC-SHA256 over the raw body.

Source: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable


def is_signed(body: bytes, signature: str | None, secrets: Iterable[str]) -> bool:
    """Whether `signature` (the header's text) was made over `body` with one of the channel's secrets.

    Two secrets are valid while one replaces the other. Every secret is tried and compared in constant time, so that
    the time taken tells nothing. An empty secret signs nothing: anybody could know it.
    """
    if signature is None or not signature.isascii():
        return False
    given = signature.encode()
    matches = [hmac.compare_digest(_signature(body, secret), given) for secret in secrets if secret]
    return any(matches)


def _signature(body: bytes, secret: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256))
