"""Reply tokens: usable once, within a minute of the webhook that carried them.

Rules (https://developers.line.biz/en/reference/messaging-api/#send-reply-message): a token works once, within 1 minute
of its webhook. A redelivered webhook starts the minute again, but 20 minutes after the event the token is dead.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

REPLY_WITHIN_SECONDS = 60
DEAD_AFTER_SECONDS = 20 * 60


@dataclass(slots=True)
class _Issued:
    user_id: str
    issued_at: float
    sent_at: float


class ReplyTokens:
    """The reply tokens of one account."""

    def __init__(self) -> None:
        self._issued: OrderedDict[str, _Issued] = OrderedDict()

    def issue(self, user_id: str, now: float) -> str:
        """A fresh token for one event of this user."""
        self._forget_dead(now)
        token = secrets.token_hex(16)  # LINE's are 32 hexadecimal characters too
        self._issued[token] = _Issued(user_id, now, now)
        return token

    def redelivered(self, token: str, now: float) -> None:
        """The webhook that carries this token is sent once more: its minute starts again."""
        if issued := self._issued.get(token):
            issued.sent_at = now

    def owner(self, token: str, now: float) -> str | None:
        """The user whom a reply with this token reaches, or None if it is unknown, used or too old."""
        issued = self._issued.get(token)
        if issued is None or now - issued.sent_at > REPLY_WITHIN_SECONDS or now - issued.issued_at > DEAD_AFTER_SECONDS:
            return None
        return issued.user_id

    def use(self, token: str) -> None:
        """Spend the token."""
        self._issued.pop(token, None)

    def _forget_dead(self, now: float) -> None:
        while self._issued:
            token, oldest = next(iter(self._issued.items()))
            if now - oldest.issued_at <= DEAD_AFTER_SECONDS:
                return
            del self._issued[token]
