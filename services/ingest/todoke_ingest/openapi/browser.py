"""GET /tag.js and /v1/collect, for the browser tag."""

from todoke_ingest.openapi.parts import JSON, Json, answer, answers, body, problem, ref, said

TAG = "Browser tag"
SECURITY: Json = {
    "browserKey": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "A key made with --for browser; it stands in the shop's pages (docs/browser-tag.md)",
    }
}
_TAKEN = ref("Taken")
_READABLE = {"Vary": "Origin"}
_EXAMPLE: Json = {
    "visitor": "5f0c2b3e-9a4d-4c1e-8f3b-0123456789ab",
    "sent_at": 1769817600000,
    "events": [
        {
            "id": "0d3b6a52-7c1f-4f0e-9a55-3f6f2f1c9b10",
            "type": "product.viewed",
            "time": 1769817599000,
            "data": {"product": {"product_id": "t1", "name": "煎茶", "price": 1200}},
        }
    ],
}


def paths() -> dict[str, Json]:
    """The script, and where it sends to."""
    return {
        "/tag.js": {"get": _tag("The browser tag"), "head": _tag("Whether the browser tag has changed")},
        "/v1/collect": {"post": _collect(), "options": _preflight()},
    }


def _tag(summary: str) -> Json:
    script: Json = {"type": "string"}
    always = {"ETag": "Of the script, gzipped or not", "Cache-Control": "An hour"}
    return {
        "tags": [TAG],
        "summary": summary,
        "description": "One script element in every page loads it, and it sends to where it was loaded from.",
        "responses": answers(
            {
                "200": answer("The script, gzipped for whoever takes gzip", "text/javascript", script, always),
                "304": said("The browser has it already (If-None-Match)", always),
            },
            away="the page works without it",
        ),
    }


def _collect() -> Json:
    return {
        "tags": [TAG],
        "summary": "Take what one visitor's browser saw",
        "description": (
            "What a public key may tell: views, searches, carts, checkout.started, custom.*, and customer.identified "
            "with the shop's signature (Identity). Cross-origin by the key's origins. What is refused is dropped."
        ),
        "security": [{"browserKey": []}],
        "requestBody": body(
            (JSON, _collected(), {"a product was viewed": _EXAMPLE}),
            ("text/plain", {"type": "string", "description": "The same JSON, as the tag and sendBeacon send it"}, {}),
        ),
        "responses": answers(
            {
                "202": answer("Every event is durable", JSON, _TAKEN, _READABLE),
                "207": answer("Some are durable; refused names the others", JSON, _TAKEN, _READABLE),
                "400": problem("None was taken; errors names index, field and reason"),
                "403": problem("A site that is not among the key's origins, or a key for another door"),
            },
            key=True,
            limit="64 KiB",
            away="the tag keeps the events and sends them again",
        ),
    }


def _collected() -> Json:
    return {"allOf": [ref("Collected"), {"properties": {"events": {"items": ref("TagEvent")}}}]}


def _preflight() -> Json:
    may = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": "Seconds",
        **_READABLE,
    }
    return {
        "tags": [TAG],
        "summary": "Whether a browser on another site may post here (CORS)",
        "description": "The tag itself never asks: it posts text.",
        "security": [{"browserKey": []}],
        "responses": answers(
            {
                "204": said("It may", may),
                "403": problem("A site that is not among the key's origins, or a key for another door"),
            },
            key=True,
            away="the browser asks again",
        ),
    }
