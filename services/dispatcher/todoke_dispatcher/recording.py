"""What became of deliveries -> the ledger, the month's quota, the channel and the outcomes, in one transaction.

May block: on PostgreSQL. May lose: nothing; what is not recorded is attempted again with its key, and LINE answers 409.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime

from todoke_dispatcher.adapters import channels, deliveries
from todoke_dispatcher.domain.conclude import CHANNEL_PAUSE, conclude
from todoke_dispatcher.domain.delivery import Delivery
from todoke_dispatcher.domain.quota import month_of, parked_by
from todoke_dispatcher.domain.verdict import ChannelStopped, MonthlyLimit, TooFast, Verdict
from todoke_dispatcher.handlers import outcome
from todoke_shared.contracts.requests import Lane
from todoke_shared.postgres.stream import Connection, put_outbox

Change = tuple[Delivery, Delivery]
"""A delivery before, and after."""


async def record(
    connection: Connection,
    results: Sequence[tuple[Delivery, Delivery, Verdict]],
    *,
    now: datetime,
    wall: datetime,
    jitter: Callable[[], float],
) -> list[Delivery]:
    """Store the verdicts on attempts, each as (claimed, sent, verdict). Gives the deliveries settled by it."""
    changes = [(sent, conclude(before, sent, verdict, wall=wall, jitter=jitter())) for before, sent, verdict in results]
    settled = await settle(connection, changes, now=now, wall=wall)
    for sent, verdict in {
        (sent.request.account, sent.lane, type(verdict)): (sent, verdict) for _, sent, verdict in results
    }.values():
        await _tell_channel(connection, sent, verdict, wall)
    return settled


async def settle(connection: Connection, changes: Sequence[Change], *, now: datetime, wall: datetime) -> list[Delivery]:
    """Store changed deliveries, give back their quota where it is free again, and put their outcomes into the outbox.

    Gives those that ended or stand still; a change that came too late leaves no trace.
    """
    stored = await deliveries.store(connection, [after for _, after in changes], wall)
    changes = [change for change in changes if change[0].message_id in stored]
    await _give_back(connection, changes)
    told = [(after, outcome(after, now)) for _, after in changes]
    await put_outbox(connection, [record for _, record in told if record is not None])
    return [after for after, record in told if record is not None]


async def _give_back(connection: Connection, changes: Sequence[Change]) -> None:
    free: dict[tuple[str, date], list[Lane]] = defaultdict(list)
    for before, after in changes:
        if before.quota_month is not None and after.quota_month is None:
            free[before.request.account, before.quota_month].append(before.lane)
    for (account, month), lanes in sorted(free.items()):
        await channels.give_back(connection, account, month, lanes)


async def _tell_channel(connection: Connection, sent: Delivery, verdict: Verdict, wall: datetime) -> None:
    """What an answer says about the whole channel."""
    account = sent.request.account
    match verdict:
        case ChannelStopped(reason=reason):
            await channels.stop(connection, account, reason)
        case MonthlyLimit():
            await channels.park(connection, account, month_of(wall), parked_by(sent.lane))
        case TooFast():
            await channels.pause(connection, account, wall + CHANNEL_PAUSE)
        case _:
            pass
