"""POST /webhooks/shopify/{shop}."""

from todoke_ingest.openapi.parts import JSON, Json, answers, body, parameter, problem, said

TAG = "Shopify webhooks"
SECURITY: Json = {
    "shopifySignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Shopify-Hmac-Sha256",
        "description": "base64(HMAC-SHA256(secret, raw body)); Shopify makes it (docs/shopify.md)",
    }
}
_CART: Json = {
    "token": "c1-4f0c1f2e9d",
    "updated_at": "2026-04-01T09:00:00+09:00",
    "line_items": [
        {"product_id": 6001, "variant_id": 7001, "title": "宇治抹茶 30g", "quantity": 1, "price": "1620"},
    ],
}


def paths() -> dict[str, Json]:
    """The door of Shopify's webhooks."""
    return {"/webhooks/shopify/{shop}": {"post": _take()}}


def _take() -> Json:
    return {
        "tags": [TAG],
        "summary": "Take a webhook delivery of a Shopify shop",
        "description": "{shop} is a name in TODOKE_CONFIG. docs/shopify.md says what each topic becomes.",
        "security": [{"shopifySignature": []}],
        "parameters": [
            parameter("shop", "path", "A shop in TODOKE_CONFIG that has shopify", "main"),
            parameter("X-Shopify-Topic", "header", "Such as orders/create", "carts/update", required=True),
            parameter("X-Shopify-Webhook-Id", "header", "The delivery's id: a repeat is recognised by it"),
            parameter("X-Shopify-Triggered-At", "header", "When it happened (RFC 3339)"),
            parameter("X-Shopify-Shop-Domain", "header", "Must be shopify.domain of TODOKE_CONFIG, where that is set"),
            parameter("X-Shopify-Test", "header", "true: only the signature is looked at"),
        ],
        "requestBody": body((JSON, {"type": "object"}, {"carts/update": _CART})),
        "responses": answers(
            {
                "200": said("Everything is durable; what cannot be an event is a dead letter"),
                "400": problem("Another shop's delivery, no topic, or no JSON object"),
                "401": problem("The signature is missing or wrong"),
                "404": problem("No such Shopify shop in TODOKE_CONFIG"),
            },
            limit="2 MiB (TODOKE_MAX_WEBHOOK_BYTES)",
            away="Shopify delivers again",
        ),
    }
