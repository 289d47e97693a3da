"""What became of replies -> the ledger, the channel and the outcomes.

Each of these functions belongs into one transaction.
May block: on PostgreSQL. May lose: nothing; a reply of which nobody tells in time leaves its messages unknown.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from todoke_dispatcher.adapters import replies
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.domain.delivery import State
from todoke_dispatcher.domain.reply import Reply, conclude_reply, lost, rider_state
from todoke_dispatcher.domain.verdict import NotSent, Verdict
from todoke_dispatcher.handlers import outcome_of
from todoke_dispatcher.recording import MARKETING, Told, tell_channels
from todoke_dispatcher.replying import ReplyAttempt
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.stream import Connection, put_outbox

LOST_AT_ONCE = 100


async def record_replies(
    connection: Connection, results: Sequence[tuple[ReplyAttempt, Verdict]], *, now: datetime, wall: datetime
) -> Told:
    """Store the verdicts on replies; gives what was settled by them.

    The token of one that never went out may be spent again: LINE has not heard of it.
    """
    ended = [conclude_reply(each.sent, verdict) for each, verdict in results]
    stored, told = await _settle(connection, ended, now=now, wall=wall)
    unused = [(each.sent.event, each.token) for each, verdict in results if isinstance(verdict, NotSent)]
    unused = [(event, token) for event, token in unused if event in stored]
    if unused:
        await replies.return_tokens(connection, unused)
    answers = ((each.account, MARKETING, None, verdict) for each, verdict in results)
    await tell_channels(connection, answers, wall)
    return told


async def settle_lost(connection: Connection, *, now: datetime, wall: datetime) -> Told:
    """Give up the replies whose dispatcher has died; gives what was settled by that."""
    overdue = await replies.lock_lost(connection, wall, LOST_AT_ONCE)
    _, told = await _settle(connection, [lost(each) for each in overdue], now=now, wall=wall)
    return told


async def _settle(
    connection: Connection, ended: Sequence[Reply], *, now: datetime, wall: datetime
) -> tuple[set[object], Told]:
    """Store ended replies, and what that means for their messages; gives the events of those that came in time."""
    known = await replies.store(connection, ended, wall)
    ended = [each for each in ended if each.id in known]
    told: Told = Counter()
    outcomes: list[Outgoing] = []
    for state in {rider_state(each.state) for each in ended}:
        alike = [each.id for each in ended if rider_state(each.state) is state]
        if state is State.WAITING:
            await replies.free_riders(connection, alike, state, wall)
        elif state is not None:
            for rider in await replies.settle_riders(connection, alike, state, wall):
                request = read_stored(rider.request)
                told[request.campaign or "", state] += 1
                outcomes.append(outcome_of(request, rider, state, now, rider.lane, via="reply"))
    await put_outbox(connection, outcomes)
    return {each.event for each in ended}, told
