"""The breakers of this process, one an account: what they let out, what they learn of it, and who is told.

May block, may lose: nothing; it is all in memory. A process that starts again takes LINE to be there, and finds out by
IN_A_ROW requests that it is not.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from todoke_dispatcher.domain.breaker import Breaker, BreakerState
from todoke_dispatcher.domain.verdict import NotSent, Unclear, Verdict
from todoke_dispatcher.replying import AnyAttempt
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.dispatcher")


class Breakers:
    """A breaker for each account."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self._breakers = {account: Breaker() for account in accounts}
        self._probes: dict[str, AnyAttempt] = {}
        self.back: set[str] = set()
        """Accounts to which LINE has come back, until the pauses of their messages are cut short."""
        for account in self._breakers:
            metrics.BREAKER_OPEN.labels(account).set(0)

    def room(self, account: str, wanted: int) -> int:
        """How many of `wanted` messages of the account may be claimed."""
        return self._breakers[account].room(wanted)

    def is_closed(self, account: str) -> bool:
        """Whether the account's messages flow."""
        return self._breakers[account].is_closed

    def claimed(self, account: str, attempts: Sequence[AnyAttempt]) -> None:
        """These were claimed within the room: once the call is answered, the first of them is the probe.

        The breaker may have opened since the room was asked for: then none of them goes out (`lets`).
        """
        breaker = self._breakers[account]
        if attempts and breaker.state is BreakerState.HEARD:
            self._probes[account] = attempts[0]
            self._breakers[account] = breaker.probe()

    def lets(self, attempt: AnyAttempt) -> bool:
        """Whether it may still go out: the breaker may have opened since it was claimed."""
        return self._breakers[attempt.account].is_closed or self._probes.get(attempt.account) is attempt

    def tell(self, attempt: AnyAttempt, verdict: Verdict, wall: datetime) -> None:
        """What came of an attempt, each once."""
        account, answered = attempt.account, _answered(verdict)
        before = self._breakers[account]
        if self._probes.get(account) is attempt:
            del self._probes[account]
            after = before.probed(wall, answered=answered)
        elif answered is None:
            return
        else:
            after = before.asked(attempt.slot, wall, answered=answered)
        self._breakers[account] = after
        if before.is_closed and not after.is_closed:
            metrics.BREAKER_OPEN.labels(account).set(1)
            reason = verdict.reason if isinstance(verdict, Unclear) else "no answer"
            logger.warning(
                "LINE does not answer account %s (%s): one message at a time goes out until it does", account, reason
            )
        if after.is_closed and not before.is_closed:
            metrics.BREAKER_OPEN.labels(account).set(0)
            self.back.add(account)
            logger.warning("LINE answers account %s again: its messages flow", account)

    def to_call(self, wall: datetime) -> list[str]:
        """The accounts for which LINE is to be called, to learn whether it answers."""
        return [account for account, breaker in self._breakers.items() if breaker.should_call(wall)]

    def called(self, account: str, wall: datetime, *, answered: bool) -> None:
        """LINE was called for the account."""
        before = self._breakers[account]
        self._breakers[account] = before.called(wall, answered=answered)
        if answered and before.silent:
            self.back.add(account)


def _answered(verdict: Verdict) -> bool | None:
    """Whether LINE answered; None: it was not asked."""
    return None if isinstance(verdict, NotSent) else not isinstance(verdict, Unclear)
