"""Whatever customers are called, whatever an author writes: the message is JSON, and Python stays out of reach."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from todoke_dispatcher.domain.rendering import RenderError, push_body, render

TO = "U" + "0" * 32
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        '"',
        '","type":"text',
        "}}",
        "{{ x }}",
        "{% raw %}",
        "\\",
        "\\u0022",
        "\n\r\t\x00",
        "</script>",
        "{smile}",
        "😀",
        "'",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
TEMPLATE = [
    {
        "type": "text",
        "text": "{{ name }}",
        "quickReply": {"items": [{"for": "i", "in": "names", "most": 3, "each": {"label": "{{ i }}"}}]},
    },
    {"type": "textV2", "text": "{{ name }}{smile}", "substitution": {"smile": {"type": "emoji"}}},
    {"if": "name", "then": {"type": "text", "text": "<{{ name }}>"}, "else": {"type": "text", "text": "-"}},
]


@given(TEXT, st.lists(TEXT, max_size=5))
def test_no_value_breaks_out_of_its_text(name: str, names: list[str]) -> None:
    """Through JSON and back each stands where the template put it, to the letter; nothing else is there."""
    body = json.loads(push_body(TO, render(TEMPLATE, {"name": name, "names": names})))
    braced = name.replace("{", "｛").replace("}", "｝")
    assert body == {
        "to": TO,
        "messages": [
            {"type": "text", "text": name, "quickReply": {"items": [{"label": one} for one in names[:3]]}},
            {"type": "textV2", "text": f"{braced}{{smile}}", "substitution": {"smile": {"type": "emoji"}}},
            {"type": "text", "text": f"<{name}>" if name else "-"},
        ],
    }


@given(st.dictionaries(st.sampled_from(["a", "b", "c", "items", "self", "range"]), JSON, max_size=5))
def test_whatever_the_variables_are_it_is_json_or_an_error(variables: dict[str, Any]) -> None:
    """Values of any shape, where a template expects others."""
    template: list[dict[str, Any]] = [
        {"type": "text", "text": "{{ a }} {{ b.x }} {{ items | length }}{{ c | yen }}"},
        {
            "type": "text",
            "text": "{{ a['x'] | default('') }}{% for i in items | default([], true) %}{{ i }}{% endfor %}",
        },
        {"for": "i", "in": "a", "most": 2, "each": {"type": "text", "text": "{{ i.x | default(i, true) }}"}},
    ]
    for message in template:
        try:
            filled = render([message], variables)
        except RenderError:
            continue
        assert json.loads(push_body(TO, filled))["messages"] == filled


ATTACKS = [
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ x|attr('__class__') }}",
    "{{ x|attr('__cl' ~ 'ass__') }}",
    "{{ [x]|map(attribute='__class__')|list }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ cart.__init__.__globals__ }}",
    "{{ x.format.__self__ }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '%s' % x }}",
    "{{ x | format(1) }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ caller() }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__ }}",
    "{{ joiner }}",
    "{{ namespace() }}",
    "{{ range.__class__ }}",
    "{{ cart.append(1) }}",
    "{{ cart.clear() }}",
    "{{ cart.sort() }}",
    "{{ event.update({'a': 1}) }}",
    "{{ event.items() }}",
    "{% set event.a = 1 %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% do cart.append(1) %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ '\\ud83d' }}",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("where", ["text", "for", "if"])
def test_an_attack_fails_the_message_and_changes_nothing(attack: str, where: str) -> None:
    """In a text, and where a part has an expression; no word of the error is a value."""
    expression = attack.removeprefix("{{").removesuffix("}}")
    template: dict[str, dict[str, Any]] = {
        "text": {"type": "text", "text": attack},
        "for": {"for": "i", "in": expression, "most": 1, "each": {"type": "text", "text": "{{ i }}"}},
        "if": {"if": expression, "then": {"type": "text", "text": "{{ cart.x }}"}},
    }
    cart, event = [3, 1, 2], {"secret": "山田太郎"}
    with pytest.raises(RenderError) as failed:
        push_body(TO, render([template[where]], {"x": "secret", "cart": cart, "event": event}))
    assert (cart, event) == ([3, 1, 2], {"secret": "山田太郎"})
    assert "山田太郎" not in str(failed.value)


GROWING = [
    "{{ 9 ** 9 }}",
    "{{ 'a' * 3000 }}",
    "{{ ([1] * 3000) | length }}",
    "{{ (cart * 3000) | length }}",
    "{{ range(1001) | length }}",
    "{{ range(0, -1001, -1) | length }}",
    "{{ 'a'.center(3000) }}",
    "{{ 'a'.ljust(3000) }}",
    "{{ 'a'.rjust(3000) }}",
    "{{ 'a'.zfill(3000) }}",
    "{{ '\t'.expandtabs(3000) }}",
    "{{ '%3000d' % 1 }}",
    "{{ '{:3000}'.format(1) }}",
    "{{ '{:3000}'['format'](1) }}",
    "{{ ('{:3000}' | attr('format'))(1) }}",
    "{{ '{a:3000}'.format_map({'a': 1}) }}",
    "{{ 'a' | center(3000) }}",
    "{{ 'a' | indent(3000) }}",
    "{{ '%3000d' | format(1) }}",
    "{{ cart | batch(3000, 1) | join }}",
    "{{ cart | slice(3000) | length }}",
    "{{ namespace(a='a').a }}",
    "{{ lipsum(n=1000) }}",
]


@pytest.mark.parametrize("attack", GROWING)
def test_nothing_grows_beyond_what_it_is_given(attack: str) -> None:
    """No few words of a template make a long text: with more digits it would be a dispatcher's whole memory."""
    with pytest.raises(RenderError, match=r"sandbox forbids|No filter named|is undefined"):
        render([{"type": "text", "text": attack}], {"cart": [3, 1, 2]})
    [filled] = render([{"type": "text", "text": "{{ 9 * 9 }} {{ 9 % 4 }} {{ range(3) | join }}"}], {})
    assert filled == {"type": "text", "text": "81 1 012"}


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_of_an_authors_renders_or_fails(text: str) -> None:
    """Never with anything but the error that a message is failed by."""
    try:
        push_body(TO, render([{"type": "text", "text": text}], {}))
    except RenderError as error:
        assert str(error).startswith("render: ")
