"""LINE's limits on message objects, each at its edge: the last that passes, the first that does not."""

from typing import Any

import orjson
import pytest

from tests.unit.line_simulator.line_client import TEXT, LineClient, problem_properties, simulator_settings

Json = dict[str, Any]


def with_action(action: Json) -> Json:
    return {"type": "text", "text": "a", "quickReply": {"items": [{"type": "action", "action": action}]}}


def flex(contents: Json, alt: str = "alt") -> Json:
    return {"type": "flex", "altText": alt, "contents": contents}


def bubble(*components: Json) -> Json:
    return {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": list(components)}}


def padded_bubble(size: int) -> Json:
    """A bubble whose JSON is exactly that many bytes."""
    empty = bubble({"type": "text", "text": ""})
    return bubble({"type": "text", "text": "x" * (size - len(orjson.dumps(empty)))})


def carousel(columns: int) -> Json:
    column = {"text": "a", "actions": [{"type": "message", "label": "a", "text": "a"}]}
    return {"type": "template", "altText": "a", "template": {"type": "carousel", "columns": [column] * columns}}


def image(url: str) -> Json:
    return {"type": "image", "originalContentUrl": url, "previewImageUrl": "https://shop.test/p.png"}


POSTBACK: Json = {"type": "postback", "label": "a"}
URI: Json = {"type": "uri", "label": "a"}
TAP: Json = {"type": "action", "action": {"type": "message", "label": "a", "text": "a"}}
ITEMS = "messages[0].quickReply.items"

EDGES: list[tuple[str, Json, Json, str]] = [
    ("text", {"type": "text", "text": "a" * 5000}, {"type": "text", "text": "a" * 5001}, "messages[0].text"),
    (
        "emoji count twice",
        {"type": "text", "text": "😀" * 2500},
        {"type": "text", "text": "😀" * 2501},
        "messages[0].text",
    ),
    ("textV2", {"type": "textV2", "text": "a" * 5000}, {"type": "textV2", "text": "a" * 5001}, "messages[0].text"),
    (
        "substitutions",
        {
            "type": "textV2",
            "text": "a",
            "substitution": {str(n): {"type": "emoji", "productId": "1", "emojiId": "1"} for n in range(100)},
        },
        {
            "type": "textV2",
            "text": "a",
            "substitution": {str(n): {"type": "emoji", "productId": "1", "emojiId": "1"} for n in range(101)},
        },
        "messages[0].substitution",
    ),
    ("text not empty", {"type": "text", "text": " "}, {"type": "text", "text": ""}, "messages[0].text"),
    ("altText", flex(bubble(), "a" * 1500), flex(bubble(), "a" * 1501), "messages[0].altText"),
    ("bubble size", flex(padded_bubble(30 * 1024)), flex(padded_bubble(30 * 1024 + 1)), "messages[0].contents"),
    (
        "bubbles",
        flex({"type": "carousel", "contents": [bubble()] * 12}),
        flex({"type": "carousel", "contents": [bubble()] * 13}),
        "messages[0].contents.contents",
    ),
    (
        "carousel size",
        flex({"type": "carousel", "contents": [padded_bubble(24 * 1024)] * 2}),
        flex({"type": "carousel", "contents": [padded_bubble(26 * 1024)] * 2}),
        "messages[0].contents",
    ),
    (
        "flex text",
        flex(bubble({"type": "text", "text": "a"})),
        flex(bubble({"type": "text", "text": ""})),
        "messages[0].contents.body.contents[0].text",
    ),
    (
        "flex field",
        flex(bubble({"type": "separator"})),
        flex(bubble({"type": "separator", "zap": 1})),
        "messages[0].contents.body.contents[0].zap",
    ),
    (
        "flex component",
        flex(bubble({"type": "filler"})),
        flex(bubble({"type": "zap"})),
        "messages[0].contents.body.contents[0].type",
    ),
    (
        "flex block",
        flex(bubble()),
        flex({"type": "bubble", "body": {"type": "text", "text": "a"}}),
        "messages[0].contents.body.type",
    ),
    (
        "quick reply",
        {"type": "text", "text": "a", "quickReply": {"items": [TAP] * 13}},
        {"type": "text", "text": "a", "quickReply": {"items": [TAP] * 14}},
        ITEMS,
    ),
    ("columns", carousel(10), carousel(11), "messages[0].template.columns"),
    (
        "postback data",
        with_action(POSTBACK | {"data": "x" * 300}),
        with_action(POSTBACK | {"data": "x" * 301}),
        f"{ITEMS}[0].action.data",
    ),
    ("postback without data", with_action(POSTBACK | {"data": "x"}), with_action(POSTBACK), f"{ITEMS}[0].action.data"),
    (
        "uri",
        with_action(URI | {"uri": "https://shop.test/" + "x" * 982}),
        with_action(URI | {"uri": "https://shop.test/" + "x" * 983}),
        f"{ITEMS}[0].action.uri",
    ),
    ("uri missing", with_action(URI | {"uri": "tel:09012345678"}), with_action(URI), f"{ITEMS}[0].action.uri"),
    (
        "uri scheme",
        with_action(URI | {"uri": "line://nv/chat"}),
        with_action(URI | {"uri": "javascript:1"}),
        f"{ITEMS}[0].action.uri",
    ),
    ("action type", with_action(TAP["action"]), with_action({"type": "zap"}), f"{ITEMS}[0].action.type"),
    (
        "sender name",
        {"type": "text", "text": "a", "sender": {"name": "x" * 20}},
        {"type": "text", "text": "a", "sender": {"name": "x" * 21}},
        "messages[0].sender.name",
    ),
    (
        "https pictures",
        image("https://shop.test/a.png"),
        image("http://shop.test/a.png"),
        "messages[0].originalContentUrl",
    ),
    (
        "the SDK's own check",
        {"type": "sticker", "packageId": "446", "stickerId": "1988"},
        {"type": "sticker", "packageId": "446", "stickerId": 1988},
        "messages[0].stickerId",
    ),
    ("known types", {"type": "coupon", "couponId": "1"}, {"type": "zap"}, "messages[0].type"),
]


@pytest.mark.parametrize(("good", "bad", "property_"), [edge[1:] for edge in EDGES], ids=[edge[0] for edge in EDGES])
async def test_the_last_good_message_passes_and_the_first_bad_one_is_named(
    line: LineClient, good: Json, bad: Json, property_: str
) -> None:
    """LINE's limit is met exactly, and the 400 names the property that breaks it."""
    [mai] = await line.befriend("mai")
    passed = await line.push(mai, [good])
    assert passed.status_code == 200, passed.text
    assert problem_properties(await line.push(mai, [bad])) == [property_]


async def test_a_request_has_1_to_5_messages(line: LineClient) -> None:
    """None, six, or something that is no list is refused."""
    [mai] = await line.befriend("mai")
    for messages, status in ((TEXT * 5, 200), (TEXT * 6, 400), ([], 400), ("text", 400), (None, 400)):
        answer = await line.line("message/push", {"to": mai, "messages": messages})
        assert answer.status_code == status, messages


async def test_every_mistake_in_a_request_is_listed_with_its_place(line: LineClient) -> None:
    """LINE tells all mistakes at once."""
    [mai] = await line.befriend("mai")
    answer = await line.push(mai, [*TEXT, {"type": "text"}, {"type": "zap"}, "text"])
    assert problem_properties(answer) == ["messages[1].text", "messages[2].type", "messages[3]"]
    assert answer.json()["message"] == "The request body has 3 error(s)"


async def test_minimal_skips_the_messages_but_not_their_number() -> None:
    """For load runs: message objects go unread, the limits that cost nothing stay."""
    line = LineClient(simulator_settings(minimal=True))
    async with line.http:
        [mai] = await line.befriend("mai")
        assert (await line.push(mai, [{"type": "zap"}])).status_code == 200
        assert (await line.push(mai, TEXT * 6)).status_code == 400
        assert (await line.push(mai, key="no uuid")).status_code == 400
        bad = await line.line("message/validate/push", {"messages": [{"type": "zap"}]})
        assert problem_properties(bad) == ["messages[0].type"]
