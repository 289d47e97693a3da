"""Message requests -> the ledger; deliveries -> outcomes. What is read here is checked here, once."""

from collections.abc import Collection, Sequence
from datetime import datetime

from todoke_dispatcher.adapters.deliveries import Received
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_shared.contracts.outcomes import Outcome, OutcomeState
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.contracts.subjects import LineUser
from todoke_shared.contracts.topics import OUTCOMES, REQUESTS_MARKETING, REQUESTS_TRANSACTIONAL
from todoke_shared.errors import BadMessageError
from todoke_shared.ids import outcome_id
from todoke_shared.kafka.dead_letters import BadRecord
from todoke_shared.kafka.records import Outgoing, Record

SERVICE = "dispatcher"

_TOLD: dict[State, OutcomeState] = {
    State.ACCEPTED: "accepted",
    State.HELD: "held",
    State.DROPPED: "dropped",
    State.FAILED: "failed",
    State.UNKNOWN: "unknown",
}


def read_requests(records: Sequence[Record], accounts: Collection[str]) -> tuple[list[Received], list[BadRecord]]:
    """The requests among the records, and the others, each with what is wrong with it."""
    good: list[Received] = []
    bad: list[BadRecord] = []
    for record in records:
        try:
            good.append(_read(record, accounts))
        except BadMessageError as error:
            bad.append((record, error))
    return good, bad


def _read(record: Record, accounts: Collection[str]) -> Received:
    request = MessageRequest.from_json(record.value)
    if request.account not in accounts:
        raise BadMessageError("no such account in TODOKE_CONFIG; add it, then replay this record", field="account")
    if request.rich_menu is not None and record.topic == REQUESTS_MARKETING.name:
        raise BadMessageError(f"write it to {REQUESTS_TRANSACTIONAL.name}: it costs no message", field="rich_menu")
    return Received(request, record.value or b"")


def outcome(delivery: Delivery, now: datetime) -> Outgoing | None:
    """What to tell of a delivery, or None while there is nothing to tell. `now` is the shop's time."""
    state = _TOLD.get(delivery.state)
    if state is None:
        return None
    request = delivery.request
    told = Outcome(
        id=outcome_id(delivery.message_id, state),
        message=delivery.message_id,
        state=state,
        shop=request.shop,
        account=request.account,
        lane=delivery.lane,
        person=request.person,
        campaign=request.campaign,
        step=request.step,
        enrolment=request.enrolment,
        due_at=request.due_at,
        at=now,
        reason=delivery.reason,
        line_request_id=delivery.line_request_id,
    )
    key = str(request.person) if request.person else LineUser(request.account, request.to).subject
    return Outgoing(OUTCOMES.name, key.encode(), told.to_json())
