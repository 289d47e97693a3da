"""An operator's decision about what is unknown -> the ledger, the record of decisions, and the outcomes.

May block: on PostgreSQL, and on a settlement of the same messages. May lose: nothing; it belongs into one transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from todoke_dispatcher.adapters import settlements
from todoke_dispatcher.adapters.settlements import Settlement
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_dispatcher.domain.settling import Decision, decide
from todoke_dispatcher.handlers import outcome
from todoke_shared.postgres.stream import Connection, put_outbox


class NothingToSettleError(ValueError):
    """The id names nothing that is unknown; the text says what it names."""


async def settle(  # noqa: PLR0913 - who decides what, why and when
    connection: Connection, name: UUID, decision: Decision, *, by: str, reason: str, now: datetime, wall: datetime
) -> Sequence[Delivery]:
    """Carry the decision out for the message of this id, or for what is unknown of the multicast or reply of this id.

    Gives the messages as they are now. What goes out again is told as an outcome when LINE has answered, the rest now.
    """
    named = await settlements.lock_named(connection, name)
    unknown = [each for each in named if each.state is State.UNKNOWN]
    if not unknown:
        raise NothingToSettleError(_what_it_is(name, named))
    settled = [decide(each, decision, by=by, reason=reason, wall=wall) for each in unknown]
    await settlements.store(connection, unknown, settled[0].state, Settlement(decision, by, reason, wall))
    told = [record for each in settled if (record := outcome(each, now, via=None)) is not None]
    await put_outbox(connection, told)
    return settled


def _what_it_is(name: UUID, named: Sequence[Delivery]) -> str:
    if not named:
        return f"{name} is no message, multicast or reply; `todoke deliveries unknown` lists what can be settled"
    states = ", ".join(sorted({each.state.value for each in named}))
    return f"{name} is {states}, not unknown: there is nothing to settle"
