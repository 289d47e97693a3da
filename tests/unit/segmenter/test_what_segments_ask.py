"""Segment delivery: whatever a marketer may ask for can be told by a shop, and asked about."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.segmenter.happenings import START, shop
from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import fold_all
from todoke_shared.conditions import parse_condition
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import holds

NOW = START + timedelta(hours=1)


def told(**data: Any) -> Happening:
    """What a shop tells of a customer."""
    return shop("customer.updated", 1, data)


def bought(seconds: float, product: str, amount: int) -> Happening:
    """An order of one product."""
    return shop(
        "order.placed",
        seconds,
        {"order_id": f"o{seconds}", "amount": amount, "items": [{"product_id": product}]},
    )


@pytest.mark.parametrize(
    ("told_of", "asked"),
    [
        ([told(gender="female")], {"gender": "female"}),
        ([told(birthday="1990-02-20")], {"age": {"at_least": 30, "less_than": 40}}),
        ([told(birthday="1990-02-20")], {"birthday": {"month": "this"}}),
        ([told(prefecture="大阪")], {"prefecture": "大阪府", "region": "関西"}),
        ([told(city="京都市")], {"city": "京都市"}),
        ([told(interests=["tea", "coffee"])], {"interests": {"has": "tea"}}),
        ([told(worries=["乾燥"])], {"worries": {"has_any": ["乾燥", "くすみ"]}}),
        ([told(job="nurse")], {"job": {"one_of": ["nurse", "teacher"]}}),
        ([shop("store.visited", 1, {"store_id": "kyoto"})], {"visited_store": {"store": "kyoto", "at_least": 1}}),
        ([bought(1, "tea", 1980)], {"bought": {"product": "tea", "at_least": 1}}),
        ([bought(1, "tea", 1), bought(2, "tea", 1)], {"orders": {"at_least": 2, "within": "30d"}}),
        ([bought(1, "tea", 1980), bought(2, "cup", 3020)], {"amount": {"at_least": 5000}}),
        ([bought(1, "tea", 1980)], {"last_order": {"within": "2h"}}),
        ([shop("page.viewed", 1)], {"visits": {"at_least": 1, "within": "7d"}}),
        ([shop("custom.link.clicked", 1, {"url": "https://shop.example/"})], {"clicks": {"at_least": 1}}),
        ([told(tags=["vip"])], {"tags": {"has": "vip"}}),
        ([told(tier="gold")], {"tier": {"one_of": ["gold", "platinum"]}}),
    ],
)
def test_each_can_be_told_and_asked(told_of: list[Happening], asked: dict[str, Any]) -> None:
    """Of whoever it is told it holds, alone and with others; of a stranger it does not, and `not` turns it about."""
    person = fold_all(told_of)
    for written, answer in ((asked, True), ({"not": asked}, False), ({"any": [asked, {"gender": "other"}]}, True)):
        assert holds(parse_condition(written), person, NOW, TOKYO) is answer
    assert holds(parse_condition(asked), PersonState(), NOW, TOKYO) is False
