"""Segments that ask for one number are asked together, and each is told what it would be told alone."""

from collections import Counter
from datetime import datetime

import pytest

from tests.support.condition_cases import Cases
from tests.unit.segmenter.segment_stories import rules_of
from todoke_segmenter.domain.segments.questions import Ladder, Rule
from todoke_shared.people.conditions import Moment

OPERATORS = ("at_least", "more_than", "at_most", "less_than")
BOUNDS = (0, 1, 2, 2.5, 3, 5, 8, 13, 1e23, -1)


@pytest.mark.parametrize("seed", range(40))
def test_a_ladder_says_what_its_segments_say(seed: int) -> None:
    """Who enters, who leaves, and when the next of them does: for any bounds, people, and segments they were in."""
    cases = Cases(7000 + seed)
    rng, moment = cases.rng, Moment.at(cases.now, cases.zone)
    field = rng.choice(["orders", "amount", "visits", "product_views", "clicks", "returns"])
    within = rng.choice([{}, {"within": "7d"}, {"within": "30d"}, {"within": "365d"}])
    bounds = rng.sample([(operator, bound) for operator in OPERATORS for bound in BOUNDS], 12)
    rules = rules_of(
        **{f"s{number}": {field: {operator: bound, **within}} for number, (operator, bound) in enumerate(bounds)}
    )
    [ladder] = rules.questions
    assert isinstance(ladder, Ladder)
    assert (ladder.next_change is not None) is bool(within)
    for _ in range(40):
        person = cases.person()
        since = {rule.segment: cases.now for rule in rules.all if rng.random() < 0.5}
        alone = [one for rule in rules.all for one in rule.moved(since, person, moment)]
        assert sorted(ladder.moved(since, person, moment)) == sorted(alone)
        if ladder.next_change is not None:
            changes = [rule.next_change(person, moment) for rule in rules.all if rule.next_change is not None]
            first: datetime | None = min((change for change in changes if change is not None), default=None)
            assert ladder.next_change(person, moment) == first


def test_only_what_asks_for_the_same_number_stands_on_one_ladder() -> None:
    """Another window, another field, a single number or a longer condition is asked for itself."""
    rules = rules_of(
        once={"orders": {"at_least": 1, "within": "30d"}},
        often={"orders": {"more_than": 5, "within": "30d"}},
        seldom={"orders": {"less_than": 2, "within": "30d"}},
        year={"orders": {"at_least": 1, "within": "365d"}},
        ever={"orders": {"at_least": 1}},
        twice={"orders": 2},
        views={"product_views": {"at_least": 1, "within": "30d"}},
        women={"all": [{"gender": "female"}, {"orders": {"at_least": 1, "within": "30d"}}]},
        others={"not": {"orders": {"at_least": 1, "within": "30d"}}},
        tea={"bought": {"product": "tea", "at_least": 1}},
        more_tea={"bought": {"product": "tea", "at_least": 2}},
    )
    kinds = Counter(type(question) for question in rules.questions)
    assert kinds == {Ladder: 1, Rule: len(rules.all) - 3}
    assert {rule.segment for rule in rules.questions if isinstance(rule, Rule)}.isdisjoint({"once", "often", "seldom"})
