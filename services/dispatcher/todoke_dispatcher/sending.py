"""Attempts -> LINE, each at its own instant and once; what came of it.

May block: on LINE, for as long as its client lets it. May lose: nothing; what has no clear answer says so.
"""

from dataclasses import dataclass
from time import monotonic

from todoke_dispatcher.breaking import Breakers
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.domain.menus import alias_of, judge_menu
from todoke_dispatcher.domain.rate import is_past
from todoke_dispatcher.domain.reply import judge_reply
from todoke_dispatcher.domain.verdict import (
    Accepted,
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    Unclear,
    Verdict,
    judge,
)
from todoke_dispatcher.multicasting import GroupAttempt
from todoke_dispatcher.ports import LinePort, NotSentError
from todoke_dispatcher.replying import AnyAttempt, ReplyAttempt
from todoke_shared.clock import Clock
from todoke_shared.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt."""

    attempt: AnyAttempt
    verdict: Verdict

    @property
    def messages(self) -> int:
        """How many messages it is about."""
        return 1 if isinstance(self.attempt, Attempt) else self.attempt.sent.size

    @property
    def leaves_due(self) -> bool:
        """Whether it may leave messages that are due at once: the halves of a group, or its members, or a reply's."""
        if isinstance(self.attempt, ReplyAttempt):
            return not isinstance(self.verdict, Accepted | Unclear)
        return isinstance(self.attempt, GroupAttempt) and isinstance(
            self.verdict, Refused | MonthlyLimit | ChannelStopped
        )


class Sender:
    """Asks LINE, as far as an account's breaker lets it."""

    def __init__(self, line: LinePort, clock: Clock, breakers: Breakers) -> None:
        self._line = line
        self._clock = clock
        self._breakers = breakers

    async def send(self, attempt: AnyAttempt) -> Result:
        """Ask LINE once, at the attempt's own instant. Never raises: whatever happens is a verdict."""
        await self._clock.sleep_until_wall(attempt.slot)
        verdict: Verdict
        if is_past(attempt.slot, self._clock.wall()):
            verdict = NotSent()
        elif not self._breakers.lets(attempt):
            verdict = NotSent("LINE does not answer")
        else:
            verdict = await self._send_now(attempt)
        self._breakers.tell(attempt, verdict, self._clock.wall())
        return Result(attempt, verdict)

    async def _send_now(self, attempt: AnyAttempt) -> Verdict:
        verdict: Verdict
        started = monotonic()
        try:
            verdict = await self._ask(attempt)
        except NotSentError as error:
            return NotSent(str(error))
        except Exception as error:  # noqa: BLE001 - any failure means "maybe sent" (RELIABILITY: dispatcher)
            verdict = Unclear(f"no answer: {type(error).__name__}")
        metrics.ATTEMPT_SECONDS.labels(attempt.account).observe(monotonic() - started)
        metrics.ATTEMPTS.labels(attempt.account, type(verdict).__name__).inc()
        return verdict

    async def _ask(self, attempt: AnyAttempt) -> Verdict:
        if isinstance(attempt, ReplyAttempt):
            return judge_reply(await self._line.reply(attempt.account, attempt.body))
        sent = attempt.sent
        if isinstance(attempt, Attempt) and attempt.sent.request.rich_menu is not None:
            request, alias = attempt.sent.request, alias_of(attempt.sent.request)
            return judge_menu(await self._line.rich_menu(request.account, request.to, alias), alias)
        if sent.retry_key is None or not sent.body:
            raise AssertionError("an attempt without retry key or body: begin_attempt gives it both")
        endpoint = self._line.multicast if isinstance(attempt, GroupAttempt) else self._line.push
        return judge(await endpoint(attempt.account, sent.retry_key, sent.body))

    async def call(self, account: str) -> None:
        """Ask LINE whether it is there, and let the account's breaker know."""
        try:
            answered = not isinstance(judge(await self._line.call(account)), Unclear)
        except Exception:  # noqa: BLE001 - whatever it is, LINE has not answered
            answered = False
        self._breakers.called(account, self._clock.wall(), answered=answered)
