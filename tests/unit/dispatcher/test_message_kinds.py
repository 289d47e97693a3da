"""Every kind of message that LINE takes goes from a template through rendering to a body that LINE takes."""

import json
from typing import Any

import pytest
from linebot.v3.messaging.models import Message

from todoke_dispatcher.domain.rendering import push_body, render
from todoke_line_simulator.validation import messages_problems
from todoke_shared.jsons import dumps

Json = dict[str, Any]
TO = "U" + "0" * 32
ITEMS = [
    {
        "name": f"宇治抹茶 {number}",
        "price": 1980 * number,
        "url": f"https://shop.example/products/{number}",
        "image_url": f"https://shop.example/images/{number}.jpg",
    }
    for number in range(1, 21)
]
VARIABLES: Json = {
    "person": {"name": "佐藤 花子", "points": 1280},
    "event": {"order_id": "A-1042", "items": ITEMS, "store": "京都四条店", "image": "https://shop.example/a.jpg"},
    "cart": ITEMS[:5],
}
URI: Json = {"type": "uri", "label": "見る", "uri": "{{ item.url }}"}


def repeated(each: Json, most: int) -> list[Json]:
    """One for each of twenty items, `most` at most."""
    return [{"for": "item", "in": "event['items']", "most": most, "each": each}]


def bubble(*contents: Json) -> Json:
    return {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": list(contents)}}


ITEM_TEXT: Json = {"type": "text", "text": "{{ item.name }} {{ item.price | yen }}", "wrap": True}
KINDS: dict[str, tuple[Json, str]] = {
    "text": ({"type": "text", "text": "{{ person.name }}様"}, "佐藤 花子様"),
    "textV2": (
        {
            "type": "textV2",
            "text": "{{ person.name }}様 {smile} {all}",
            "substitution": {
                "smile": {"type": "emoji", "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"},
                "all": {"type": "mention", "mentionee": {"type": "all"}},
            },
        },
        "佐藤 花子様 {smile} {all}",
    ),
    "image": (
        {"type": "image", "originalContentUrl": "{{ event.image }}", "previewImageUrl": "{{ event.image }}"},
        "https://shop.example/a.jpg",
    ),
    "video": (
        {
            "type": "video",
            "originalContentUrl": "https://shop.example/{{ event.order_id }}.mp4",
            "previewImageUrl": "{{ event.image }}",
            "trackingId": "track-{{ event.order_id }}",
        },
        "https://shop.example/A-1042.mp4",
    ),
    "audio": (
        {"type": "audio", "originalContentUrl": "https://shop.example/{{ event.order_id }}.m4a", "duration": 60000},
        "A-1042.m4a",
    ),
    "location": (
        {
            "type": "location",
            "title": "{{ event.store }}",
            "address": "京都市下京区",
            "latitude": 35.0036,
            "longitude": 135.7592,
        },
        "京都四条店",
    ),
    "sticker": (
        {
            "type": "sticker",
            "packageId": "446",
            "stickerId": "{% if person.points > 1000 %}1988{% else %}1989{% endif %}",
        },
        "1988",
    ),
    "imagemap": (
        {
            "type": "imagemap",
            "baseUrl": "https://shop.example/map",
            "altText": "{{ person.name }}様へ",
            "baseSize": {"width": 1040, "height": 1040},
            "actions": [
                {
                    "type": "uri",
                    "linkUri": "https://shop.example/?o={{ event.order_id | urlencode }}",
                    "area": {"x": 0, "y": 0, "width": 520, "height": 1040},
                }
            ],
        },
        "?o=A-1042",
    ),
    "flex bubble": (
        {
            "type": "flex",
            "altText": "{{ cart | length }}点",
            "contents": bubble({"for": "item", "in": "cart", "most": 10, "each": ITEM_TEXT}),
        },
        "宇治抹茶 5 9,900円",
    ),
    "flex carousel": (
        {
            "type": "flex",
            "altText": "おすすめ",
            "contents": {"type": "carousel", "contents": repeated(bubble(ITEM_TEXT), 12)},
        },
        "宇治抹茶 12 ",
    ),
    "template buttons": (
        {
            "type": "template",
            "altText": "ご注文 {{ event.order_id }}",
            "template": {
                "type": "buttons",
                "title": "{{ person.name | short(40) }}様",
                "text": "ご注文を承りました",
                "thumbnailImageUrl": "{{ event.image }}",
                "actions": [{"type": "postback", "label": "確認", "data": "order={{ event.order_id }}"}],
            },
        },
        "order=A-1042",
    ),
    "template confirm": (
        {
            "type": "template",
            "altText": "確認",
            "template": {
                "type": "confirm",
                "text": "{{ person.points | points }}を使いますか？",
                "actions": [
                    {"type": "message", "label": "はい", "text": "はい"},
                    {"type": "message", "label": "いいえ", "text": "いいえ"},
                ],
            },
        },
        "1,280ポイント",
    ),
    "template carousel": (
        {
            "type": "template",
            "altText": "商品",
            "template": {
                "type": "carousel",
                "columns": repeated({"text": "{{ item.name | short(60) }}", "actions": [URI]}, 10),
            },
        },
        "宇治抹茶 10",
    ),
    "template image carousel": (
        {
            "type": "template",
            "altText": "商品",
            "template": {
                "type": "image_carousel",
                "columns": repeated({"imageUrl": "{{ item.image_url }}", "action": URI}, 10),
            },
        },
        "images/10.jpg",
    ),
    "quick replies": (
        {
            "type": "text",
            "text": "どれが気になりますか？",
            "quickReply": {
                "items": repeated(
                    {
                        "type": "action",
                        "action": {
                            "type": "message",
                            "label": "{{ item.name | short(20) }}",
                            "text": "{{ item.name }}",
                        },
                    },
                    13,
                )
            },
        },
        "宇治抹茶 13",
    ),
    "sender": (
        {
            "type": "text",
            "text": "お茶はいかがですか？",
            "sender": {"name": "{{ event.store | short(20) }}", "iconUrl": "https://shop.example/icon.png"},
        },
        '"name":"京都四条店"',
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_taken_once_it_is_filled_in(kind: str) -> None:
    """By LINE's limits, by line-bot-sdk's models, and to the letter after a round trip through the body."""
    template, holds = KINDS[kind]
    filled = render([template], VARIABLES)
    assert messages_problems(dumps(filled)) == ()
    assert json.loads(push_body(TO, filled)) == {"to": TO, "messages": filled}
    assert holds in dumps(filled).decode()
    assert "{{" not in str(filled)
    assert isinstance(filled[0], dict)
    assert Message.from_dict(filled[0]).to_dict() == filled[0]


@pytest.mark.parametrize(
    ("kind", "path", "most"),
    [
        ("flex carousel", ("contents", "contents"), 12),
        ("template carousel", ("template", "columns"), 10),
        ("template image carousel", ("template", "columns"), 10),
        ("quick replies", ("quickReply", "items"), 13),
    ],
)
def test_a_list_is_no_longer_than_the_template_says(kind: str, path: tuple[str, ...], most: int) -> None:
    """Twenty things in an order are as many columns as LINE takes."""
    [filled] = render([KINDS[kind][0]], VARIABLES)
    here: Any = filled
    for key in path:
        here = here[key]
    assert len(here) == most


def test_a_customers_braces_are_no_substitution() -> None:
    """In textV2 braces are LINE's: who is called `{all}` mentions nobody."""
    template, _ = KINDS["textV2"]
    [filled] = render([template], {"person": {"name": "{all}"}})
    assert isinstance(filled, dict)
    assert filled["text"] == "｛all｝様 {smile} {all}"
    [plain] = render([{"type": "text", "text": "{{ person.name }}"}], {"person": {"name": "{all}"}})
    assert plain == {"type": "text", "text": "{all}"}
