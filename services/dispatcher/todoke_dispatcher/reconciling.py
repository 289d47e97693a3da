"""LINE's own count of the month, hourly, beside the ledger's.

Each account is asked about by one dispatcher of the fleet: whoever moves the instant in its month's row.
May block: on PostgreSQL; LINE is asked with no connection in hand, and each request ends within the HTTP timeout.
May lose: an answer. A LINE that does not answer changes nothing, and is asked again in five minutes.
"""

import logging
from collections.abc import Callable, Iterable

import asyncpg

from todoke_dispatcher.adapters import months
from todoke_dispatcher.domain.line_month import ASK_AGAIN, LineMonth, ask_next, may_ask, read_line_month
from todoke_dispatcher.domain.quota import month_of
from todoke_dispatcher.ports import MonthPort
from todoke_shared.clock import Clock
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.quota")


class Reconciler:
    """Keeps what LINE says of each account's month. `jitter` gives numbers in [0, 1)."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        clock: Clock,
        line: MonthPort,
        accounts: Iterable[str],
        jitter: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._line = line
        self._accounts = sorted(accounts)
        self._jitter = jitter

    async def ask_some(self) -> int:
        """Ask LINE about every account whose time has come, unless another dispatcher does; gives how many answered."""
        answered = 0
        for account in self._accounts:
            wall = self._clock.wall()
            if not may_ask(wall):
                break
            async with self._pool.acquire() as connection:
                ours = await months.take_turn(connection, account, month_of(wall), wall, wall + ASK_AGAIN)
            if ours:
                answered += await self._ask(account)
        return answered

    async def _ask(self, account: str) -> bool:
        month = month_of(self._clock.wall())
        try:
            said = read_line_month(*await self._line.month(account))
        except Exception as error:  # noqa: BLE001 - whatever it is, LINE has not said anything
            metrics.QUOTA_ASKED.labels(account, "failed").inc()
            logger.warning(
                "LINE does not say how much of account %s's month is used (%s); the ledger's own count goes on being "
                "held to, and LINE is asked again in %d minutes",
                account,
                str(error) if isinstance(error, ValueError) else type(error).__name__,
                ASK_AGAIN.total_seconds() // 60,
            )
            return False
        wall = self._clock.wall()
        if month_of(wall) != month:  # it may be either month's
            return False
        async with self._pool.acquire() as connection:
            ask_at = ask_next(wall, self._jitter())
            ledger = await months.store_line(connection, account, month, said, wall=wall, ask_at=ask_at)
        metrics.QUOTA_ASKED.labels(account, "answered").inc()
        if ledger is not None:
            _tell(account, said, ledger)
        return True


def _tell(account: str, said: LineMonth, ledger: int) -> None:
    beyond = said.used - ledger
    if beyond > 0:
        logger.info("LINE counts %d messages of account %s that are not ours: its month has less room", beyond, account)
    elif beyond < 0:
        logger.info(
            "LINE counts %d messages of account %s fewer than we: not sent yet, or to strangers", -beyond, account
        )
