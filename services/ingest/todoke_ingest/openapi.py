"""The OpenAPI document of the doors, its schemas taken from the models that the doors themselves use."""

import json
from importlib.metadata import version
from importlib.resources import files

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from todoke_ingest.answers import Problem, Taken
from todoke_ingest.domain.cloudevents import BATCH, PLAIN, SINGLE
from todoke_shared.contracts.ec_events import DATA_MODELS, EVENT_TYPES
from todoke_shared.contracts.envelope import CloudEvent
from todoke_shared.contracts.topics import EC_EVENTS

Json = dict[str, object]

WEBHOOK_EXAMPLE: Json = {"destination": "U0123456789abcdef0123456789abcdef", "events": []}

_TYPES = ", ".join(sorted(EVENT_TYPES))


def event_examples() -> dict[str, Json]:
    """The contract's own examples of shop events, by name."""
    folder = files("todoke_shared.contracts") / "examples" / EC_EVENTS.name
    examples = {file.name.removesuffix(".json"): json.loads(file.read_bytes()) for file in folder.iterdir()}
    return dict(sorted(examples.items()))


def openapi() -> Json:
    """OpenAPI 3.1 of what ingest serves."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Todoke ingest",
            "version": version("todoke-ingest"),
            "description": "The doors through which shop events and LINE webhooks come in.",
        },
        "paths": {
            "/v1/events": {"post": _events()},
            "/webhooks/line/{account}": {"post": _line_webhook()},
            "/healthz": {"get": _health("Alive, whatever Kafka and PostgreSQL do")},
            "/readyz": {
                "get": {**_health("Ready for traffic"), "responses": {"200": _said("ready"), "503": _said("not ready")}}
            },
            "/metrics": {"get": _health("Metrics for Prometheus")},
        },
        "components": {"schemas": schemas()},
    }


def schemas() -> dict[str, Json]:
    """JSON Schema of the envelope, of each event type's data and of the answers, by model name."""
    models: list[type[BaseModel]] = [CloudEvent, *dict.fromkeys(DATA_MODELS.values()), Taken, Problem]
    _, document = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Json] = document["$defs"]
    required = found["CloudEvent"]["required"]
    if isinstance(required, list):
        required.remove("time")  # in the topic it must be there; at the door, a missing time is now
    return found


def _events() -> Json:
    event = {"$ref": "#/components/schemas/CloudEvent"}
    batch = {"type": "array", "items": event, "maxItems": 1000}
    examples = event_examples()
    cart, order = examples["cart.item_added"], examples["order.placed"]
    return {
        "summary": "Take shop events (CloudEvents 1.0)",
        "description": (
            f"One event, a batch of at most 1,000, or binary mode (ce- headers, the body is data). Types: {_TYPES}, "
            "and custom.*. subject is customer:{id}, visitor:{id} or line:{account}:{userId}; catalogue events need "
            "data.product.product_id instead. An event sent twice (same shop, source and id) counts once."
        ),
        "requestBody": {
            "required": True,
            "content": {
                SINGLE: {"schema": event, "examples": {name: {"value": value} for name, value in examples.items()}},
                BATCH: {"schema": batch, "examples": {"two events": {"value": [cart, order]}}},
                PLAIN: {
                    "schema": {"oneOf": [event, batch]},
                    "examples": {"data in binary mode": {"value": cart["data"]}},
                },
            },
        },
        "responses": {
            "202": _taken("All events are durable"),
            "207": _taken("Some are durable; refused names the others by index, field and reason"),
            "400": _problem("None was taken; errors names index, field and reason"),
            "413": _problem("The body is larger than 1 MiB (TODOKE_MAX_BODY_BYTES) or holds more than 1,000 events"),
            "415": _problem("Another media type"),
            "503": _problem("Kafka did not acknowledge; send the same request again after Retry-After seconds"),
        },
    }


def _line_webhook() -> Json:
    return {
        "summary": "Take a webhook delivery of a LINE official account",
        "description": "Set this URL in LINE's console and turn redelivery on. {account} is a name in TODOKE_CONFIG.",
        "parameters": [_parameter("account", "path"), _parameter("x-line-signature", "header")],
        "requestBody": {
            "required": True,
            "content": {PLAIN: {"schema": {"type": "object"}, "examples": {"LINE's test": {"value": WEBHOOK_EXAMPLE}}}},
        },
        "responses": {
            "200": _said("Every event is durable; those that nobody can read are dead letters"),
            "400": _problem("No LINE delivery, or another bot's"),
            "401": _problem("The signature is missing or wrong"),
            "404": _problem("No such account"),
            "413": _problem("The body is larger than 2 MiB (TODOKE_MAX_WEBHOOK_BYTES)"),
            "503": _problem("Kafka did not acknowledge; LINE delivers again"),
        },
    }


def _parameter(name: str, place: str) -> Json:
    return {"name": name, "in": place, "required": True, "schema": {"type": "string"}}


def _health(summary: str) -> Json:
    return {"summary": summary, "responses": {"200": _said(summary)}}


def _said(description: str) -> Json:
    return {"description": description}


def _taken(description: str) -> Json:
    return _answer(description, "application/json", "Taken")


def _problem(description: str) -> Json:
    return _answer(description, "application/problem+json", "Problem")


def _answer(description: str, media_type: str, model: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"description": description, "content": {media_type: {"schema": schema}}}
