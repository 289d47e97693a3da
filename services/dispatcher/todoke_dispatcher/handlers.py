"""Message requests -> the ledger; deliveries -> outcomes. What is read here is checked here, once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from todoke_dispatcher.adapters.deliveries import Received
from todoke_dispatcher.adapters.multicasts import Settled
from todoke_dispatcher.adapters.replies import SettledRider
from todoke_dispatcher.adapters.stored_requests import StoredRequest, is_readable
from todoke_dispatcher.domain.crowd import Crowd, read_crowd
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


@dataclass(slots=True)
class Requests:
    """What a batch asks for: messages, crowds of them, and records that ask for nothing, each with what is wrong."""

    messages: list[Received] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)


def read_requests(records: Sequence[Record], accounts: Collection[str]) -> Requests:
    """The requests among the records."""
    found = Requests()
    for record in records:
        try:
            _read(record, accounts, found)
        except BadMessageError as error:
            found.bad.append((record, error))
    return found


def _read(record: Record, accounts: Collection[str], found: Requests) -> None:
    value, is_marketing = record.value or b"", record.topic == REQUESTS_MARKETING.name
    if b'"recipients"' in value and "recipients" in _keys(value):
        crowd = read_crowd(value)
        _check_account(crowd.account, accounts)
        if not is_marketing:
            raise BadMessageError(f"write it to {REQUESTS_MARKETING.name}, or each by itself", field="recipients")
        found.crowds.append(_kept_crowd(crowd))
        return
    request = MessageRequest.from_json(record.value)
    _check_account(request.account, accounts)
    if request.rich_menu is not None and is_marketing:
        raise BadMessageError(f"write it to {REQUESTS_TRANSACTIONAL.name}: it costs no message", field="rich_menu")
    found.messages.append(Received(request, value if is_readable(value) else request.model_dump_json().encode()))


def _kept_crowd(crowd: Crowd) -> Crowd:
    """What its members have in common in our own words, where the ledger's reader would not know the producer's."""
    first = crowd.request_of(crowd.members[0])
    if is_readable(first):
        return crowd
    common = MessageRequest.from_json(first).model_dump_json(exclude={"id", "to", "person", "enrolment"})
    return replace(crowd, request=common.encode())


def _check_account(account: str, accounts: Collection[str]) -> None:
    if account not in accounts:
        raise BadMessageError("no such account in TODOKE_CONFIG; add it, then replay this record", field="account")


def _keys(value: bytes) -> Collection[str]:
    """The keys of a JSON object: a word in somebody's text is none."""
    try:
        return msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except ValueError:  # msgspec's errors are ValueErrors; the model says what is wrong with it
        return ()


def outcome(delivery: Delivery, now: datetime, *, via: Via | None = "push") -> Outgoing | None:
    """What to tell of a delivery, or None while there is nothing to tell. `now`: shop time; `via`: how it left."""
    if delivery.state not in _TOLD:
        return None
    sent = delivery.state in {State.ACCEPTED, State.UNKNOWN} and delivery.request.rich_menu is None
    return outcome_of(delivery.request, delivery, delivery.state, now, delivery.lane, via=via if sent else None)


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
