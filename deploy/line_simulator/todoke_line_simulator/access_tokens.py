"""Channel access tokens that the simulator has issued.

Rules (https://developers.line.biz/en/docs/basics/channel-access-token/): stateless tokens live 15 minutes, cannot be
revoked, and there is no limit to them; of v2.1 tokens a channel has at most 30, which live as long as was asked for.
"""

import secrets
from typing import NamedTuple

STATELESS_SECONDS = 15 * 60
MOST_ASSERTED = 30
_REMEMBERED = 10_000
"""Stateless tokens are remembered until they end, and no more of them than this."""


class AccessToken(NamedTuple):
    """An issued token: its value, when it ends (Unix seconds), and, of a v2.1 token, its key id."""

    value: str
    ends_at: float
    key_id: str | None


class AccessTokens:
    """The tokens of one account that are good."""

    def __init__(self) -> None:
        self._good: dict[str, AccessToken] = {}
        self.issued = 0

    def issue(self, now: float, seconds: float, *, with_key_id: bool) -> AccessToken | None:
        """A new token; None when the channel has as many with a key id as it may."""
        self._forget_ended(now)
        if with_key_id and len(self.key_ids(now)) >= MOST_ASSERTED:
            return None
        if len(self._good) >= _REMEMBERED:
            del self._good[next(iter(self._good))]
        token = AccessToken(
            secrets.token_urlsafe(48), now + seconds, secrets.token_urlsafe(16) if with_key_id else None
        )
        self._good[token.value] = token
        self.issued += 1
        return token

    def find(self, value: str, now: float) -> AccessToken | None:
        """The token of this value, while it is good."""
        token = self._good.get(value)
        return token if token is not None and now < token.ends_at else None

    def revoke(self, value: str) -> None:
        """It is good no longer. LINE answers 200 for a token that it does not know, too."""
        token = self._good.get(value)
        if token is not None and token.key_id is not None:
            del self._good[value]

    def revoke_all(self) -> None:
        """None is good any more, as when the channel's secret is reissued."""
        self._good.clear()

    def key_ids(self, now: float) -> list[str]:
        """Those of the v2.1 tokens that are good."""
        return [each.key_id for each in self._good.values() if each.key_id is not None and now < each.ends_at]

    def _forget_ended(self, now: float) -> None:
        self._good = {value: each for value, each in self._good.items() if now < each.ends_at}
