"""A record of `ec.events.v1` -> its event. Shops' own systems write there as well as ingest, and are held to its rules.

Structured mode (the value is the event) and binary mode (attributes in `ce_` headers, the value is `data`):
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta
from pydantic import ValidationError
from pydantic_core import from_json

from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.envelope import MAX_EVENT_BYTES, bad_message, is_plausible, is_suspect_if_strict
from todoke_shared.contracts.instants import check_not_ahead, check_time_text
from todoke_shared.contracts.json_values import check_json
from todoke_shared.errors import BadMessageError
from todoke_shared.ids import event_key

Headers = Sequence[tuple[str, bytes]]
_HELD_TO_THE_RULES = ("todoke-service", b"ingest")
"""Ingest's doors have held it to all of this; the shop's clock may have been set anew since."""
_PREFIX = "ce_"
_STRUCTURED, _PLAIN = "application/cloudevents+json", "application/json"


_NonEmpty = Annotated[str, Meta(min_length=1, max_length=512)]


class TakenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event that ingest has taken: the fields of `EcEvent`, which reads the same of it and takes four times as long.

    One with further attributes is left to `EcEvent`: what msgspec passes over it does not look at, bad UTF-8 and all.
    Only a `time` finer than a microsecond would be another (here it is rounded), and ingest writes none.
    """

    specversion: Literal["1.0"]
    id: _NonEmpty
    source: _NonEmpty
    type: _NonEmpty
    time: Annotated[datetime, Meta(tz=True)]
    subject: _NonEmpty | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    shop: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\Z")] = "main"
    history: bool = False
    data: dict[str, Any] = {}

    @property
    def key(self) -> UUID:
        """Its identity in every inbox."""
        return event_key(self.shop, self.source, self.id)


ShopEvent: TypeAlias = EcEvent | TakenEvent
_TAKEN = msgspec.json.Decoder(TakenEvent)


def read_shop_event(value: bytes | None, headers: Headers, now: datetime) -> ShopEvent:
    """The event of a record. `now` is the shop's time. BadMessageError names the field and the reason.

    Unlike at a door a `time` must be given: when the record is read says nothing of when it happened.
    """
    if _HELD_TO_THE_RULES in headers:
        return _read_taken(value) or EcEvent.from_json(value)
    if sum(len(text) for _, text in headers) + len(value or b"") > MAX_EVENT_BYTES:
        raise BadMessageError(f"is larger than {MAX_EVENT_BYTES // 1024} KiB; send a link to what is large")
    event = _read(_attributes(value, headers))
    check_not_ahead(event.time, now)
    return event


def _read_taken(value: bytes | None) -> TakenEvent | None:
    """None for what needs the closer look, and its words."""
    if not value or len(value) > MAX_EVENT_BYTES or is_suspect_if_strict(value):
        return None
    try:
        event = _TAKEN.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if is_plausible(event.time) else None


def _attributes(value: bytes | None, headers: Headers) -> dict[str, object]:
    media_type = _media_type(headers)
    in_headers = [(name, text) for name, text in headers if name.startswith(_PREFIX)]
    if media_type in ("", _PLAIN) and in_headers:
        data = {"data": _json(value)} if value else {}
        return {**_from_headers(in_headers), **data}
    if media_type not in ("", _PLAIN, _STRUCTURED):
        raise BadMessageError(f"must be {_STRUCTURED}, or {_PLAIN} in binary mode", field="content-type")
    if not value:
        raise BadMessageError("the record has no value", gibberish=True)
    event = _json(value)
    if not isinstance(event, dict):
        raise BadMessageError("must be a JSON object that holds one CloudEvent")
    return event


def _media_type(headers: Headers) -> str:
    named = [text for name, text in headers if name.lower() == "content-type"]
    return named[-1].decode(errors="replace").partition(";")[0].strip().lower() if named else ""


def _from_headers(headers: Headers) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for name, text in headers:
        attribute = name.removeprefix(_PREFIX)
        if attribute in attributes or attribute == "data":
            raise BadMessageError("stands twice; an attribute has one header, and data is the value", field=name)
        try:
            attributes[attribute] = text.decode()
        except UnicodeDecodeError:
            raise BadMessageError("must be UTF-8", field=name) from None
    return attributes


def _json(value: bytes) -> object:
    try:
        return from_json(value, allow_inf_nan=True)  # for check_json to name
    except ValueError as error:
        # The parser's words name a place ("at line 1 column 5") and never the text found there.
        raise BadMessageError(f"is not JSON: {error}", gibberish=True) from None


def _read(raw: dict[str, object]) -> EcEvent:
    check_json(raw)
    if "data_base64" in raw:
        raise BadMessageError("is not read here; send a JSON object as data", field="data_base64")
    attributes = {name: value for name, value in raw.items() if value is not None}  # JSON format, 2.3: null is missing
    check_time_text(attributes.get("time"))
    try:
        return EcEvent.model_validate(attributes)
    except ValidationError as error:
        raise bad_message(error) from None
