"""A channel access token that ends: when it is renewed, and what a refusal of it means.

Rules (https://developers.line.biz/en/docs/basics/channel-access-token/):
- It is renewed well before its end, each process at an instant of its own, so that not all ask at once.
- LINE may refuse one before its end: it was revoked, or the channel's secret was reissued. Another is fetched then,
  once. If LINE refuses that one too, and never took it, the token is not what is wrong.
"""

from dataclasses import dataclass, field

EARLIEST = 0.6
LATEST = 0.8
"""Shares of its life after which a token is renewed: of 15 minutes three are left for LINE to be away."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token at hand. Instants are seconds of the process's own clock. `second_try`: fetched after a refusal.

    `proven`: LINE has taken it.
    """

    value: str = field(repr=False)
    renew_at: float
    ends_at: float
    second_try: bool = False
    proven: bool = False

    def is_over(self, now: float) -> bool:
        """Whether LINE takes it no more."""
        return now >= self.ends_at

    def is_due(self, now: float) -> bool:
        """Whether another is to be fetched."""
        return now >= self.renew_at

    @property
    def is_last_try(self) -> bool:
        """Whether a refusal of it is about the channel, and another token would be refused as well."""
        return self.second_try and not self.proven


def keep(value: str, *, lives: float, now: float, jitter: float, second_try: bool) -> Token:
    """A token issued `now` that lives so many seconds; `jitter` in [0, 1) spreads its renewal."""
    share = EARLIEST + (LATEST - EARLIEST) * jitter
    return Token(value, now + lives * share, now + lives, second_try)
