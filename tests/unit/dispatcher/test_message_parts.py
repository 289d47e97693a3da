"""`for` and `if` in a message: there once, many times, or not at all."""

from typing import Any

import pytest

from todoke_dispatcher.domain.rendering import RenderError, Trace, render, variables_of

CART = [{"name": "煎茶", "price": 980}, {"name": "番茶", "price": None}, {"name": "玉露", "price": 3980}]


def contents(*parts: object, **variables: object) -> list[Any]:
    """What a list comes to."""
    [message] = render([{"type": "any", "list": list(parts)}], variables)
    assert isinstance(message, dict)
    return list(message["list"])


def loop(each: object, most: int = 10, over: str = "cart") -> dict[str, object]:
    return {"for": "item", "in": over, "most": most, "each": each}


def test_each_item_has_its_own() -> None:
    """Between what stands before and after it, in the list's own order; several elements an item, too."""
    found = contents({"a": "first"}, loop([{"a": "{{ item.name }}"}, "-"]), {"a": "last"}, cart=CART)
    assert found == [{"a": "first"}, {"a": "煎茶"}, "-", {"a": "番茶"}, "-", {"a": "玉露"}, "-", {"a": "last"}]
    assert contents(loop({"a": "{{ item }}"}), cart=[]) == []


def test_the_place_in_the_loop_is_known() -> None:
    """As in Jinja2; `length` is of what is shown."""
    part = loop(
        "{{ loop.index }}/{{ loop.length }}{% if loop.first %} first{% endif %}{% if loop.last %} last{% endif %}", 2
    )
    assert contents(part, cart=CART) == ["1/2 first", "2/2 last"]


def test_loops_nest_and_see_what_is_around_them() -> None:
    """An inner item beside the outer one."""
    inner = {"for": "size", "in": "item.sizes", "most": 3, "each": "{{ shop }} {{ item.name }} {{ size }}"}
    found = contents(
        loop([inner]), cart=[{"name": "煎茶", "sizes": ["S", "L"]}, {"name": "番茶", "sizes": []}], shop="京"
    )
    assert found == ["京 煎茶 S", "京 煎茶 L"]


def test_a_name_set_in_one_text_is_not_there_in_the_next() -> None:
    """`set` is a text's own."""
    with pytest.raises(RenderError, match="'x' is undefined"):
        contents("{% set x = 1 %}{{ x }}", "{{ x }}")
    with pytest.raises(RenderError, match="'item' is undefined"):
        contents(loop("{{ item.name }}"), "{{ item.name }}", cart=CART)


def test_a_choice_is_there_or_not() -> None:
    """In a list an element or several; at a key the value, or no key at all."""
    more = {"if": "cart | length > 2", "then": {"a": "more"}, "else": [{"a": "few"}, {"a": "so few"}]}
    assert contents(more, cart=CART) == [{"a": "more"}]
    assert contents(more, cart=CART[:1]) == [{"a": "few"}, {"a": "so few"}]
    assert contents({"if": "false", "then": "x"}) == []
    hero = {"type": "bubble", "hero": {"if": "event.image", "then": {"url": "{{ event.image }}"}}, "z": "{{ 1 }}"}
    assert render([hero], {"event": {"image": "https://a"}}) == [
        {"type": "bubble", "hero": {"url": "https://a"}, "z": "1"}
    ]
    assert render([hero], {"event": {}}) == [{"type": "bubble", "z": "1"}]


@pytest.mark.parametrize("test", ["event.image", "event.a.b", "event.amount > 3", "nothing", "event.null", "not event"])
def test_what_is_missing_does_not_hold(test: str) -> None:
    """In an `if`, and there alone."""
    assert contents({"if": test, "then": "x", "else": "y"}, event={"null": None, "b": 1}) == ["y"]


def test_message_objects_may_be_parts_too() -> None:
    """Of one to five; a message that comes to none is not sent."""
    template = [{"if": "coupon", "then": {"type": "text", "text": "{{ coupon }}"}}]
    assert render(template, {"coupon": "A"}) == [{"type": "text", "text": "A"}]
    with pytest.raises(RenderError, match="comes to 0 message objects; LINE takes 1 to 5"):
        render(template, {})
    with pytest.raises(RenderError, match="comes to 6"):
        render([loop({"type": "text", "text": "a"})], {"cart": list(range(6))})


def test_a_null_is_missing() -> None:
    """Nobody reads "None"; `default` mends it as it mends what is not there."""
    with pytest.raises(RenderError, match=r"`item\.price` is missing"):
        contents(loop("{{ item.price }}"), cart=CART)
    assert contents(loop("{{ item.price | default('時価') }}"), cart=CART) == ["980", "時価", "3980"]
    with pytest.raises(RenderError, match="no attribute 'price'"):
        contents("{{ cart[1]['price'] }}", cart=CART)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (loop("a", over="person"), r"messages\[0\].list\[0\].in: `person` is no list"),
        (loop("a", over="'abc'"), "is no list"),
        (loop("a", over="5"), "is no list"),
        (loop("a", over="nothing"), r"list\[0\].in: 'nothing' is undefined"),
        (loop("a", over="x["), r"list\[0\].in: line 1"),
        (loop("{{ item.nam }}"), r"list\[0\].each: `item.nam` is missing"),
        ({"if": "1 / 0", "then": "a"}, r"list\[0\].if: ZeroDivisionError"),
        ({"if": "(", "then": "a"}, r"list\[0\].if: line 1"),
        ({"for": "item"}, r"list\[0\].in: which list\?"),
        ({"for": "item", "in": "cart", "most": 0, "each": "a"}, r"list\[0\].most: say how many"),
        ({"for": "item", "in": "cart", "most": True, "each": "a"}, "say how many"),
        ({"for": "item", "in": "cart", "most": 101, "each": "a"}, "1 to 100"),
        ({"for": "an item", "in": "cart", "most": 1, "each": "a"}, "write a name"),
        ({"for": "loop", "in": "cart", "most": 1, "each": "a"}, "write a name"),
        ({"for": "item", "in": "cart", "most": 1}, "Add `each"),
        ({"for": "item", "in": "cart", "most": 1, "each": "a", "then": "b"}, "`then` does not belong here"),
        ({"if": {"points": 1}, "then": "a"}, "conditions about people stand in `steps`"),
        ({"if": "true"}, "Add `then"),
    ],
)
def test_what_cannot_be_read_fails_with_its_place(part: dict[str, object], says: str) -> None:
    """The same words that an author is told before it is published."""
    with pytest.raises(RenderError, match=says):
        contents(part, cart=CART, person={"name": "山田"})


def test_a_loop_is_no_value() -> None:
    """It makes several: where one thing stands it is refused."""
    with pytest.raises(RenderError, match="as an element of a list"):
        render([{"type": "any", "hero": loop("a")}], {"cart": CART})


def test_what_parts_read_is_read() -> None:
    """So that two people are only taken for alike who are."""
    template = [{"a": [loop("{{ item.x }}{{ shop }}")], "b": {"if": "vip", "then": "{{ name }}"}}]
    assert variables_of(template) >= {"cart", "shop", "vip", "name"}


def test_a_trace_tells_all_that_fails_and_where_all_came_from() -> None:
    """Of elements behind a loop, too, whose place in what LINE gets is another."""
    trace = Trace()
    template = [{"type": "t", "list": [loop({"a": "{{ item.name }}"}), {"b": "constant"}, {"c": "{{ gone }}{{ x }}"}]}]
    [filled] = render(template, {"cart": CART}, trace=trace)
    assert isinstance(filled, dict)
    assert [trace.places[id(one)] for one in filled["list"]] == [
        *[(0, "list", 0, "each")] * 3,
        (0, "list", 1),
        (0, "list", 2),
    ]
    assert [error.place for error in trace.errors] == [(0, "list", 2, "c")]
