"""The whole condition language: what can be written of a person, and what is told about the rest."""

import datetime
from typing import Any

import pytest

from todoke_shared.conditions import (
    All,
    Any_,
    Compare,
    Condition,
    ConditionError,
    Count,
    InDays,
    Month,
    Not,
    Segment,
    SegmentCycleError,
    Since,
    holds,
    parse_condition,
    resolve,
    resolve_all,
)
from todoke_shared.conditions.attributes import ATTRIBUTES, OPERATORS, PREFIXES, find
from todoke_shared.conditions.regions import PREFECTURES, REGIONS, prefecture, region, spellings

DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ({"gender": "female"}, Compare("gender", "is", "female")),
        (
            {"age": {"at_least": 20, "less_than": 40}},
            All((Compare("age", "at_least", 20), Compare("age", "less_than", 40))),
        ),
        ({"birthday": {"month": "this"}}, Month("birthday", "this")),
        ({"birthday": {"month": 12}}, Month("birthday", 12)),
        ({"birthday": {"in_days": 0}}, InDays("birthday", "is", 0)),
        ({"date.ends_on": {"in_days": {"at_most": 7}}}, InDays("date.ends_on", "at_most", 7)),
        ({"prefecture": "Tokyo-to"}, Compare("prefecture", "is", "東京都")),
        (
            {"prefecture": {"one_of": ["大阪", 13, "JP-01"]}},
            Compare("prefecture", "one_of", ("大阪府", "東京都", "北海道")),
        ),
        ({"region": "Kansai"}, Compare("region", "is", "近畿")),
        ({"region": {"one_of": ["関東地方", "九州・沖縄"]}}, Compare("region", "one_of", ("関東", "九州"))),
        ({"tags": {"has_any": ["vip", "new"]}}, Compare("tags", "has_any", ("vip", "new"))),
        ({"orders": 3}, Count("orders", "is", 3)),
        ({"orders": {"within": "2w"}}, Count("orders", "at_least", 1, 14)),
        ({"amount": {"within": "90d", "at_least": 0.5}}, Count("amount", "at_least", 0.5, 90)),
        (
            {"visited_store": {"store": ["kyoto", "uji"], "within": "90d", "at_least": 2}},
            Count("visited_store", "at_least", 2, 90, ("kyoto", "uji")),
        ),
        ({"bought": {"product": "tea-1"}}, Count("bought", "at_least", 1, None, ("tea-1",))),
        (
            {"viewed": {"product": ["a", "b", "a"], "at_most": 2, "within": "400d"}},
            Count("viewed", "at_most", 2, 400, ("a", "b")),
        ),
        ({"points.expiring": {"at_least": 1, "within": "400d"}}, Count("points.expiring", "at_least", 1, 400)),
        ({"last_order": {"within": "36h"}}, Since("last_order", "within", 1.5 * DAY)),
        ({"last_seen": {"before": "30 m"}}, Since("last_seen", "before", DAY / 48)),
        ({"registered": {"known": False}}, Compare("registered", "known", False)),
        ({"tier": {"one_of": ["gold", "platinum"]}}, Compare("tier", "one_of", ("gold", "platinum"))),
        ({"consent.marketing": True}, Compare("consent.marketing", "is", True)),
        ({"answer.Q 1": {"at_least": 3}}, Compare("answer.Q 1", "at_least", 3)),
        ({"segment": "sleepers"}, Segment("sleepers")),
        ({"segment": {"one_of": ["a", "b"]}}, Any_((Segment("a"), Segment("b")))),
    ],
)
def test_what_can_be_written(written: dict[str, Any], condition: Condition) -> None:
    """The written form and the condition that it is."""
    assert parse_condition(written) == condition


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ({"gendr": "female"}, ["gendr"], "did you mean `gender`?"),
        (
            {"gender": "femal"},
            ["gender"],
            "unknown gender `femal`; use one of female, male, other; did you mean `female`?",
        ),
        ({"profil.rank": 1}, ["profil.rank"], "did you mean `profile.rank`?"),
        ({"prefecture": "東京県"}, ["prefecture"], "unknown prefecture `東京県`; did you mean `東京都`?"),
        ({"prefecture": "kanagwa"}, ["prefecture"], "did you mean `神奈川県`?"),
        ({"prefecture": "関東"}, ["prefecture"], "unknown prefecture `関東`; did you mean `region`?"),
        ({"region": "東京都"}, ["region"], "did you mean `prefecture`?"),
        ({"region": "Kantou"}, ["region"], "did you mean `関東`?"),
        ({"region": {"one_of": ["関東", "Mars"]}}, ["region", "one_of"], "use one of 北海道, 東北"),
        ({"city": 5}, ["city"], "put a number, true or false in quotes"),
        ({"city": datetime.date(2026, 1, 1)}, ["city"], "put a date in quotes"),
        ({"city": {"at_least": 5}}, ["city", "at_least"], "`city` takes no `at_least`; use one of is, one_of, known"),
        ({"age": "20"}, ["age"], "write a number here"),
        ({"age": {"within": "3d"}}, ["age", "within"], "unknown operator `within`; use one of is, at_least"),
        ({"age": {"atleast": 3}}, ["age", "atleast"], "did you mean `at_least`?"),
        ({"tags": "vip"}, ["tags"], "write `tags: {has: vip}`"),
        ({"tags": {"has": 3}}, ["tags", "has"], "write a text here"),
        ({"tags": {"has_any": []}}, ["tags", "has_any"], "at least one value"),
        ({"accepts_marketing": "yes"}, ["accepts_marketing"], "write true or false here"),
        ({"birthday": "2000-01-01"}, ["birthday"], "write `birthday: {month: this}`"),
        ({"birthday": {"month": 13}}, ["birthday", "month"], "takes 1 to 12, or `this`"),
        ({"birthday": {"month": True}}, ["birthday", "month"], "takes 1 to 12"),
        ({"birthday": {"in_days": {"within": 3}}}, ["birthday", "in_days", "within"], "use one of is, at_least"),
        ({"birthday": {"in_days": {}}}, ["birthday", "in_days"], "say how many days"),
        ({"date.ends": 3}, ["date.ends"], "write `date.ends: {in_days: {at_least: 0, at_most: 7}}`"),
        ({"orders": {"known": True}}, ["orders", "known"], "`orders` takes no `known`"),
        ({"orders": {"within": "3h"}}, ["orders", "within"], "whole days"),
        ({"orders": {"within": "401d"}}, ["orders", "within"], "over 1d to 400d"),
        ({"orders": {"within": "0d"}}, ["orders", "within"], "over 1d to 400d"),
        ({"orders": {"at_least": "2"}}, ["orders", "at_least"], "`at_least` takes a number"),
        ({"bought": "tea-1"}, ["bought"], "write `bought: {product: tea-1, at_least: 1}`"),
        ({"visited_store": "kyoto"}, ["visited_store"], "write `visited_store: {store: kyoto, at_least: 1}`"),
        ({"visited_store": {"within": "90d"}}, ["visited_store"], "say which store"),
        ({"visited_store": {"store": []}}, ["visited_store", "store"], "takes a store's id, or a list of them"),
        ({"visited_store": {"product": "x"}}, ["visited_store", "product"], "store, within"),
        ({"bought": {"at_least": 2}}, ["bought"], "say which product"),
        ({"bought": {"product": 5}}, ["bought", "product"], "write a text here"),
        ({"bought": {"product": []}}, ["bought", "product"], "or a list of them"),
        ({"last_order": "30d"}, ["last_order"], "write `last_order: {within: 30d}`"),
        ({"last_order": {"within": 30}}, ["last_order", "within"], "for example 36h, 30d or 2w"),
        ({"last_order": {"within": "30s"}}, ["last_order", "within"], "for example 36h, 30d or 2w"),
        ({"last_order": {"within": "99999999w"}}, ["last_order", "within"], "at most 36500d"),
        ({"last_order": {"before": "0m"}}, ["last_order", "before"], "at least 1m"),
        (
            {"subscription": "activ"},
            ["subscription"],
            "unknown state of a subscription `activ`; use one of active, cancelled; did you mean `active`?",
        ),
        ({"segment": "sleeper"}, ["segment"], "unknown segment `sleeper`; did you mean `sleepers`?"),
        ({"segment": "lapsed"}, ["segment"], "`lapsed`; write its file, and `todoke segments publish` it first"),
        ({"segment": {"one_of": []}}, ["segment", "one_of"], "takes a list of names"),
        ({"segment": 5}, ["segment"], "write the name of a segment"),
        ({"event.amount": 5}, ["event.amount"], "there is none here"),
        ({"gender": "女性"}, ["gender"], "unknown gender `女性`; use one of female, male, other"),
        (
            {"residence": "東京都"},
            ["residence"],
            "unknown attribute `residence`; docs/conditions.md lists all there are",
        ),
        ({"profile.": 5}, ["profile."], "unknown attribute"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_remedy(written: Any, path: list[str | int], words: str) -> None:
    """In a segment, where there is no event and the other segments are known."""
    with pytest.raises(ConditionError) as error:
        parse_condition(written, segments=["sleepers", "best"], events=False)
    assert (list(error.value.path), words in str(error.value)) == (path, True), str(error.value)


def test_all_mistakes_of_a_condition_are_told_at_once() -> None:
    """In the order in which they stand, however deep."""
    written = {
        "gendr": 1,
        "any": [{"age": "x"}, {"not": {"tags": "vip"}}, {"friend": True}],
        "orders": {"within": "1h"},
    }
    with pytest.raises(ConditionError) as error:
        parse_condition(written)
    places = [one.path for one in (error.value, *error.value.others)]
    assert places == [("gendr",), ("any", 0, "age"), ("any", 1, "not", "tags"), ("orders", "within")]


def test_every_attribute_has_a_kind_with_operators() -> None:
    """The registry is whole: a kind that nobody wrote operators for would refuse everything."""
    assert {attribute.kind for attribute in [*ATTRIBUTES.values(), *PREFIXES.values()]} == set(OPERATORS)
    assert find("profile.a.b") is PREFIXES["profile."]
    assert find("profile") is None


def test_every_prefecture_is_in_one_region_and_known_by_its_spellings() -> None:
    """47 and 8; a prefecture's code, short name and romaji lead to it."""
    assert len(PREFECTURES) == 47
    assert len(REGIONS) == 8
    assert [name for names in REGIONS.values() for name in names] == list(PREFECTURES)
    assert [len(names) for names in REGIONS.values()] == [1, 6, 7, 9, 7, 5, 4, 8]
    assert all(prefecture(spelling) == name for name in PREFECTURES for spelling in spellings(name))
    assert (prefecture("Ōsaka-fu"), prefecture("１３"), prefecture("関東")) == ("大阪府", "東京都", None)
    assert (region("Kantō region"), region("中国地方"), region("東京")) == ("関東", "中国", None)


def test_segments_within_segments_are_what_they_ask_for() -> None:
    """At any depth, in `not` too, the same one as often as it is named."""
    friend, ordered = Compare("friend", "is", True), Compare("orders.ever", "is", True)
    segments: dict[str, Condition] = {"a": Not(Segment("b")), "b": All((Segment("c"), Segment("c"))), "c": friend}
    assert resolve(Any_((Segment("a"), ordered)), segments) == Any_((Not(All((friend, friend))), ordered))
    assert resolve_all(segments)["b"] == All((friend, friend))


def test_segments_in_a_circle_are_refused_and_the_circle_is_named() -> None:
    """Where the way into the circle is longer, only the circle itself is told."""
    segments: dict[str, Condition] = {
        "in": Segment("a"),
        "a": Not(Segment("b")),
        "b": Any_((Segment("c"),)),
        "c": Segment("a"),
    }
    with pytest.raises(SegmentCycleError, match="a → b → c → a") as error:
        resolve(Segment("in"), segments)
    assert error.value.cycle == ("a", "b", "c", "a")
    with pytest.raises(SegmentCycleError, match="itself → itself"):
        resolve_all({"itself": Segment("itself")})


def test_segments_that_are_not_there_or_too_large_are_refused() -> None:
    """A name's nearest is told; ten lines of segments must not become a query of a million."""
    with pytest.raises(ConditionError, match="unknown segment `sleeper`; did you mean `sleepers`"):
        resolve(Segment("sleeper"), {"sleepers": Compare("friend", "is", True)})
    doubling: dict[str, Condition] = {f"s{n}": All((Segment(f"s{n + 1}"),) * 8) for n in range(8)}
    doubling["s8"] = Compare("friend", "is", True)
    with pytest.raises(ConditionError, match="more than 1000 things"):
        resolve(Segment("s0"), doubling)
    chain: dict[str, Condition] = {f"s{n}": Segment(f"s{n + 1}") for n in range(50)}
    with pytest.raises(ConditionError, match="nested too deeply: s0 → s1"):
        resolve(Segment("s0"), chain)


@pytest.mark.parametrize("written", [{"orders": 1}, {"last_order": {"within": "1d"}}, {"segment": "best"}])
def test_facts_do_not_tell_everything(written: dict[str, Any]) -> None:
    """What needs a person's whole state is never answered by a guess."""
    with pytest.raises(TypeError, match="asks for more than facts"):
        holds(parse_condition(written), lambda _: None)
