"""POST /v1/track and its siblings, for Segment's and RudderStack's libraries."""

from todoke_ingest.domain.segment import MAX_MESSAGES, Call
from todoke_ingest.handlers.segment import PATHS
from todoke_ingest.openapi.parts import JSON, PROBLEM, Json, answer, answers, body, ref

TAG = "Segment and RudderStack libraries"
SECURITY: Json = {
    "writeKey": {
        "type": "http",
        "scheme": "basic",
        "description": "A key made with --for segment as the user name, and no password (docs/segment.md)",
    }
}

_TEXT: Json = {"type": "string"}
_ID: Json = {"type": ["string", "integer"]}
_FIELDS: Json = {
    "userId": _ID,
    "anonymousId": _ID,
    "messageId": _TEXT,
    "timestamp": _TEXT,
    "sentAt": _TEXT,
    "context": {"type": "object"},
    "event": {**_TEXT, "description": "track: what happened, such as Order Completed"},
    "properties": {"type": "object", "description": "track, page, screen"},
    "traits": {"type": "object", "description": "identify, group"},
    "previousId": {**_ID, "description": "alias"},
    "groupId": {**_ID, "description": "group"},
    "name": {**_TEXT, "description": "page, screen"},
}
SCHEMAS: dict[str, Json] = {
    "SegmentMessage": {
        "type": "object",
        "title": "SegmentMessage",
        "description": "A message of https://segment.com/docs/connections/spec/; unknown fields are no error.",
        "properties": {
            "type": {"enum": ["track", "identify", "page", "screen", "alias", "group"]},
            **_FIELDS,
        },
    },
    "SegmentBatch": {
        "type": "object",
        "title": "SegmentBatch",
        "required": ["batch"],
        "properties": {
            "batch": {
                "type": "array",
                "maxItems": MAX_MESSAGES,
                "items": {
                    "allOf": [{"$ref": "#/components/schemas/SegmentMessage"}, {"required": ["type"]}],
                },
            },
            "sentAt": _TEXT,
        },
    },
    "SegmentTaken": {
        "type": "object",
        "title": "SegmentTaken",
        "required": ["success"],
        "properties": {"success": {"const": True}},
    },
}

_WHO: Json = {"userId": "42", "timestamp": "2026-04-01T09:00:00+09:00"}
_TEA: Json = {"product_id": "uji-matcha-30g", "name": "宇治抹茶 30g", "price": 1620, "quantity": 1}
_CALLS: dict[Call, tuple[str, Json]] = {
    "track": (
        "Something happened: names of the e-commerce spec become our types, others custom.*",
        {**_WHO, "messageId": "m-1", "event": "Product Added", "properties": {"cart_id": "c-9", **_TEA}},
    ),
    "identify": (
        "Who somebody is: customer.updated, and customer.identified with both ids",
        {**_WHO, "messageId": "m-2", "anonymousId": "5f0c2b3e", "traits": {"name": "山田 花子", "points": 120}},
    ),
    "page": (
        "A page was viewed: page.viewed",
        {**_WHO, "messageId": "m-3", "name": "煎茶", "properties": {"url": "https://shop.example/sencha"}},
    ),
    "screen": ("A screen of an app was viewed: page.viewed", {**_WHO, "messageId": "m-4", "name": "カート"}),
    "alias": (
        "Two ids are one person: customer.identified",
        {**_WHO, "messageId": "m-5", "previousId": "5f0c2b3e"},
    ),
    "group": (
        "Somebody belongs to a group: custom.group",
        {**_WHO, "messageId": "m-6", "groupId": "tea-club", "traits": {"plan": "monthly"}},
    ),
}


def paths() -> dict[str, Json]:
    """Each call's path whole; a further path of the same call leads there."""
    found: dict[str, Json] = {}
    first: dict[Call, str] = {}
    for path, call in PATHS:
        if call in first:
            found[path] = {"$ref": f"#/paths/{first[call].replace('/', '~1')}"}
        else:
            first[call] = path
            found[path] = {"post": _batch() if call == "batch" else _call(call)}
    return found


def _call(call: Call) -> Json:
    told, example = _CALLS[call]
    return _operation(told, body((JSON, ref("SegmentMessage"), {call: example})))


def _batch() -> Json:
    batch = [{"type": call, **example} for call, (_, example) in _CALLS.items()]
    content = body((JSON, ref("SegmentBatch"), {"one of each": {"batch": batch, "sentAt": _WHO["timestamp"]}}))
    return _operation("Several messages, each with its type; the bad ones among them become dead letters", content)


def _operation(told: str, content: Json) -> Json:
    return {
        "tags": [TAG],
        "summary": told,
        "description": "May be compressed (Content-Encoding: gzip). Any media type is read as JSON.",
        "security": [{"writeKey": []}],
        "requestBody": content,
        "responses": answers(
            {
                "200": answer("What is good is durable", JSON, ref("SegmentTaken")),
                "400": _problem("Nothing was taken; errors names the first 20 by index, field and reason"),
                "413": _problem(
                    f"The body is larger than 1 MiB, unzipped, or holds more than {MAX_MESSAGES:,} messages"
                ),
            },
            key=True,
            limit="1 MiB",
            away="the library sends it again",
            told=_problem,
        ),
    }


def _problem(description: str) -> Json:
    return answer(description, PROBLEM, ref("SegmentProblem"))
