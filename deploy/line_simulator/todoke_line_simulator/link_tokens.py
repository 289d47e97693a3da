"""Link tokens of the account-link flow: one use, 10 minutes.

Source: https://developers.line.biz/en/reference/messaging-api/#issue-link-token
"""

import secrets

LINK_TOKEN_LIFE_SECONDS = 10 * 60


class LinkTokens:
    """The link tokens of one account."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[str, float]] = {}

    def issue(self, user_id: str, now: float) -> str:
        """A fresh token for this user."""
        self._issued = {
            token: (owner, issued_at)
            for token, (owner, issued_at) in self._issued.items()
            if now - issued_at <= LINK_TOKEN_LIFE_SECONDS
        }
        token = secrets.token_urlsafe(24)
        self._issued[token] = (user_id, now)
        return token

    def redeem(self, token: str, user_id: str, now: float) -> bool:
        """Spend the token; False = unknown, used, too old or issued for somebody else."""
        owner, issued_at = self._issued.pop(token, ("", 0.0))
        return owner == user_id and now - issued_at <= LINK_TOKEN_LIFE_SECONDS
