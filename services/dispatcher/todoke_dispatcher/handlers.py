"""Message requests -> the ledger; deliveries -> outcomes. What is read here is checked here, once."""

from collections.abc import Collection, Sequence
from datetime import datetime

from todoke_dispatcher.adapters.deliveries import Received
from todoke_dispatcher.adapters.multicasts import Settled
from todoke_dispatcher.adapters.replies import SettledRider
from todoke_dispatcher.adapters.stored_requests import StoredRequest
from todoke_dispatcher.domain.delivery import Delivery, State
from todoke_shared.contracts.outcomes import OutcomeState, Via
from todoke_shared.contracts.requests import Lane, MessageRequest
from todoke_shared.contracts.subjects import LineUser
from todoke_shared.contracts.topics import OUTCOMES, REQUESTS_MARKETING, REQUESTS_TRANSACTIONAL
from todoke_shared.errors import BadMessageError
from todoke_shared.ids import outcome_id
from todoke_shared.jsons import dumps
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
    if delivery.state not in _TOLD:
        return None
    sent = delivery.state in {State.ACCEPTED, State.UNKNOWN} and delivery.request.rich_menu is None
    return outcome_of(delivery.request, delivery, delivery.state, now, delivery.lane, via="push" if sent else None)


def outcome_of(  # noqa: PLR0913 - all that an outcome tells
    request: MessageRequest | StoredRequest,
    answered: Delivery | Settled | SettledRider,
    state: State,
    now: datetime,
    lane: Lane = "marketing",
    *,
    via: Via | None = None,
) -> Outgoing:
    """What to tell of a message that is in `state`. KeyError when there is nothing to tell."""
    told = _TOLD[state]
    # Written by hand: the model takes six times as long, and a broadcast waits for it. A test holds the two together.
    record = {
        "schema_version": 1,
        "id": outcome_id(answered.message_id, told),
        "message": answered.message_id,
        "state": told,
        "shop": request.shop,
        "account": request.account,
        "lane": lane,
        "person": request.person,
        "campaign": request.campaign,
        "step": request.step,
        "enrolment": request.enrolment,
        "due_at": request.due_at,
        "at": now,
        "reason": answered.reason,
        "line_request_id": answered.line_request_id,
        "via": via,
    }
    key = str(request.person) if request.person else LineUser(request.account, request.to).subject
    value = dumps({name: field for name, field in record.items() if field is not None})
    return Outgoing(OUTCOMES.name, key.encode(), value)
