"""Conditions: what can be written, what is told about the rest, and the laws that a condition keeps."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_shared.conditions import (
    All,
    Any_,
    Compare,
    Condition,
    ConditionError,
    Not,
    holds,
    parse_condition,
    predicate,
)
from todoke_shared.conditions.model import Operator

ATTRIBUTES = ("cart.items", "friend", "orders.ever", "event.amount", "event.order.channel")
NUMERIC = ("at_least", "at_most", "more_than", "less_than")

scalars = st.one_of(st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.sampled_from(["", "a", "ギフト"]))
numbers = st.integers(-3, 3) | st.floats(-3, 3)
comparisons = st.one_of(
    st.builds(Compare, st.sampled_from(ATTRIBUTES), st.just("is"), scalars),
    st.builds(Compare, st.sampled_from(ATTRIBUTES), st.sampled_from(NUMERIC), numbers),
    st.builds(Compare, st.sampled_from(ATTRIBUTES), st.just("one_of"), st.lists(scalars, max_size=3).map(tuple)),
    st.builds(Compare, st.sampled_from(ATTRIBUTES), st.just("known"), st.booleans()),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Any_, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
people = st.dictionaries(st.sampled_from(ATTRIBUTES), scalars | st.lists(scalars, max_size=2))


def as_written(condition: Condition) -> dict[str, Any]:
    """The condition as a marketer writes it."""
    match condition:
        case All(parts):
            return {"all": [as_written(part) for part in parts]}
        case Any_(parts):
            return {"any": [as_written(part) for part in parts]}
        case Not(part):
            return {"not": as_written(part)}
        case Compare(attribute, operator, operand):
            return {attribute: {operator: list(operand) if isinstance(operand, tuple) else operand}}
        case _:
            raise AssertionError(f"no strategy here makes a {type(condition).__name__}")


@given(st.lists(conditions, max_size=4), people)
def test_de_morgan(parts: list[Condition], person: dict[str, Any]) -> None:
    """Not all is any not; not any is all not."""
    some, every = tuple(parts), tuple(Not(part) for part in parts)
    assert holds(Not(All(some)), person.get) == holds(Any_(every), person.get)
    assert holds(Not(Any_(some)), person.get) == holds(All(every), person.get)


@given(conditions, people)
def test_not_not_is_yes(condition: Condition, person: dict[str, Any]) -> None:
    """A condition holds or does not; there is no third answer."""
    assert holds(Not(Not(condition)), person.get) == holds(condition, person.get)
    assert holds(Not(condition), person.get) is not holds(condition, person.get)


@given(comparisons)
def test_what_is_not_known_satisfies_no_comparison(comparison: Compare) -> None:
    """Of a stranger only `known: false` is true."""
    assert holds(comparison, lambda _: None) is (comparison.operator == "known" and comparison.operand is False)


@given(conditions, people)
def test_what_is_written_is_what_is_asked(condition: Condition, person: dict[str, Any]) -> None:
    """Reading the written form gives a condition of the same answer."""
    written = as_written(condition)
    try:
        read = parse_condition(written)
    except ConditionError as error:
        assert str(error) in ("`all` takes a list of conditions", "`any` takes a list of conditions")  # an empty one
    else:
        assert holds(read, person.get) == holds(condition, person.get)


@pytest.mark.parametrize(
    ("operator", "answers"),
    [
        ("at_least", [False, True, True]),
        ("at_most", [True, True, False]),
        ("more_than", [False, False, True]),
        ("less_than", [True, False, False]),
        ("is", [False, True, False]),
    ],
)
def test_operators_mean_what_they_say(operator: str, answers: list[bool]) -> None:
    """Below, at and above the value."""
    condition = parse_condition({"cart.items": {operator: 2}})
    assert [holds(condition, {"cart.items": value}.get) for value in (1, 2, 3)] == answers


@pytest.mark.parametrize("body", [1, {"one_of": [1, 0]}, {"at_least": 1}, {"at_most": 1}, {"less_than": 5}])
def test_yes_is_not_one(body: Any) -> None:
    """Python holds True == 1; nobody who writes `friend: 1` means that."""
    assert not holds(parse_condition({"friend": body}), lambda _: True)
    assert not holds(parse_condition({"cart.items": True}), lambda _: 1)


def test_several_entries_must_all_hold() -> None:
    """One mapping is one `all`, in attributes and in operators."""
    condition = parse_condition({"cart.items": {"at_least": 1, "at_most": 3}, "friend": True})
    assert holds(condition, {"cart.items": 3, "friend": True}.get)
    assert not holds(condition, {"cart.items": 4, "friend": True}.get)
    assert not holds(condition, {"cart.items": 3, "friend": False}.get)


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ({"cart.itms": 1}, ["cart.itms"], "did you mean `cart.items`?"),
        ({"all": [{"friend": True}, {"not": {"order.ever": True}}]}, ["all", 1, "not", "order.ever"], "`orders.ever`"),
        ({"al": []}, ["al"], "did you mean `all`?"),
        ({"weather": "晴れ"}, ["weather"], "unknown attribute `weather`"),
        ({"event.": 1}, ["event."], "unknown attribute"),
        ({1: 1}, [1], "unknown attribute `1`"),
        ({"cart.items": {"atleast": 1}}, ["cart.items", "atleast"], "unknown operator `atleast`; use one of is, at_"),
        ({"cart.items": {"at_least": "1"}}, ["cart.items", "at_least"], "`at_least` takes a number"),
        ({"cart.items": {"at_least": True}}, ["cart.items", "at_least"], "`at_least` takes a number"),
        ({"cart.items": {"at_least": float("nan")}}, ["cart.items", "at_least"], "a number"),
        ({"cart.items": {"known": "yes"}}, ["cart.items", "known"], "takes true or false"),
        ({"cart.items": {"one_of": "12"}}, ["cart.items", "one_of"], "takes a list"),
        ({"cart.items": {"one_of": [[1]]}}, ["cart.items", "one_of"], "plain value"),
        ({"cart.items": {}}, ["cart.items"], "say what the attribute must be"),
        ({"friend": None}, ["friend"], "write `{known: false}`"),
        ({"friend": [True]}, ["friend"], "plain value"),
        ({"any": {"friend": True}}, ["any"], "`any` takes a list of conditions"),
        ({"all": []}, ["all"], "`all` takes a list of conditions"),
        ({"not": [{"friend": True}]}, ["not"], "write a condition as a mapping"),
        ({}, [], "write a condition as a mapping"),
        ("friend", [], "write a condition as a mapping"),
    ],
)
def test_a_condition_that_cannot_be_read_says_where_and_what_to_write(
    written: Any, path: list[str | int], words: str
) -> None:
    """The path leads to the place, the text to the remedy."""
    with pytest.raises(ConditionError) as error:
        parse_condition(written)
    assert (list(error.value.path), words in str(error.value)) == (path, True), str(error.value)


def test_a_condition_deeper_than_anybody_writes_is_refused() -> None:
    """A file made to exhaust the stack gets a sentence instead."""
    written: dict[str, Any] = {"friend": True}
    for _ in range(500):
        written = {"not": written}
    with pytest.raises(ConditionError, match="nested too deeply"):
        parse_condition(written)


@given(
    st.sampled_from([*NUMERIC, "is"]), st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.integers()
)
def test_a_whole_number_is_tested_as_any_number_is(operator: Operator, operand: float, number: int) -> None:
    """The quick test for counts and sums knows fewer kinds of values, and gives no other answer."""
    for near in (number, math.floor(operand), math.ceil(operand)):
        assert predicate.number_test_of(operator, operand)(near) is predicate.test_of(operator, operand)(near)
