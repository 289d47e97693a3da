"""Links in LINE's message objects: every one of them is found, nothing else is, and what comes out LINE still takes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_dispatcher.domain.rewriting import LARGEST_BUBBLE, LONGEST_TEXT, addresses, links_in, rewrite
from todoke_line_simulator.validation import messages_problems

SHOP = "https://shop.example/cart"
GO = "https://go.example/r/abc"


def numbered() -> Callable[[str], str]:
    """Another address for each link asked for, in order."""
    asked: list[str] = []

    def make(link: str) -> str:
        asked.append(link)
        return f"{GO}{len(asked)}"

    return make


def text_of(text: str) -> str:
    """A text message's text with its links rewritten."""
    [message] = rewrite([{"type": "text", "text": text}], numbered())
    assert isinstance(message, dict)
    return str(message["text"])


def uri(link: str = SHOP) -> dict[str, Any]:
    """An action that opens it."""
    return {"type": "uri", "label": "見る", "uri": link}


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        (SHOP, f"{GO}1"),
        (f"こちら：{SHOP}", f"こちら：{GO}1"),
        (f"「{SHOP}」をご覧ください", f"「{GO}1」をご覧ください"),
        (f"カート（{SHOP}）です。", f"カート（{GO}1）です。"),
        (f"{SHOP}、または{SHOP}?a=1。", f"{GO}1、または{GO}2。"),
        (f"見る→{SHOP}！", f"見る→{GO}1！"),
        (f"{SHOP}\u3000へ", f"{GO}1\u3000へ"),
        (f"{SHOP}\n{SHOP}", f"{GO}1\n{GO}2"),
        (f"<{SHOP}>", f"<{GO}1>"),
        (f"See {SHOP}. Or ({SHOP})!", f"See {GO}1. Or ({GO}2)!"),
        ("https://shop.example/a_(b)?c=d,e;f#g~h", f"{GO}1"),
        (f"{SHOP}😀", f"{GO}1😀"),
        (f"HTTPS{SHOP[5:]} http{SHOP[5:]}", f"{GO}1 {GO}2"),
    ],
)
def test_an_address_in_a_text_ends_where_a_reader_ends_it(text: str, rewritten: str) -> None:
    """Before Japanese and Western punctuation, brackets that it did not open, blanks of any width, emoji."""
    assert text_of(text) == rewritten


@pytest.mark.parametrize(
    "text",
    [
        f"{SHOP}をご覧ください",
        "https://shop.example/お茶",
        "https://shop.example/ｃａｒｔ",
        "https://shop.example/{product}",
        "https://shop.example\\@evil.example",
        f"x{SHOP}",
        "shop.example/cart",
        "mailto:tea@shop.example tel:0312345678 line://ti/p/@tea",
    ],
)
def test_where_an_address_ends_or_begins_in_doubt_it_stays(text: str) -> None:
    """A letter behind it may be a page's name or the next word: a wrong guess would break the link."""
    assert text_of(text) == text


@given(
    st.lists(
        st.sampled_from(
            [SHOP, f"{SHOP}?a=b&c=%E3%81%82", "お茶", " ", "。", "（", "）", "」", "\n", "!", "あ", "9", "$"]
        ),
        max_size=12,
    )
)
def test_a_text_differs_in_its_addresses_alone(pieces: list[str]) -> None:
    """Put back what was there, and it is the text that it was; every clear address is another, and no other."""
    text = "".join(pieces)
    asked: list[str] = []

    def make(link: str) -> str:
        asked.append(link)
        return f"\ue000{len(asked) - 1}\ue001"

    [message] = rewrite([{"type": "text", "text": text}], make)
    assert isinstance(message, dict)
    told = str(message["text"])
    for index, link in enumerate(asked):
        assert told.count(f"\ue000{index}\ue001") == 1
        told = told.replace(f"\ue000{index}\ue001", link)
    assert told == text
    assert asked == [found.url for found in addresses(text) if found.clear]


EVERYWHERE: list[dict[str, Any]] = [
    {
        "type": "template",
        "altText": SHOP,
        "template": {
            "type": "buttons",
            "thumbnailImageUrl": "https://img.shop.example/a.jpg",
            "text": SHOP,
            "defaultAction": uri(),
            "actions": [uri(), {"type": "message", "label": "文", "text": SHOP}],
        },
    },
    {
        "type": "template",
        "altText": "商品",
        "template": {
            "type": "carousel",
            "columns": [{"text": "茶", "defaultAction": uri(), "actions": [uri()]} for _ in range(2)],
        },
    },
    {
        "type": "imagemap",
        "baseUrl": "https://img.shop.example/map",
        "altText": "地図",
        "baseSize": {"width": 1040, "height": 1040},
        "video": {
            "originalContentUrl": "https://img.shop.example/a.mp4",
            "previewImageUrl": "https://img.shop.example/a.jpg",
            "area": {"x": 0, "y": 0, "width": 10, "height": 10},
            "externalLink": {"linkUri": SHOP, "label": "もっと"},
        },
        "actions": [{"type": "uri", "linkUri": SHOP, "area": {"x": 0, "y": 0, "width": 10, "height": 10}}],
    },
    {
        "type": "flex",
        "altText": "新着",
        "contents": {
            "type": "bubble",
            "hero": {"type": "image", "url": "https://img.shop.example/a.jpg", "action": uri()},
            "body": {
                "type": "box",
                "layout": "vertical",
                "contents": [
                    {"type": "text", "text": SHOP},
                    {"type": "button", "action": {**uri(), "altUri": {"desktop": SHOP}}},
                ],
            },
        },
    },
    {
        "type": "image",
        "originalContentUrl": "https://img.shop.example/a.jpg",
        "previewImageUrl": "https://img.shop.example/b.jpg",
        "quickReply": {"items": [{"type": "action", "imageUrl": "https://img.shop.example/c.png", "action": uri()}]},
    },
    {"type": "textV2", "text": f"{{who}}さん {SHOP} です", "substitution": {"who": {"type": "emoji"}}},
]


@pytest.mark.parametrize(("message", "links"), list(zip(EVERYWHERE, [2, 4, 2, 3, 1, 1], strict=True)))
def test_every_link_of_every_kind_of_message_is_found(message: dict[str, Any], links: int) -> None:
    """Actions wherever they stand, an imagemap's areas and its video's link; no image, no label, no text of a Flex."""
    assert links_in([message]) == [SHOP] * links
    [new] = rewrite([message], numbered())
    told = json.dumps(new, ensure_ascii=False)
    for number in range(links):
        assert told.count(f'"{GO}{number + 1}"') + told.count(f" {GO}{number + 1} ") == 1
    for number in reversed(range(links)):
        told = told.replace(f"{GO}{number + 1}", SHOP)
    assert json.loads(told) == message


@pytest.mark.parametrize("message", EVERYWHERE[:5])
def test_line_takes_what_comes_out(message: dict[str, Any]) -> None:
    """By LINE's limits and line-bot-sdk's models, as it took what went in."""
    assert messages_problems(json.dumps([message]).encode()) == ()
    new = rewrite([message], lambda _: f"https://go.example/{'x' * 900}/r/{'a' * 22}")
    assert messages_problems(json.dumps(new).encode()) == ()


def test_a_message_without_links_is_the_same_object() -> None:
    """Nothing is copied that does not change; nor when every link is left alone."""
    messages = [{"type": "text", "text": "こんにちは"}, *EVERYWHERE]
    assert all(new is old for new, old in zip(rewrite(messages, lambda _: None), messages, strict=True))


def test_emoji_stay_where_they_are() -> None:
    """LINE finds them by their place in UTF-16 units, and the address before them has become longer or shorter."""
    text = f"{'😀' * 40}$ {SHOP} $ {SHOP}。$"
    places = [index for index, letter in enumerate(utf16(text)) if letter == "$"]
    emojis = [{"index": index, "productId": "p", "emojiId": "1"} for index in places]
    told = {"type": "text", "text": text, "emojis": emojis}
    for new in ("https://go.example/r/" + "a" * 22, "https://a.jp"):
        [message] = rewrite([told], dict.fromkeys(links_in([told]), new).get)
        assert isinstance(message, dict)
        units = utf16(str(message["text"]))
        assert [units[emoji["index"]] for emoji in message["emojis"]] == ["$"] * 3
        assert [emoji["productId"] for emoji in message["emojis"]] == ["p"] * 3


def utf16(text: str) -> list[str]:
    """A text's UTF-16 units, as far as they are characters."""
    raw = text.encode("utf-16-le")
    return [raw[at : at + 2].decode("utf-16-le", "replace") for at in range(0, len(raw), 2)]


def test_an_emoji_that_touches_an_address_leaves_it_alone() -> None:
    """Its `$` could be the address' own."""
    message = {"type": "text", "text": f"{SHOP}$", "emojis": [{"index": len(SHOP), "productId": "p", "emojiId": "1"}]}
    assert rewrite([message], numbered()) == [message]
    assert text_of(f"{SHOP}$") == f"{GO}1"


def test_no_message_becomes_too_long_by_its_links() -> None:
    """LINE would refuse it: rather no click is counted."""
    room = LONGEST_TEXT - len(GO) - 1
    fits = {"type": "text", "text": "あ" * room + "\nhttps://a.jp"}
    full = {"type": "text", "text": "あ" * (room + 1) + "\nhttps://a.jp"}
    assert len(str(full["text"])) < LONGEST_TEXT
    assert rewrite([fits, full], lambda _: GO) == [{**fits, "text": "あ" * room + f"\n{GO}"}, full]
    button = {"type": "button", "action": uri("https://a.jp")}

    def flex(*bodies: list[Any]) -> dict[str, Any]:
        bubbles = [
            {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": body}} for body in bodies
        ]
        contents = bubbles[0] if len(bubbles) == 1 else {"type": "carousel", "contents": bubbles}
        return {"type": "flex", "altText": "a", "contents": contents}

    filler = {"type": "text", "text": "x" * (LARGEST_BUBBLE - 250)}
    assert rewrite([flex([filler, button])], lambda _: GO) != [flex([filler, button])]
    for large in (flex([filler, button, {"type": "text", "text": "y" * 60}]), flex([filler], [filler, button])):
        assert rewrite([large], lambda _: GO) == [large]
