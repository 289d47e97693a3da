"""Segment's messages -> CloudEvents. Source: https://segment.com/docs/connections/spec/

Rules: a userId is `customer:{id}`, an anonymousId alone `visitor:{id}`. The messageId is the event's id, so that what
a library sends twice is recognised. Contexts (addresses, devices) go no further than here, and so do contacts.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from todoke_ingest.domain.json_values import parse_strictly
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.domain.segment_ecommerce import read_track
from todoke_ingest.domain.segment_time import occurred_at
from todoke_ingest.domain.segment_traits import customer_data
from todoke_ingest.domain.segment_values import carried, id_of, object_of, text_of
from todoke_shared.contracts.json_values import check_json
from todoke_shared.errors import BadMessageError

Kind = Literal["track", "identify", "page", "screen", "alias", "group"]
Call = Literal[Kind, "batch"]
MAX_MESSAGES = 2500
"""500 KB, Segment's limit to a batch, of the smallest messages that a library sends."""

_LONGEST_ID = 500
"""12 characters below the vocabulary's limit, for the `/2` of a second event."""

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """The messages of one call; `is_batch` says whether the sender counts them. `sent_at` as the body has it."""

    messages: list[object]
    is_batch: bool
    sent_at: object


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose messages they are, and when they came."""

    shop: str
    received_at: datetime
    sent_at: object = None


def read_call(body: bytes, call: Call) -> SegmentRequest:
    """The messages that a request holds. RequestRefusedError: 400 for what is no call, 413 for too many messages.

    Any one call's path says what its message is, whatever the message says.
    """
    _, value = parse_strictly(body)
    if not isinstance(value, dict):
        raise RequestRefusedError(400, "must be a JSON object, as Segment's libraries send it")
    if call != "batch":
        return SegmentRequest([{**value, "type": call}], is_batch=False, sent_at=value.get("sentAt"))
    messages = value.get("batch")
    if not isinstance(messages, list):
        raise RequestRefusedError(400, "must be an array of messages", field="batch")
    if len(messages) > MAX_MESSAGES:
        raise RequestRefusedError(413, f"holds more than {MAX_MESSAGES:,} messages; split it", field="batch")
    return SegmentRequest(messages, is_batch=True, sent_at=value.get("sentAt"))


def read_message(raw: object, sender: Sender) -> list[dict[str, object]]:
    """The CloudEvents that a message makes, one or two. BadMessageError names what it lacks."""
    if not isinstance(raw, dict):
        raise BadMessageError("must be a JSON object")
    check_json(raw)
    sent_at = raw.get("sentAt") or sender.sent_at
    time = occurred_at(raw, sent_at, sender.received_at).isoformat()
    message_id = _message_id(raw)
    return [
        {
            "specversion": "1.0",
            "id": message_id if place == 1 else f"{message_id}/{place}",
            "source": f"segment:{sender.shop}",
            "type": happened.type,
            "time": time,
            "subject": happened.subject,
            "shop": sender.shop,
            "data": happened.data,
        }
        for place, happened in enumerate(_read(raw), start=1)
    ]


@dataclass(frozen=True, slots=True)
class _Happened:
    type: str
    subject: str
    data: dict[str, object]


def _read(message: Json) -> list[_Happened]:
    match message.get("type"):
        case "track":
            return [_track(message)]
        case "identify":
            return _identify(message)
        case "page" | "screen":
            return [_viewed(message)]
        case "alias":
            return [_alias(message)]
        case "group":
            data = {**carried(object_of(message.get("traits"))), **carried({"group_id": message.get("groupId")})}
            return [_Happened("custom.group", _subject(message), data)]
    raise BadMessageError("must be track, identify, page, screen, alias or group", field="type")


def _track(message: Json) -> _Happened:
    name = message.get("event")
    if not isinstance(name, str) or not name.strip():
        raise BadMessageError("must be the name of what happened", field="event")
    subject = _subject(message)
    kind, data = read_track(name.strip(), object_of(message.get("properties")))
    return _Happened(kind, subject, data)


def _identify(message: Json) -> list[_Happened]:
    # RudderStack's libraries put the traits into the context.
    traits = {**object_of(object_of(message.get("context")).get("traits")), **object_of(message.get("traits"))}
    subject, visitor = _subject(message), _known("visitor", message, "anonymousId")
    told = [_Happened("customer.updated", subject, customer_data(traits))]
    if visitor and visitor != subject:
        told.append(_Happened("customer.identified", subject, {"identifiers": [visitor]}))
    return told


def _viewed(message: Json) -> _Happened:
    # Libraries on a server know of the page only by the context that they are handed.
    page = {**object_of(object_of(message.get("context")).get("page")), **object_of(message.get("properties"))}
    told = {name: message[name] for name in ("name", "category") if text_of(message.get(name))}
    return _Happened("page.viewed", _subject(message), carried({**page, **told}))


def _alias(message: Json) -> _Happened:
    subject = _known("customer", message, "userId")
    # Segment does not say whether the former id was an anonymousId or a userId; as either, it was this person.
    before = [_known(kind, message, "previousId") for kind in ("visitor", "customer")]
    also = [known for known in before if known and known != subject]
    if subject is None or not also:
        raise _nobody("previousId" if subject else "userId")
    return _Happened("customer.identified", subject, {"identifiers": also})


def _subject(message: Json) -> str:
    subject = _known("customer", message, "userId") or _known("visitor", message, "anonymousId")
    if subject is None:
        raise BadMessageError("must say who it was, or else anonymousId must", field="userId")
    return subject


def _known(kind: str, message: Json, field: str) -> str | None:
    if text_of(message.get(field)) is None:
        return None
    if (name := id_of(message[field])) is None:
        raise _nobody(field)
    return f"{kind}:{name}"


def _nobody(field: str) -> BadMessageError:
    return BadMessageError("must be an id of 1 to 255 characters", field=field)


def _message_id(message: Json) -> str:
    given = text_of(message.get("messageId"))
    if given and len(given) <= _LONGEST_ID and "@" not in given:
        return given
    # What a repetition does not change.
    lasting = given or {name: value for name, value in message.items() if name not in ("sentAt", "receivedAt")}
    return "sha256:" + hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()
