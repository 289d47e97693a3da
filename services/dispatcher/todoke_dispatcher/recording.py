"""What became of deliveries and multicasts -> the ledger, the month's quota, the channel and the outcomes.

Each of these functions belongs into one transaction.
May block: on PostgreSQL. May lose: nothing; what is not recorded is attempted again with its key, and LINE answers 409.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from todoke_dispatcher.adapters import channels, crowds, deliveries, multicasts
from todoke_dispatcher.adapters.stored_requests import read_stored
from todoke_dispatcher.books import give_back
from todoke_dispatcher.claiming import Attempt
from todoke_dispatcher.domain.conclude import CHANNEL_PAUSE, Sent, conclude
from todoke_dispatcher.domain.delivery import TRANSITIONS, Delivery, Event, State
from todoke_dispatcher.domain.line_month import LATE_TURN_PAUSE, may_ask
from todoke_dispatcher.domain.multicast import TOGETHER, GroupState, Multicast, member_state, split
from todoke_dispatcher.domain.quota import Counted, Parked, Places, month_of, parked_by
from todoke_dispatcher.domain.verdict import ChannelStopped, MonthlyLimit, TooFast, Verdict
from todoke_dispatcher.handlers import outcome, outcome_of
from todoke_dispatcher.multicasting import GroupAttempt, GroupChange
from todoke_shared.contracts.requests import Lane
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.stream import Connection, put_outbox

Change = tuple[Delivery, Delivery]
"""A delivery before, and after."""
Told = Counter[tuple[str, State]]
"""How many messages ended or stand still, by campaign (empty for none) and state."""
Answered = tuple[str, Lane, date | None, Verdict]
"""Whose message was asked about, in which lane, in which month it has its place, and what LINE said."""
MARKETING: Lane = "marketing"
"""The lane of every group, and of replies, which cost neither lane anything."""


async def record(
    connection: Connection,
    results: Sequence[tuple[Attempt, Verdict]],
    *,
    now: datetime,
    wall: datetime,
    jitter: Callable[[], float],
) -> Told:
    """Store the verdicts on pushes; gives what was settled by them."""
    changes = _concluded(((each.before, each.sent, verdict) for each, verdict in results), wall, jitter)
    told = await settle(connection, changes, now=now, wall=wall)
    answers = ((each.account, each.sent.lane, each.sent.quota_month, verdict) for each, verdict in results)
    await tell_channels(connection, answers, wall)
    return told


async def record_groups(
    connection: Connection,
    results: Sequence[tuple[GroupAttempt, Verdict]],
    *,
    now: datetime,
    wall: datetime,
    jitter: Callable[[], float],
) -> Told:
    """Store the verdicts on multicasts; gives what was settled by them."""
    changes = _concluded(((each.before, each.sent, verdict) for each, verdict in results), wall, jitter)
    told = await settle_groups(connection, changes, now=now, wall=wall)
    answers = ((each.account, MARKETING, each.sent.quota_month, verdict) for each, verdict in results)
    await tell_channels(connection, answers, wall)
    return told


def _concluded(
    asked: Iterable[tuple[Sent, Sent, Verdict]], wall: datetime, jitter: Callable[[], float]
) -> list[tuple[Sent, Sent]]:
    """What went out, as it was stored for it and as it is after its verdict. The first of each: as it was claimed."""
    return [(sent, conclude(before, sent, verdict, wall=wall, jitter=jitter())) for before, sent, verdict in asked]


async def settle(connection: Connection, changes: Sequence[Change], *, now: datetime, wall: datetime) -> Told:
    """Store changed deliveries, give back their quota where it is free again, and put their outcomes into the outbox.

    Gives those that ended or stand still; a change that came too late leaves no trace.
    """
    stored = await deliveries.store(connection, [after for _, after in changes], wall)
    changes = [change for change in changes if change[0].message_id in stored]
    freed = (before for before, after in changes if before.quota_month is not None and after.quota_month is None)
    await _give_back(connection, ((one.request.account, one.lane, one, 1) for one in freed), wall)
    told = [(after, outcome(after, now)) for _, after in changes]
    await put_outbox(connection, [record for _, record in told if record is not None])
    return Counter((after.request.campaign or "", after.state) for after, record in told if record is not None)


async def settle_groups(
    connection: Connection, changes: Sequence[GroupChange], *, now: datetime, wall: datetime
) -> Told:
    """Store changed multicasts, and what that means for their members; gives those that ended.

    A change that came too late leaves no trace.
    """
    stored = await multicasts.store(connection, [after for _, after in changes], wall)
    changes = [change for change in changes if change[0].id in stored]
    told: Told = Counter()
    apart = {after.crowd: after.id for _, after in changes if after.crowd and after.state not in TOGETHER}
    await crowds.open_all(connection, apart, wall)
    taken = [after.crowd for _, after in changes if after.crowd and after.state is GroupState.ACCEPTED]
    for campaign, messages in await crowds.accept(connection, taken, wall):
        told[campaign, State.ACCEPTED] += messages  # their outcomes follow: crowding.tell_crowd
    await _split(connection, [change for change in changes if change[1].state is GroupState.SPLIT], wall)
    dissolved = [change for change in changes if change[1].state is GroupState.DISSOLVED]
    await _dissolve(connection, dissolved, wall)
    outcomes: list[Outgoing] = []
    for state in (State.ACCEPTED, State.UNKNOWN):
        ended = [after.id for _, after in changes if member_state(after.state) is state]
        if not ended:
            continue
        for member in await multicasts.settle_members(connection, ended, state, wall):
            request = read_stored(member.request)
            told[request.campaign or "", state] += 1
            outcomes.append(outcome_of(request, member, state, now, via="multicast"))
    await put_outbox(connection, outcomes)
    return told


async def _split(connection: Connection, changes: Sequence[GroupChange], wall: datetime) -> None:
    """Halves in place of groups that LINE has refused; the places in the month are theirs now."""
    halves: list[Multicast] = []
    for sent, _ in changes:
        parts, alone = split(sent, month=sent.quota_month, wall=wall)
        halves += parts
        state = TRANSITIONS[State.ATTEMPTING, Event.LEAVE]
        await multicasts.leave_alone(connection, alone, state, sent.quota_month, wall)
    await multicasts.add(connection, halves, wall)


async def _dissolve(connection: Connection, changes: Sequence[GroupChange], wall: datetime) -> None:
    """Their members wait again, each for itself, and their places in the month are free."""
    state = member_state(GroupState.DISSOLVED)
    if not changes or state is None:
        return
    await multicasts.free_members(connection, [after.id for _, after in changes], state, wall)
    await _give_back(connection, ((one.account, "marketing", one, one.size) for one, _ in changes), wall)


async def _give_back(connection: Connection, freed: Iterable[tuple[str, Lane, Counted, int]], wall: datetime) -> None:
    """The places of these: account, lane, whose they were, and how many."""
    places: dict[tuple[str, date], Places] = defaultdict(Counter)
    for account, lane, sent, messages in freed:
        if sent.quota_month is not None:
            places[account, sent.quota_month][lane, sent.campaign] += messages
    await give_back(connection, places, wall)


async def tell_channels(connection: Connection, answers: Iterable[Answered], wall: datetime) -> None:
    """What answers say about whole channels. Months are locked first, then channels, each by its account's name.

    The month that is used up is the one in which the message had its place: its answer may come after the turn. A month
    that has only just begun is not used up, whatever LINE says: it may still count the one before.
    """
    parked: set[tuple[str, date, Parked]] = set()
    paused: defaultdict[str, timedelta] = defaultdict(timedelta)
    stopped: dict[str, str] = {}
    for account, lane, placed, verdict in answers:
        month = placed or month_of(wall)
        match verdict:
            case ChannelStopped(reason=reason):
                stopped.setdefault(account, reason)
            case MonthlyLimit() if month == month_of(wall) and not may_ask(wall):
                paused[account] = LATE_TURN_PAUSE
            case MonthlyLimit():
                parked.add((account, month, parked_by(lane)))
            case TooFast():
                paused[account] = max(paused[account], CHANNEL_PAUSE)
    for account, month, what in sorted(parked):
        await channels.park(connection, account, month, what)
    for account in sorted(stopped.keys() | paused.keys()):
        if account in paused:
            await channels.pause(connection, account, wall + paused[account])
        if account in stopped:
            await channels.stop(connection, account, stopped[account])
