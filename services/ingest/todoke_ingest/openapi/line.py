"""POST /webhooks/line/{account}."""

from todoke_ingest.openapi.parts import JSON, Json, answers, body, parameter, problem, said

TAG = "LINE webhooks"
SECURITY: Json = {
    "lineSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Line-Signature",
        "description": "base64(HMAC-SHA256(channel secret, raw body)); LINE makes it (docs/line.md)",
    }
}
WEBHOOK_EXAMPLE: Json = {"destination": "U0123456789abcdef0123456789abcdef", "events": []}
_FOLLOW: Json = {
    "type": "follow",
    "mode": "active",
    "timestamp": 1769817540000,
    "source": {"type": "user", "userId": "U09a8b1e1696426a84660d04653130c71"},
    "webhookEventId": "01KG8Q9V7ZJ3V8C1S6T4R2M0XA",
    "deliveryContext": {"isRedelivery": False},
    "follow": {"isUnblocked": False},
}
_DELIVERY: Json = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "destination": {"type": "string", "description": "The bot's own user id"},
        "events": {"type": "array", "items": {"type": "object"}},
    },
}


def paths() -> dict[str, Json]:
    """The door of LINE's webhooks."""
    return {"/webhooks/line/{account}": {"post": _take()}}


def _take() -> Json:
    return {
        "tags": [TAG],
        "summary": "Take a webhook delivery of a LINE official account",
        "description": "Set this URL in LINE's console and turn redelivery on. {account} is a name in TODOKE_CONFIG.",
        "security": [{"lineSignature": []}],
        "parameters": [parameter("account", "path", "An account in TODOKE_CONFIG", "main")],
        "requestBody": body(
            (
                JSON,
                _DELIVERY,
                {"LINE's test": WEBHOOK_EXAMPLE, "a new friend": {**WEBHOOK_EXAMPLE, "events": [_FOLLOW]}},
            )
        ),
        "responses": answers(
            {
                "200": said("Every event is durable; those that nobody can read are dead letters"),
                "400": problem("No LINE delivery, or another bot's"),
                "401": problem("The signature is missing or wrong"),
                "404": problem("No such account"),
            },
            limit="2 MiB (TODOKE_MAX_WEBHOOK_BYTES)",
            away="LINE delivers again",
        ),
    }
