"""Templates become the exact message, or the reason why not."""

import json
from pathlib import Path

import pytest

from todoke_dispatcher.domain.formats import jpdate, yen
from todoke_dispatcher.domain.rendering import RenderError, push_body, render
from todoke_shared.campaigns.source import load_campaigns

CAMPAIGNS = Path(__file__).parents[3] / "campaigns"
CART = [{"name": 'やかん "銀"', "product_id": "1"}, {"name": "<急須> & 湯のみ", "product_id": "2"}]


def text(template: str, **variables: object) -> object:
    """One text message, filled in."""
    [message] = render([{"type": "text", "text": template}], variables)
    assert isinstance(message, dict)
    return message["text"]


def test_values_stay_as_they_are() -> None:
    """Quotes, ampersands and angle brackets reach the customer unescaped, through JSON and back."""
    [message] = render([{"type": "text", "text": "{% for i in cart %}{{ i.name }}\n{% endfor %}"}], {"cart": CART})
    body = json.loads(push_body("U" + "0" * 32, [message]))
    assert body == {
        "to": "U" + "0" * 32,
        "messages": [{"type": "text", "text": 'やかん "銀"\n<急須> & 湯のみ\n'}],
    }


def test_every_string_value_is_a_template_and_nothing_else() -> None:
    """Also deep inside a Flex message; keys, numbers and true/false are left alone."""
    flex = {"type": "flex", "contents": {"body": [{"text": "{{ x }}", "flex": 2, "wrap": True}], "{{ x }}": None}}
    [filled] = render([flex], {"x": "値"})
    assert filled == {"type": "flex", "contents": {"body": [{"text": "値", "flex": 2, "wrap": True}], "{{ x }}": None}}


def test_a_value_is_not_a_template() -> None:
    """A customer who is called `{{ x }}` stays so."""
    assert text("{{ name }}", name="{{ x }}") == "{{ x }}"


def test_yen_has_thousands_and_no_fractions() -> None:
    """As a Japanese shop writes it."""
    assert text("{{ amount | yen }}", amount=1980) == "1,980円"
    assert [yen(0), yen("12345678"), yen(99.5), yen(-1200)] == ["0円", "12,345,678円", "100円", "-1,200円"]


def test_dates_are_tokyos() -> None:
    """An instant late in the evening in UTC is the next day in Japan; a plain date stays that date."""
    assert jpdate("2026-11-21T15:30:00Z") == "11月22日"
    assert jpdate("2026-11-21") == "11月21日"
    assert text("{{ day | jpdate }}", day="2026-02-03T00:00:00+09:00") == "2月3日"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ coupon }}", "messages[0].text: 'coupon' is undefined"),
        ("{{ event.total }}", "messages[0].text: `event.total` is missing"),
        ("{{ event.at | jptime }}", "messages[0].text: `event.at` is missing"),
        ("{{ event.on | jpdate }}", "messages[0].text: `event.on` is missing"),
        ("{{ event.sum | yen }}", "messages[0].text: `event.sum` is missing"),
        ("{{ event.name | short(5) }}", "messages[0].text: `event.name` is missing"),
        ("{{ event[secret] }}", "messages[0].text: a variable is missing"),
        ("{{ secret | yen }}", "messages[0].text: yen needs a number"),
        ("{{ secret | jpdate }}", "messages[0].text: jpdate needs a date"),
        ("{{ secret | int(base=99) + [] }}", "messages[0].text: "),
        ("{{ 1 / 0 }}", "messages[0].text: ZeroDivisionError"),
        ("{% for %}", "messages[0].text: line 1: "),
    ],
)
def test_an_error_names_the_place_and_the_variable_but_no_value(template: str, says: str) -> None:
    """Whoever wrote the campaign can mend it, and the ledger holds nothing of the customer's."""
    with pytest.raises(RenderError) as failed:
        text(template, secret="山田太郎", event={})
    assert says in str(failed.value)
    assert str(failed.value).startswith("render: ")
    assert "山田太郎" not in str(failed.value)


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ cart.append(1) }}",
        "{{ self._TemplateReference__context }}",
        "{{ range(10000000) | list }}",
        "{% include 'x' %}",
    ],
)
def test_the_sandbox_holds(template: str) -> None:
    """A campaign reaches neither Python's insides nor files, and changes nothing it is given."""
    cart: list[int] = []
    with pytest.raises(RenderError):
        text(template, x="x", cart=cart)
    assert cart == []


def test_a_body_larger_than_line_takes_fails() -> None:
    """2 MB (LINE-API.md: sending)."""
    with pytest.raises(RenderError, match="LINE takes at most"):
        push_body("U" + "0" * 32, [{"type": "text", "text": "あ" * 700_000}])


def test_the_shipped_campaigns_render() -> None:
    """Every message of every campaign that we ship, with what the scheduler gives."""
    variables = {"cart": CART, "event": {"order_id": "A-1", "amount": 1980, "items": [{"product_id": "1"}]}}
    rendered = [
        render(message, variables) for campaign in load_campaigns(CAMPAIGNS) for message in campaign.messages.values()
    ]
    assert len(rendered) >= 4
    assert any("1,980円" in str(message) for message in rendered)
    assert not any("{" in text for message in rendered for text in map(str, message[0].values()))  # type: ignore[attr-defined]
