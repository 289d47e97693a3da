"""POST /v1/events."""

import json
from importlib.resources import files

from todoke_ingest.domain.cloudevents import BATCH, MAX_EVENTS, PLAIN, SINGLE
from todoke_ingest.openapi.parts import JSON, Json, answer, answers, body, parameter, problem, ref
from todoke_shared.contracts.ec_events import DATA_MODELS, EVENT_TYPES
from todoke_shared.contracts.topics import EC_EVENTS

TAG = "Shop events"
SECURITY: Json = {
    "bearerKey": {"type": "http", "scheme": "bearer", "description": "A key made with --for events (docs/keys.md)"},
    "headerKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "The same key, where a bearer cannot be set",
    },
}

_TYPES = ", ".join(sorted(EVENT_TYPES))
_DATA = ", ".join(f"{kind} {model.__name__}" for kind, model in sorted(DATA_MODELS.items()))
_TAKEN = ref("Taken")
_LIMIT = "1 MiB (TODOKE_MAX_BODY_BYTES)"


def event_examples() -> dict[str, Json]:
    """The contract's own examples of shop events, by name. Without the shop: the key says it."""
    folder = files("todoke_shared.contracts") / "examples" / EC_EVENTS.name
    examples = {file.name.removesuffix(".json"): json.loads(file.read_bytes()) for file in folder.iterdir()}
    return {
        name: {key: value for key, value in example.items() if key != "shop"}
        for name, example in sorted(examples.items())
    }


def paths() -> dict[str, Json]:
    """The door of shop events."""
    return {"/v1/events": {"post": _take()}}


def _take() -> Json:
    event, data = ref("CloudEvent"), {"type": "object", "description": "data, in binary mode"}
    batch: Json = {"type": "array", "items": event, "maxItems": MAX_EVENTS}
    examples = event_examples()
    cart, order = examples["cart.item_added"], examples["order.placed"]
    return {
        "tags": [TAG],
        "summary": "Take shop events (CloudEvents 1.0)",
        "description": (
            f"One event, a batch of at most {MAX_EVENTS:,}, or binary mode (ce- headers, the body is data). Types: "
            f"{_TYPES}, and custom.*. subject is customer:{{id}}, visitor:{{id}} or line:{{account}}:{{userId}}; "
            "catalogue events need data.product.product_id instead. data has a schema for: "
            f"{_DATA}. An event sent twice (same shop, source and id) counts once."
        ),
        "security": [{"bearerKey": []}, {"headerKey": []}],
        "parameters": [_idempotency_key(), *_attributes(cart)],
        "requestBody": body(
            (SINGLE, event, examples),
            (BATCH, batch, {"two events": [cart, order]}),
            (PLAIN, {"anyOf": [event, batch, data]}, {"data in binary mode": cart["data"]}),
        ),
        "responses": answers(
            {
                "202": answer("All events are durable", JSON, _TAKEN),
                "207": answer("Some are durable; refused names the others by index, field and reason", JSON, _TAKEN),
                "400": problem("None was taken; errors names index, field and reason"),
                "409": problem("The Idempotency-Key was used within 24 hours for another body"),
                "413": problem(f"The body is larger than {_LIMIT}, or holds more than {MAX_EVENTS:,} events"),
                "415": problem("Another media type"),
            },
            key=True,
            limit=_LIMIT,
            away="send the same request again after Retry-After seconds",
        ),
    }


def _idempotency_key() -> Json:
    text = (
        "Yours for this request, such as an order number: events without an id get one from it, and another body "
        "under it is 409. Kept for 24 hours"
    )
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
    return parameter("Idempotency-Key", "header", text, schema=schema)


def _attributes(event: Json) -> list[Json]:
    told = "Binary mode: the event's {} (with application/json); percent-encoded where it is not ASCII"
    return [
        parameter(f"ce-{name}", "header", told.format(name), event[name])
        for name in ("specversion", "id", "source", "type", "time", "subject")
    ]
