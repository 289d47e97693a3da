"""An HTTP request -> CloudEvents, each held against the shop's vocabulary.

Modes and media types: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

import msgspec
from pydantic import ValidationError

from todoke_ingest.domain.json_values import parse_strictly, read_json
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_shared.contracts.ec_events import AboutProduct, EventData, check_event
from todoke_shared.contracts.envelope import MAX_EVENT_BYTES, CloudEvent, bad_message, is_suspect
from todoke_shared.contracts.instants import check_not_ahead, check_time_text
from todoke_shared.contracts.json_values import check_json
from todoke_shared.errors import BadMessageError

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"
MAX_EVENTS = 1000
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class EventsRequest:
    """What came in one request: JSON values that claim to be events. A batch's answer counts them by index.

    `strict`: what read them knows no NaN and no Infinity, so that there are none to look for.
    """

    events: list[object]
    is_batch: bool
    strict: bool


class ReadEvent(msgspec.Struct, frozen=True):
    """An event as it goes into its topic: `key` keeps one person's (or product's) events in order."""

    id: str
    key: bytes
    value: bytes


def read_request(body: bytes, content_type: str, headers: Mapping[str, str]) -> EventsRequest:
    """Find the events by media type: structured, batch, or binary (`ce-` headers).

    RequestRefusedError: 415 for another media type, 413 for too many events, 400 for what is not JSON.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (SINGLE, BATCH, PLAIN):
        raise RequestRefusedError(
            415, f"is not one that this door takes; send {SINGLE}, {BATCH} or {PLAIN}", field="Content-Type"
        )
    if media_type == PLAIN and (attributes := _binary_attributes(headers)):
        data = {"data": read_json(body)} if body else {}
        return EventsRequest([{**attributes, **data}], is_batch=False, strict=False)
    strict, value = parse_strictly(body)
    if isinstance(value, list) and media_type != SINGLE:
        if len(value) > MAX_EVENTS:
            raise RequestRefusedError(413, f"holds more than {MAX_EVENTS:,} events; split the batch")
        return EventsRequest(value, is_batch=True, strict=strict)
    if media_type == BATCH:
        raise RequestRefusedError(400, "must be a JSON array of events")
    return EventsRequest([value], is_batch=False, strict=strict)


def read_event(
    raw: object,
    now: datetime,
    *,
    shop: str | None = None,
    strict: bool = False,
    accounts: Container[str] | None = None,
) -> ReadEvent:
    """One event, sure to be in the vocabulary and to fit every room. BadMessageError names the field and the reason.

    A missing `time` is `now`. A null attribute is a missing one (CloudEvents JSON format, 2.3). `shop`: whose key the
    sender has, and so the only shop it may speak for. `strict` as EventsRequest has it. `accounts`: those
    whose LINE users it may be about; None asks nothing.
    """
    if not isinstance(raw, dict):
        raise BadMessageError("must be a JSON object that holds one CloudEvent")
    if not strict:
        check_json(raw)
    if "data_base64" in raw:
        raise BadMessageError("is not read here; send a JSON object as data", field="data_base64")
    attributes = {name: value for name, value in raw.items() if value is not None}
    if "time" not in attributes:
        attributes["time"] = now.isoformat()
    plain_time = check_time_text(attributes["time"])
    if shop is not None and attributes.setdefault("shop", shop) != shop:
        raise BadMessageError("is not the shop of this key; leave it out, or use a key of that shop", field="shop")
    try:
        event = CloudEvent.model_validate(attributes)
    except ValidationError as error:
        raise bad_message(error) from None
    check_not_ahead(event.time, now)
    key = _key(event, check_event(event))
    if accounts is not None and event.subject is not None and event.subject.startswith("line:"):
        _check_account(event.subject, accounts)
    if not plain_time:
        attributes["time"] = event.time.isoformat()
    attributes.setdefault("shop", event.shop)
    attributes.setdefault("datacontenttype", event.datacontenttype)
    return ReadEvent(event.id, key, _encode(attributes))


def _check_account(subject: str, accounts: Container[str]) -> None:
    if subject.split(":", 2)[1] not in accounts:
        raise BadMessageError("names an account that is not here", field="subject")


def _encode(attributes: dict[str, object]) -> bytes:
    try:
        value = _ENCODER.encode(attributes)
    except (ValueError, OverflowError):  # an integer beyond 64 bits
        check_json(attributes)
        raise
    if is_suspect(value):
        check_json(attributes)
    if len(value) > MAX_EVENT_BYTES:
        raise BadMessageError(f"is larger than {MAX_EVENT_BYTES // 1024} KiB; send a link to what is large")
    return value


def _binary_attributes(headers: Mapping[str, str]) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for header, text in headers.items():
        name = header.lower()
        if not name.startswith("ce-"):
            continue
        try:
            if not text.isascii():
                raise ValueError
            attributes[name.removeprefix("ce-")] = unquote(text, errors="strict")
        except ValueError:
            raise RequestRefusedError(400, "must be percent-encoded UTF-8", field=name) from None
    return attributes


def _key(event: CloudEvent, data: EventData) -> bytes:
    subject = data.product.product_id if isinstance(data, AboutProduct) else event.subject
    return (subject or "").encode()
