"""A message as it is read in a terminal."""

from todoke_local.messages.view import lines_of

URI = {"type": "uri", "label": "見る", "uri": "https://shop.example/"}


def bubble(*contents: object) -> dict[str, object]:
    return {"type": "bubble", "body": {"type": "box", "contents": list(contents)}}


def test_a_message_is_read_from_above_to_below() -> None:
    """Texts in their order, buttons with where they lead, bubbles and columns apart, quick replies last."""
    carousel = {
        "type": "carousel",
        "contents": [bubble({"type": "text", "text": "煎茶\n980円"}), bubble({"type": "button", "action": URI})],
    }
    columns = [
        {"title": "煎茶", "text": "980円", "actions": [URI]},
        {"text": "番茶", "actions": [{"type": "postback", "label": "買う", "data": "b"}]},
    ]
    quick = {
        "items": [{"action": {"type": "message", "label": "はい", "text": "はい!"}}, {"action": {"type": "camera"}}]
    }
    messages = [
        {"type": "text", "text": "こんにちは\nお元気ですか", "quickReply": quick},
        {"type": "textV2", "text": "{smile}"},
        {"type": "flex", "altText": "おすすめ", "contents": carousel},
        {"type": "template", "altText": "商品", "template": {"type": "carousel", "columns": columns}},
        {"type": "location", "title": "京都店", "address": "下京区"},
        {"type": "sticker", "packageId": "446", "stickerId": "1988"},
        {"type": "image", "originalContentUrl": "https://shop.example/a.jpg"},
        {"type": "imagemap", "altText": "地図", "baseUrl": "https://shop.example/m"},
        {"type": "coupon", "couponId": "1"},
    ]
    assert list(lines_of(messages)) == [
        "こんにちは",
        "お元気ですか",
        "[はい] [camera]",
        "{smile}",
        "(flex) おすすめ",
        "  煎茶",
        "  980円",
        "  --",
        "  [見る → https://shop.example/]",
        "(template) 商品",
        "  煎茶",
        "  980円",
        "  [見る → https://shop.example/]",
        "  --",
        "  番茶",
        "  [買う → b]",
        "(location) 京都店, 下京区",
        "(sticker) 446/1988",
        "(image) https://shop.example/a.jpg",
        "(imagemap) 地図",
        "(coupon)",
    ]
