"""The channel access tokens of this process, in memory alone, shared by all that asks LINE for an account.

May block: nothing that sends; `keep` fetches beside it. What has no token waits in the ledger: a request that waited
for one would leave its time slot, and with others the rate.
May lose: nothing; a token that is gone is fetched again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import aiohttp

from todoke_dispatcher.adapters.token_sources import TokenRefusedError, TokenSource
from todoke_dispatcher.domain.tokens import Token, keep
from todoke_dispatcher.ports import NotSentError
from todoke_shared.errors import for_the_log
from todoke_shared.telemetry import metrics
from todoke_shared.telemetry.seldom import Seldom

logger = logging.getLogger("todoke.dispatcher")

_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 2.0
"""After a fetch without a clear answer: LINE is away, and what waits should not be late when it is back."""
_REFUSED_AGAIN_SECONDS = 30.0
"""After a refusal: somebody has to change something first, here or in LINE's console."""


class ChannelTokens:
    """`fixed`: long-lived tokens by account; `sources`: where those of the other accounts come from."""

    def __init__(
        self,
        fixed: Mapping[str, str],
        sources: Mapping[str, TokenSource],
        *,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._fixed = dict(fixed)
        self._sources = dict(sources)
        self._now = now
        self._jitter = jitter
        self._held: dict[str, Token] = {}
        self._refused: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._wanted = asyncio.Event()
        self._seldom = Seldom()

    def has(self, account: str) -> bool:
        """Whether a token is at hand."""
        return account in self._fixed or self._good(account) is not None

    def token(self, account: str) -> str:
        """The account's token. NotSentError while there is none."""
        if (fixed := self._fixed.get(account)) is not None:
            return fixed
        held = self._good(account)
        if held is None:
            raise NotSentError("no channel access token is at hand")
        return held.value

    def check(self, account: str, token: str, status: int) -> None:
        """What LINE answered to a request with this token. NotSentError when another token is tried first."""
        held = self._held.get(account)
        if account in self._fixed or (held is not None and held.value == token and held.proven and status != 401):
            return
        if status != 401:
            if held is not None and held.value == token:
                self._held[account] = replace(held, proven=True)
            return
        if held is not None and held.value == token:
            del self._held[account]
            self._not_before.pop(account, None)
            self._wanted.set()
            if held.is_last_try:
                return
            self._refused.add(account)
        raise NotSentError("LINE refuses the channel access token: it is renewed")

    async def keep(self) -> None:
        """A round of the loop that fetches what is missing or ends soon."""
        self._wanted.clear()
        now = self._now()
        due = [account for account in self._sources if self._is_due(account, now)]
        await asyncio.gather(*(self._fetch(account) for account in due))
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            return

    def _good(self, account: str) -> Token | None:
        held = self._held.get(account)
        return None if held is None or held.is_over(self._now()) else held

    def _is_due(self, account: str, now: float) -> bool:
        held = self._held.get(account)
        return (held is None or held.is_due(now)) and self._not_before.get(account, now) <= now

    async def _fetch(self, account: str) -> None:
        try:
            issued = await self._sources[account].issue()
        except TokenRefusedError as error:
            self._put_off(account, "refused", _REFUSED_AGAIN_SECONDS, str(error))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self._put_off(account, "unclear", _AGAIN_SECONDS, for_the_log(error))
        else:
            now = self._now()
            second = account in self._refused
            self._refused.discard(account)
            self._held[account] = keep(
                issued.access_token, lives=issued.expires_in, now=now, jitter=self._jitter(), second_try=second
            )
            metrics.TOKEN_FETCHES.labels(account, "issued").inc()

    def _put_off(self, account: str, outcome: str, seconds: float, reason: str) -> None:
        metrics.TOKEN_FETCHES.labels(account, outcome).inc()
        self._not_before[account] = self._now() + seconds
        if self._seldom.is_due(f"{account} {outcome}"):
            what = "goes on with the one it has" if self.has(account) else "its messages wait"
            logger.error(
                "LINE issues no channel access token for account %s (%s); %s. If it stays so, check the channel_id and "
                "the secret or key in TODOKE_CONFIG",
                account,
                reason,
                what,
            )
