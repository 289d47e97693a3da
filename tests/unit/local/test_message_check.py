"""`todoke campaigns check` of messages: tried for somebody with long values and for somebody hardly known."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.broadcasts import LONG_AGO, knows
from tests.unit.scheduler.campaigns import run
from todoke_local.campaign_check import check_campaigns
from todoke_local.cli import app
from todoke_local.messages.checking import message_remarks
from todoke_local.messages.samples import LONG_PRODUCT
from todoke_local.messages.vocabulary import NEVER_TOLD, vocabulary
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import VARIABLES, variables
from todoke_shared.campaigns.model import Campaign
from todoke_shared.mistakes import FileMistakesError

CARE = """campaign: care
class: marketing
enter: {enter}
steps: {steps}
messages:
  hello:
{message}
"""
ORDER = "{on: order.placed}"
CART = "{on: cart.changed, when: {cart.items: {at_least: 1}}}"


def indented(message: str) -> str:
    return "\n".join(f"    {line}" for line in message.strip("\n").splitlines())


def file_of(tmp_path: Path, message: str, enter: str = ORDER, steps: str = "[send: hello]") -> Path:
    """A campaign of this one message, which begins in the file's line 7."""
    file = tmp_path / "care.yaml"
    text = CARE.replace("{enter}", enter).replace("{steps}", steps).replace("{message}", indented(message))
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(tmp_path: Path, message: str, enter: str = ORDER, steps: str = "[send: hello]") -> list[str]:
    """Every mistake, as `line: where: what`."""
    with pytest.raises(FileMistakesError) as error:
        check_campaigns(file_of(tmp_path, message, enter, steps))
    return [f"{one.line}: {one.where.removeprefix('messages.hello')}: {one.what}" for one in error.value.mistakes]


def remarks(tmp_path: Path, message: str, enter: str = ORDER, steps: str = "[send: hello]") -> list[str]:
    """What is said of a campaign that is right."""
    [campaign] = check_campaigns(file_of(tmp_path, message, enter, steps))
    return list(message_remarks(campaign))


CAROUSEL = """
- type: template
  altText: カート
  template:
    type: carousel
    columns:
      - for: item
        in: cart
        most: MOST
        each:
          text: NAME
          actions:
            - {type: uri, label: 見る, uri: https://shop.example/cart}
"""


def test_what_is_too_long_with_a_long_value_is_found_at_its_line(tmp_path: Path) -> None:
    """A product of 78 characters does not fit into a column, whose text is two lines further down than its `for`."""
    [what] = mistakes(
        tmp_path, CAROUSEL.replace("MOST", "10").replace("NAME", '"{{ item.name }}{{ item.name }}"'), CART
    )
    assert what == (
        "16: [0].template.columns[0].each.text: LINE refuses text where values are long: "
        "Length must be between 1 and 120; cut the value: `| short(120)`"
    )
    good = CAROUSEL.replace("MOST", "10").replace("NAME", '"{{ item.name | short(120) }}"')
    assert remarks(tmp_path, good, CART) == []


def test_more_than_line_takes_is_found_though_the_file_shows_one(tmp_path: Path) -> None:
    """Of a cart of twenty; and none, where nothing says that the cart holds anything."""
    template = CAROUSEL.replace("NAME", '"{{ item.name | short(60) }}"')
    [what] = mistakes(tmp_path, template.replace("MOST", "11"), CART)
    assert what == (
        "11: [0].template.columns: LINE refuses columns where values are long: Size must be between 1 and 10; "
        "let `most` hold it"
    )
    [what] = mistakes(tmp_path, template.replace("MOST", "10"), "{on: cart.changed}")
    assert what == (
        "11: [0].template.columns: LINE refuses columns where little is known: Size must be between 1 and 10; "
        "put an `if:` around what may be empty, or ask for it in `when`"
    )


FLEX = """
- type: flex
  altText: カート
  contents:
    type: carousel
    contents:
      - for: item
        in: cart
        most: 13
        each:
          type: bubble
          body: {type: box, layout: vertical, contents: [{type: text, text: "{{ item.name }}"}]}
"""


def test_bubbles_are_counted_and_weighed_when_they_are_full(tmp_path: Path) -> None:
    """13 of them; 12 that weigh more than 50 KB together; one that weighs more than 30 KB."""
    assert mistakes(tmp_path, FLEX, CART) == [
        "11: [0].contents.contents: LINE refuses contents where values are long: Size must be between 1 and 12; "
        "let `most` hold it"
    ]
    heavy = FLEX.replace("most: 13", "most: 12").replace("{{ item.name }}", "{{ item.name }}" * 30)
    [what] = mistakes(tmp_path, heavy, CART)
    assert what == "9: [0].contents: LINE refuses contents where values are long: Must be at most 50 KB of JSON"
    one = FLEX.replace("most: 13", "most: 1").replace("{{ item.name }}", "{{ item.name }}" * 200)
    found = mistakes(tmp_path, one, CART)
    assert [what[:38] for what in found if "30 KB" in what] == ["15: [0].contents.contents[0].each: LIN"]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ('- {type: text, text: \'{{ cart | map(attribute="name") | join("、") }}' + "あ" * 4000 + "'}", "1 and 5000"),
        (
            FLEX.replace("altText: カート", "altText: '" + "{{ event.name }}" * 50 + "'").replace(
                "most: 13", "most: 1"
            ),
            "1 and 1500",
        ),
        ("- {type: text, text: a, sender: {name: '{{ person.name }}'}}", "1 and 20; cut the value: `| short(20)`"),
        (
            "- type: textV2\n  text: a\n  substitution:\n"
            + "".join(f"    e{n}: {{type: emoji, productId: a, emojiId: b}}\n" for n in range(101)),
            "Size must be between 0 and 100",
        ),
        (
            "- type: text\n  text: a\n  emojis:\n"
            + "".join(f"    - {{index: {n}, productId: a, emojiId: b}}\n" for n in range(21)),
            "Size must be between 0 and 20",
        ),
        (
            "- type: text\n  text: a\n  quickReply:\n    items:\n      - for: i\n        in: cart\n        most: 14\n"
            "        each: {type: action, action: {type: message, label: a, text: a}}",
            "Size must be between 1 and 13",
        ),
        (
            "- type: text\n  text: a\n  quickReply:\n    items:\n      - type: action\n        action:\n"
            "          {type: postback, label: a, data: '{{ event.note }}{{ event.note }}" + "あ" * 260 + "'}",
            "1 and 300",
        ),
        (
            "- type: text\n  text: a\n  quickReply:\n    items:\n      - type: action\n        action:\n"
            "          {type: uri, label: a, uri: 'https://shop.example/{{ person.name * 1 }}'}",
            "cannot be filled in: the template reaches for what the sandbox forbids",
        ),
        (
            "- type: text\n  text: a\n  quickReply:\n    items:\n      - type: action\n        action:\n"
            "          {type: uri, label: a, uri: 'https://shop.example/{{ event.note }}" + "a" * 970 + "'}",
            "1 and 1000",
        ),
        ("- {if: event.nothing, then: {type: text, text: a}}", "comes to 0 message objects; LINE takes 1 to 5"),
        ("- {for: i, in: cart, most: 6, each: {type: text, text: a}}", "comes to 6 message objects"),
        ("- {type: location, title: a, address: b, latitude: '{{ event.latitude }}', longitude: 1}", "latitude"),
        ("- {type: text, text: '{{ today | yen }}'}", "cannot be filled in: yen needs a number"),
        ("- {type: text, text: '{{ cart }}'}", "a list or an object has no text"),
        ("- {type: text, text: '{{ \"\\ud83d\" }}'}", "a character that there is not"),
    ],
)
def test_every_limit_is_held_once_the_values_are_in(tmp_path: Path, message: str, says: str) -> None:
    """Texts, altTexts, names, substitutions, emoji, quick replies, postbacks, addresses, the number of objects."""
    found = mistakes(tmp_path, message, CART)
    assert any(says in what for what in found), found


def test_a_body_of_more_than_two_megabytes_is_refused(tmp_path: Path) -> None:
    """Even where no other limit says so."""
    message = "- {type: sticker, packageId: '1', stickerId: '" + "1" * (2 * 1024 * 1024) + "'}"
    assert any("LINE takes at most 2,097,152" in what for what in mistakes(tmp_path, message))


@pytest.mark.parametrize(
    ("text", "enter", "says"),
    [
        ("{{ persn.name }}", ORDER, "there is no variable `persn`; a template may read answers, cart, coupon, event, "
         "person, products, today; did you mean `person`?"),
        ("{{ event.amount }}", "{date: birthday, at: '10:00'}", "nobody's event starts this campaign, a date does"),
        ("{{ coupon.code }}", ORDER, "no step assigns one"),
        ("{{ cart[0].nam }}", ORDER, "`cart[].nam` is never there; here may stand name, price, product_id, quantity; "
         "did you mean `cart[].name`?"),
        ("{% for i in cart %}{{ i.nam }}{% endfor %}", ORDER, "`cart[].nam` is never there"),
        ("{% set c = cart %}{{ c[0].nam }}", ORDER, "`cart[].nam` is never there"),
        ("{{ cart | map(attribute='nam') | join }}", ORDER, "`cart[].nam` is never there"),
        ("{{ (cart | first).nam }}", ORDER, "`cart[].nam` is never there"),
        ("{{ cart.items[0] }}", ORDER, "'list object' has no attribute 'items'"),
        ("{{ person.email }}", ORDER, "`person.email` is told to no message"),
        ("{{ event.message.text }}", "{on: line.message}", "`event.message.text` is never there; here may stand type"),
        ("{{ event.segmnt }}", "{on: segment.entered, segment: vip}", "did you mean `event.segment`?"),
        ("{{ event.amount | yem }}", ORDER, "No filter named 'yem'.; did you mean `yen`?"),
        ("{{ event.amount ", ORDER, "template, line 1"),
    ],
)  # fmt: skip
def test_what_can_be_there_for_nobody_is_a_mistake(tmp_path: Path, text: str, enter: str, says: str) -> None:
    """With the nearest name that there is, at the text's own line."""
    file = file_of(tmp_path, f"- type: text\n  text: >-\n    {text}", enter)
    with pytest.raises(FileMistakesError) as error:
        check_campaigns(file, {"vip"})
    assert any(says in one.what for one in error.value.mistakes), str(error.value)
    assert {one.line for one in error.value.mistakes} <= {7, 8}


@pytest.mark.parametrize(
    ("part", "where", "says"),
    [
        ("{for: item, in: cart, each: {type: text, text: a}}", "[0].hero", "write it as an element"),
        ("{if: {points: 1}, then: {type: text, text: a}}", "[0].hero.if", "conditions about people stand in `steps`"),
        ("{if: 'event.[', then: {type: text, text: a}}", "[0].hero.if", "template, line 1"),
        ("{if: event.amount, than: {type: text, text: a}}", "[0].hero.than", "`than` does not belong here"),
    ],
)
def test_a_part_that_cannot_be_read_is_told_with_its_key(tmp_path: Path, part: str, where: str, says: str) -> None:
    """What stands there, and what to write instead."""
    [told] = mistakes(tmp_path, f"- type: flex\n  altText: a\n  hero: {part}")
    assert says in told
    assert told.startswith(f"9: {where}: ")


def test_an_item_may_not_be_called_as_a_variable_is(tmp_path: Path) -> None:
    """Or nobody would know which is meant."""
    [told] = mistakes(tmp_path, "- {for: event, in: cart, most: 2, each: {type: text, text: a}}")
    assert told.startswith("7: [0].for: `event` is a variable already; write another name")


def test_a_substitution_is_told_from_a_variable(tmp_path: Path) -> None:
    """One brace is LINE's, two are ours; and what a text names in braces must be there."""
    message = "- type: textV2\n  text: 'A'\n  substitution: {smile: {type: emoji, productId: a, emojiId: b}}"
    assert remarks(tmp_path, message.replace("A", "{smile}")) == []
    [told] = mistakes(tmp_path, message.replace("A", "{{ smile }}"))
    assert told == "8: [0].text: `smile` is a substitution of LINE's: write it with one brace, `{smile}`"
    [told] = mistakes(tmp_path, message.replace("A", "{smlie}"))
    assert told == "8: [0].text: LINE refuses text: `{smlie}` is no key of `substitution`; did you mean `smile`?"


def test_what_not_everybody_has_is_said_once(tmp_path: Path) -> None:
    """Who gets nothing for lack of it, and what to write; what has a default, or is asked for, needs no word."""
    message = (
        "- {type: text, text: '{{ person.name }}{{ person.city | default(\"\", true) }}'}\n"
        "- {type: text, text: '{{ person.name }}'}"
    )
    [said] = remarks(tmp_path, message)
    assert said == (
        "`hello` reads `person.name`, which not everybody has: who has none does not get it; "
        "write `{{ person.name | default('…') }}`, or ask for it in `when` or `if`"
    )
    known = "{profile.name: {known: true}}"
    assert remarks(tmp_path, message, f"{{on: order.placed, when: {known}}}") == []
    assert remarks(tmp_path, message, steps=f"[{{send: hello, if: {known}}}]") == []
    assert remarks(tmp_path, message, steps=f"[{{if: {known}, then: [send: hello], else: [stop: true]}}]") == []
    assert remarks(tmp_path, message, steps=f"[{{send: hello, if: {known}}}, send: hello]") == [said]
    assert remarks(tmp_path, message, steps=f"[{{if: {known}, then: [stop: true], else: [send: hello]}}]") == [said]
    either = "{on: order.placed, when: {any: [profile.name: {known: true}, points: {at_least: 1}]}}"
    assert remarks(tmp_path, message, either) == [said]


def test_an_unknown_field_of_an_event_is_no_mistake_but_worth_a_word(tmp_path: Path) -> None:
    """Shops send more than the vocabulary has; a name that is nearly one of it was probably meant to be it."""
    said = remarks(tmp_path, "- {type: text, text: '{{ event.amuont | yen }} {{ event.wrapping | default(\"-\") }}'}")
    assert said == [
        "`hello` reads `event.amuont`, which not everybody has: who has none does not get it; "
        "write `{{ event.amuont | default('…') }}`, or ask for it in `when` or `if`",
        "`hello` reads `event.amuont`, of which nothing is known here; did you mean `event.amount`?",
    ]


def test_values_are_made_up_by_how_they_are_used(tmp_path: Path) -> None:
    """A shop's own event, with lists, dates, numbers and addresses that no vocabulary has."""
    message = """
- type: template
  altText: "{{ event.at | jptime }} {{ event.total | yen }} {{ event.rate * 100 }}%{% if event.level > 3 %}!{% endif %}"
  template:
    type: carousel
    columns:
      - for: piece
        in: event.pieces
        most: 10
        each:
          text: "{{ piece.label | short(60) }} {{ piece.until | jpday }}"
          actions: [{type: uri, label: 見る, uri: "{{ piece.link }}"}]
"""
    enter = "{on: custom.things, when: {event.pieces: {known: true}}}"
    assert mistakes(tmp_path, message, enter) == [
        "11: [0].template.columns: LINE refuses columns where little is known: Size must be between 1 and 10; "
        "put an `if:` around what may be empty, or ask for it in `when`"
    ]


def test_a_questions_buttons_count(tmp_path: Path) -> None:
    """They stand beside those that the message has of its own, which a loop may make."""
    message = (
        "- type: text\n  text: a\n  quickReply:\n    items:\n      - for: item\n        in: cart\n        most: 12\n"
        "        each: {type: action, action: {type: message, label: a, text: a}}"
    )
    [told] = mistakes(tmp_path, message, CART, "[{ask: q, message: hello, answers: [はい, いいえ]}]")
    assert "LINE refuses items where values are long: Size must be between 1 and 13" in told


def test_what_templates_may_say_is_what_the_scheduler_tells() -> None:
    """The vocabulary of the check has the variables, the person's and the cart's fields that a run is given."""
    campaign = Campaign.model_validate(
        {
            "campaign": "care",
            "class": "marketing",
            "enter": {"on": "cart.changed"},
            "steps": [{"coupon": "spring"}, {"ask": "skin", "message": "hello", "answers": ["dry"]}],
            "messages": {"hello": [{"type": "text", "text": "a"}]},
        }
    )
    known = vocabulary(campaign)
    assert known.keys() == VARIABLES
    secret = dict.fromkeys(NEVER_TOLD, "secret")
    state = knows(None, name="花", birthday="1990-11-21", **secret)
    cart = [{"product_id": "a", "name": "a", "quantity": 1, "price": 1}]
    told = variables(run(), PersonNow(state=state, facts={"cart": cart}), VARIABLES, LONG_AGO)
    assert told["person"].keys() <= known["person"].fields.keys()
    assert known["cart"].item is not None
    assert told["cart"][0].keys() == known["cart"].item.fields.keys()
    assert told["coupon"].keys() == known["coupon"].fields.keys()


def test_the_long_product_is_as_long_as_it_says() -> None:
    """78 characters, one of which LINE counts twice."""
    assert len(LONG_PRODUCT) == 78
    assert len(LONG_PRODUCT.encode("utf-16-le")) // 2 == 79


def test_the_command_says_what_not_everybody_has(tmp_path: Path) -> None:
    """Beside what the campaign comes to."""
    file = file_of(tmp_path, "- {type: text, text: '{{ person.name }}'}")
    output = CliRunner().invoke(app, ["campaigns", "check", str(file)], catch_exceptions=False).output
    assert re.search(r"^care: `hello` reads `person.name`, which not everybody has", output, re.MULTILINE)
    assert output.endswith("1 campaign, no mistakes.\n")
