"""LINE's webhooks as LINE signs them, written from LINE's page, not from our verifier."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime


def line_user_id(name: str) -> str:
    """A LINE user id for a readable name."""
    return "U" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def signed_webhook(kind: str, name: str, at: datetime, secret: str) -> tuple[bytes, str]:
    """A delivery with one event by one user, and its signature (base64 of HMAC-SHA256 over the body)."""
    return signed_event({"type": kind}, name, at, secret)


def signed_event(fields: Mapping[str, object], name: str, at: datetime, secret: str) -> tuple[bytes, str]:
    """The same of an event with these fields, its type among them."""
    millis = int(at.timestamp() * 1000)
    event = {
        "mode": "active",
        "timestamp": millis,
        "source": {"type": "user", "userId": line_user_id(name)},
        "webhookEventId": hashlib.sha256(f"{fields['type']}{name}{millis}".encode()).hexdigest()[:26].upper(),
        "deliveryContext": {"isRedelivery": False},
        **fields,
    }
    body = json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return body, signature
