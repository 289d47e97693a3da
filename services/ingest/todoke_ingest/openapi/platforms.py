"""POST /webhooks/eccube/{shop} and /webhooks/makeshop/{shop}: webhooks that name what changed and no more."""

from todoke_ingest.openapi.parts import JSON, Json, answers, body, parameter, problem, said

TAG = "EC-CUBE and makeshop webhooks"
SECURITY: Json = {
    "eccubeSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-ECCUBE-Signature",
        "description": "hex(HMAC-SHA256(secret, raw body)); EC-CUBE makes it (docs/eccube.md)",
    },
    "makeshopSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Makeshop-Signature",
        "description": "HMAC-SHA256 of the raw body, written as makeshop.signature in TODOKE_CONFIG says",
    },
}
_NOTICE: Json = {
    "type": "object",
    "required": ["entity", "id", "action"],
    "properties": {
        "entity": {"type": "string", "description": "customer, order or product; others are passed over"},
        "id": {"type": ["integer", "string"]},
        "action": {"type": "string", "description": "created, updated or deleted"},
    },
}


def paths() -> dict[str, Json]:
    """The two doors."""
    return {"/webhooks/eccube/{shop}": {"post": _eccube()}, "/webhooks/makeshop/{shop}": {"post": _makeshop()}}


def _eccube() -> Json:
    example = [{"entity": "order", "id": 1, "action": "created"}]
    return {
        "tags": [TAG],
        "summary": "Take notice of what changed in an EC-CUBE 4 shop",
        "description": "The entities are fetched back from the shop's Web API; what they say goes to ec.events.v1.",
        "security": [{"eccubeSignature": []}],
        "parameters": [parameter("shop", "path", "A shop in TODOKE_CONFIG that has eccube", "main")],
        "requestBody": body((JSON, {"type": "array", "items": _NOTICE}, {"a new order": example})),
        "responses": _answers("no JSON array", "EC-CUBE"),
    }


def _makeshop() -> Json:
    stamp = "Signed along with the body where makeshop.signs in TODOKE_CONFIG says so"
    return {
        "tags": [TAG],
        "summary": "Take notice of what changed in a makeshop shop",
        "description": "The orders that it names, wherever in it, are fetched back from makeshop's API.",
        "security": [{"makeshopSignature": []}],
        "parameters": [
            parameter("shop", "path", "A shop in TODOKE_CONFIG that has makeshop", "main"),
            parameter("X-Makeshop-Request-Timestamp", "header", stamp),
        ],
        "requestBody": body(
            (JSON, {"type": ["object", "array"]}, {"an order changed": {"system_order_number": "MSP1"}})
        ),
        "responses": _answers("no JSON object", "makeshop"),
    }


def _answers(wrong: str, platform: str) -> dict[str, Json]:
    return answers(
        {
            "200": said("What it names is stored, and will be fetched"),
            "400": problem(f"The body is {wrong}"),
            "401": problem("The signature is missing or wrong"),
            "404": problem(f"No such {platform} shop in TODOKE_CONFIG"),
        },
        limit="2 MiB (TODOKE_MAX_WEBHOOK_BYTES)",
        away="nothing of it is stored",
    )
