"""A webhook's signature: HMAC-SHA256 over the raw body, in base64 (LINE, Shopify) or hexadecimal (EC-CUBE).

Sources: https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/ and
https://doc4.ec-cube.net/eccube-api4/webhook (PHP's `hash_hmac`: lower-case hexadecimal).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal

from todoke_ingest.domain.refusals import RequestRefusedError

Encoding = Literal["base64", "hex"]


def is_signed(body: bytes, signature: str | None, secrets: Iterable[str], encoding: Encoding = "base64") -> bool:
    """Whether `signature` (the header's text) was made over `body` with one of the secrets.

    Two secrets are valid while one replaces the other. Every secret is tried and compared in constant time, so that
    the time taken tells nothing. An empty secret signs nothing: anybody could know it.
    """
    if signature is None or not signature.isascii():
        return False
    given = signature.encode()
    matches = [hmac.compare_digest(_signature(body, secret, encoding), given) for secret in secrets if secret]
    return any(matches)


def not_signed(field: str, signature: str | None, whose: str) -> RequestRefusedError:
    """401 about the header `field`; `whose` is what the secrets are of, an account or a shop."""
    reason = "is missing" if signature is None else f"is not one of this {whose} over this body"
    return RequestRefusedError(401, reason, field=field)


def _signature(body: bytes, secret: str, encoding: Encoding) -> bytes:
    digest = hmac.digest(secret.encode(), body, hashlib.sha256)
    return base64.b64encode(digest) if encoding == "base64" else digest.hex().encode()
