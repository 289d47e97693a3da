"""Membership follows events and the clock: never behind, never twice, to the instant."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.unit.segmenter.happenings import PERSON, START, at, line, ordered, shop
from tests.unit.segmenter.segment_stories import Person, members_from_scratch, published, rules_of
from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.segments import SegmentRules
from todoke_segmenter.domain.segments.membership import join
from todoke_segmenter.domain.segments.questions import Rule
from todoke_segmenter.domain.state import join as join_states
from todoke_shared.ids import person_id, segment_change_id
from todoke_shared.people import PersonState
from todoke_shared.people.conditions import Moment
from todoke_shared.segments.model import CLASS_NAMES, Classes, Segment

DAY = 86_400.0
SLEEPERS = rules_of(sleepers={"last_order": {"before": "60d"}})

MANY = rules_of(
    buyers={"orders": {"at_least": 1}},
    regulars={"orders": {"at_least": 2, "within": "7d"}},
    sleepers={"last_order": {"before": "5d"}},
    lookers={"product_views": {"at_least": 2, "within": "2d"}},
    tea_lovers={"bought": {"product": "tea", "within": "4d"}},
    visitors={"visited_store": {"store": "kyoto", "within": "3d"}},
    strangers={"not": {"friend": True}},
    birthday={"birthday": {"in_days": {"at_least": 0, "at_most": 3}}},
    tagged={"tags": {"has": "vip"}},
    rich={"points": {"at_least": 100}},
    coupon={"coupon": {"has": "SPRING"}},
    expiring={"points.expiring": {"at_least": 1, "within": "3d"}},
    recent={"last_seen": {"within": "36h"}},
    cart={"cart.items": {"at_least": 1}},
    awake_friends={"all": [{"friend": True}, {"not": {"segment": "sleepers"}}]},
    either={"any": [{"segment": "awake-friends"}, {"segment": "tagged"}]},
)


def random_happening(rng: Random, second: float) -> Happening:
    """Something that happened about then; now and then as history."""
    history = rng.random() < 0.1
    product = rng.choice(["tea", "cup"])
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("order.placed", {"order_id": f"o{second}", "items": [{"product_id": product}], "amount": 500}),
        ("order.placed", {"order_id": f"o{second}"}),
        ("product.viewed", {"product": {"product_id": product}}),
        ("page.viewed", {}),
        ("store.visited", {"store_id": rng.choice(["kyoto", "uji"])}),
        ("customer.updated", {"birthday": f"1990-02-{rng.randint(1, 28):02}", "tags": rng.choice([[], ["vip"]])}),
        ("points.changed", {"balance": rng.choice([0, 150])}),
        ("points.expiring", {"points": 50, "expires_on": f"2026-02-{rng.randint(3, 28):02}"}),
        ("custom.coupon.issued", {"code": "SPRING", "expires_at": at(second + DAY * rng.randint(1, 3)).isoformat()}),
        ("cart.item_added", {"item": {"product_id": product}}),
        ("line.follow", {}),
        ("line.unfollow", {}),
    ]
    make = rng.choice(kinds)
    if make[0].startswith("line."):
        return line(make[0].removeprefix("line."), second)
    return shop(make[0], second, make[1], history=history)


@pytest.mark.parametrize("seed", range(60))
def test_membership_is_what_the_conditions_say_after_any_story(seed: int) -> None:
    """After every event, late or not, and at every instant looked at, as if everything were asked from scratch."""
    rng, person, second = Random(seed), Person(MANY, PERSON), 0.0
    for _ in range(40):
        second += rng.choice([1.0, 600.0, 3600.0, DAY / 2, DAY, 3 * DAY])
        now = at(second)
        if rng.random() < 0.6:
            late = rng.choice([0.0, 0.0, 0.0, 100.0, DAY, 4 * DAY])
            person.hear(random_happening(rng, second - late), now)
        else:
            person.wait_until(now)
        if person.membership.revision is not None:
            assert person.segments == members_from_scratch(MANY, person.state, now), now
            due = person.membership.next_check_at
            assert due is None or due > now


@pytest.mark.parametrize("seed", range(40))
def test_entering_and_leaving_take_turns_and_time_goes_on(seed: int) -> None:
    """Nobody enters twice, or leaves what they were not in; each change of a segment is later than the one before."""
    rng, person, second = Random(1000 + seed), Person(MANY, PERSON), 0.0
    inside: defaultdict[str, bool] = defaultdict(bool)
    last: dict[str, datetime] = {}
    for _ in range(60):
        second += rng.choice([1.0, 3600.0, DAY, 3 * DAY])
        happening = random_happening(rng, second - rng.choice([0.0, 0.0, DAY]))
        if happening.history:
            continue  # changes in silence
        for change in [*person.wait_until(at(second)), *person.hear(happening, at(second))]:
            assert change.entered is not inside[change.segment], change
            assert change.segment not in last or change.at > last[change.segment], change
            inside[change.segment], last[change.segment] = change.entered, change.at
    assert {segment for segment, is_in in inside.items() if is_in} == person.segments
    assert person.told


@pytest.mark.parametrize("seed", range(20))
def test_how_often_the_clock_looks_does_not_matter(seed: int) -> None:
    """Looked at every hour or once after a month: the same changes, at the same instants, with the same identities."""
    rng = Random(seed)
    often, seldom, second = Person(MANY, PERSON), Person(MANY, PERSON), 0.0
    for _ in range(8):
        happening = random_happening(rng, second)
        often.hear(happening, at(second))
        seldom.hear(happening, at(second))
        for hour in range(1, 24 * 6):
            often.wait_until(at(second + hour * 3600.0))
        second += 6 * DAY
    often.wait_until(at(second))
    seldom.wait_until(at(second))
    assert [(c.segment, c.entered, c.at, c.cause) for c in often.told] == [
        (c.segment, c.entered, c.at, c.cause) for c in seldom.told
    ]
    assert any(change.by_clock for change in often.told)


def test_the_clock_puts_people_to_sleep_at_the_instant() -> None:
    """Sixty days after the order, to the microsecond, however late anybody looks; an order wakes them."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    assert person.membership.next_check_at == at(60 * DAY)
    assert person.wait_until(at(60 * DAY - 0.000001)) == []
    [change] = person.wait_until(at(61 * DAY))
    assert (change.segment, change.entered, change.at, change.by_clock) == ("sleepers", True, at(60 * DAY), True)
    assert change.cause == segment_change_id("sleepers", PERSON, at(60 * DAY))
    assert person.membership.since == {"sleepers": at(60 * DAY)}
    [woken] = person.hear(ordered(62 * DAY), at(62 * DAY))
    assert (woken.entered, woken.at, woken.by_clock) == (False, at(62 * DAY), False)


def test_what_was_due_before_an_event_is_decided_before_it() -> None:
    """Nobody looked in time: the person fell asleep and was woken, both are told, in this order."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    order = ordered(70 * DAY)
    asleep, awake = person.hear(order, at(70 * DAY))
    assert (asleep.entered, asleep.at) == (True, at(60 * DAY))
    assert (awake.entered, awake.at, awake.cause) == (False, at(70 * DAY), order.key)


def test_an_order_that_comes_late_wakes_after_they_fell_asleep() -> None:
    """It happened before they did, and is heard after: leaving is told later than entering."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    person.wait_until(at(60 * DAY))
    [awake] = person.hear(ordered(59 * DAY), at(60 * DAY + 30))
    assert (awake.entered, awake.at) == (False, at(60 * DAY) + timedelta(microseconds=1))


def test_history_moves_people_in_silence() -> None:
    """Who was imported with old orders is asleep, and no win-back is sent to all of them."""
    person = Person(SLEEPERS, PERSON)
    old = shop("order.placed", -100 * DAY, {"order_id": "old"}, history=True)
    assert person.hear(old, at(0)) == []
    assert person.segments == {"sleepers"}


def test_the_first_event_of_a_person_enters_what_it_makes_true() -> None:
    """Also what is true of everybody who is new; with the event's own time."""
    person = Person(rules_of(strangers={"not": {"friend": True}}, buyers={"orders.ever": True}), PERSON)
    [change] = person.hear(shop("page.viewed", 0), at(5))
    assert (change.segment, change.entered, change.at) == ("strangers", True, at(0))


def test_what_is_published_later_is_asked_in_silence_and_loud_from_then_on() -> None:
    """A new segment has its members without a trigger; a change of what it asks for, too."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    buyers = Segment(segment="buyers", when={"orders": {"at_least": 1}})
    again = Segment(segment="again", when={"orders": {"at_least": 2}})
    sleepers = Segment(segment="sleepers", when={"last_order": {"before": "60d"}})
    person.rules = SegmentRules(published([sleepers, buyers, again]))
    assert person.wait_until(at(1)) == []
    assert person.segments == {"buyers"}
    [change] = person.hear(ordered(2), at(2))
    assert (change.segment, change.entered) == ("again", True)


def test_an_event_finds_people_who_were_not_asked_since_a_publication() -> None:
    """What they were before it is told to nobody; what it makes of them is."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    person.rules = SegmentRules(
        published(
            [
                Segment(segment="sleepers", when={"last_order": {"before": "60d"}}),
                Segment(segment="buyers", when={"orders": {"at_least": 1}}),
                Segment(segment="again", when={"orders": {"at_least": 2}}),
            ]
        )
    )
    assert [change.segment for change in person.hear(ordered(2), at(2))] == ["again"]
    assert person.segments == {"buyers", "again"}


def test_what_is_published_is_silent_even_where_the_clock_is_due() -> None:
    """Sleepers are told of at their instant; who is in the new segment of the same instant is so without a word."""
    person = Person(SLEEPERS, PERSON)
    person.hear(ordered(0), at(0))
    sleepers = Segment(segment="sleepers", when={"last_order": {"before": "60d"}})
    lost = Segment(segment="lost", when={"last_order": {"before": "60d"}})
    person.rules = SegmentRules(published([sleepers, lost]))
    assert [change.segment for change in person.wait_until(at(61 * DAY))] == ["sleepers"]
    assert person.segments == {"sleepers", "lost"}


def test_what_was_long_ago_counts_when_it_is_heard() -> None:
    """An order beyond the days that are told apart changes the sum of those before."""
    person = Person(rules_of(again={"orders": {"at_least": 2}}), PERSON)
    person.hear(ordered(0), at(0))
    [change] = person.hear(ordered(-500 * DAY), at(1))
    assert (change.segment, change.entered) == ("again", True)


def test_a_segment_is_as_new_as_the_newest_that_it_asks_for() -> None:
    """Change one, and whoever builds on it is asked anew."""
    base = Segment(segment="base", when={"orders": {"at_least": 1}})
    top = Segment(segment="top", when={"segment": "base"})
    first = {rule.segment: rule.revision for rule in SegmentRules(published([base, top])).all}
    assert first == {"base": 1, "top": 2}
    again = [*published([top], 2), *published([base], 3)]
    assert {rule.segment: rule.revision for rule in SegmentRules(again).all} == {"base": 3, "top": 3}


def test_a_clock_that_is_behind_takes_nobody_back() -> None:
    """Another machine's clock is a second slow: who fell asleep stays asleep."""
    person = Person(rules_of(sleepers={"last_order": {"before": "60d"}, "searches": {"at_least": 0}}), PERSON)
    person.hear(ordered(0), at(0))
    person.wait_until(at(60 * DAY))
    assert person.hear(shop("products.searched", 60 * DAY - 1), at(60 * DAY - 1)) == []
    assert person.segments == {"sleepers"}


def test_two_people_who_are_one_leave_and_enter_only_what_is_new_to_both() -> None:
    """In what either was in, since the first of the two; out of what the two together are not."""
    rules = rules_of(one_order={"orders": 1}, two={"orders": {"at_least": 2}}, buyers={"orders": {"at_least": 1}})
    a, b = Person(rules, PERSON), Person(rules, person_id("main", "customer:2"))
    a.hear(ordered(0), at(0))
    b.hear(ordered(5), at(5))
    a.membership, a.state = join(b.membership, a.membership), join_states(a.state, b.state)
    changes = a.hear(shop("customer.identified", 9, {"identifiers": ["customer:2"]}), at(9))
    assert [(change.segment, change.entered) for change in changes] == [("one-order", False), ("two", True)]
    assert a.membership.since == {"buyers": at(0), "two": at(9)}


SHIPPED = Classes.model_validate(
    {
        "classes": [
            {"class": "problem", "when": {"returns": {"at_least": 2, "within": "30d"}}},
            {"class": "sleeping", "when": {"last_order": {"before": "20d"}}},
            {"class": "best", "when": {"orders": {"at_least": 3, "within": "30d"}}},
            {"class": "good", "when": {"orders": {"at_least": 2, "within": "30d"}}},
            {"class": "general"},
        ]
    }
)


@pytest.mark.parametrize("seed", range(20))
def test_everybody_is_in_exactly_one_class(seed: int) -> None:
    """Whatever happens, whenever anybody looks: one class, and a change of it is a leaving and an entering."""
    rng, person, second = Random(seed), Person(SegmentRules(published(SHIPPED.segments())), PERSON), 0.0
    person.hear(shop("page.viewed", 0), at(0))
    for number in range(30):
        second += rng.choice([3600.0, DAY, 9 * DAY])
        if rng.random() < 0.5:
            refund = shop("order.refunded", second, {"order_id": f"r{number}"})
            changes = person.hear(rng.choice([ordered(second), refund]), at(second))
        else:
            changes = person.wait_until(at(second))
        [only] = person.segments
        assert only.removeprefix("class-") in CLASS_NAMES
        assert [change.entered for change in changes] == [False, True] * (len(changes) // 2)


def _noting(rule: Rule, asked: list[str]) -> Callable[[PersonState, Moment], bool]:
    real = rule.holds

    def holds(state: PersonState, moment: Moment) -> bool:
        asked.append(rule.segment)
        return real(state, moment)

    return holds


def test_only_what_reads_the_change_is_asked() -> None:
    """A view of one product asks nobody about another, nor about orders, points or friends."""
    rules = rules_of(
        tea={"viewed": {"product": "tea"}},
        cup={"viewed": {"product": "cup"}},
        bought={"bought": {"product": "cup"}},
        orders={"orders": {"at_least": 1, "within": "30d"}},
        views={"product_views": {"at_least": 5}},
        vip={"tags": {"has": "vip"}},
        rich={"points": {"at_least": 1}},
        friends={"friend": True},
        women={"gender": "female"},
    )
    person = Person(rules, PERSON)
    person.hear(shop("page.viewed", 0), at(0))
    asked: list[str] = []
    for rule in rules.all:
        object.__setattr__(rule, "holds", _noting(rule, asked))
    person.hear(shop("product.viewed", 1, {"product": {"product_id": "tea"}}), at(1))
    assert sorted(asked) == ["tea", "views"]


def test_the_instant_before_the_story_is_not_due() -> None:
    """Nobody waits for anything: no instant is kept, and the clock never looks."""
    person = Person(rules_of(buyers={"orders.ever": True}), PERSON)
    person.hear(ordered(0), START)
    assert person.membership.next_check_at is None


def test_whoever_is_in_a_withdrawn_segment_leaves_it_and_it_is_told() -> None:
    """At the next look, whether that is the clock's or an event's; others are asked nothing and told nothing."""
    buyers = Segment(segment="buyers", when={"orders": {"at_least": 1}})
    tea = Segment(segment="tea", when={"bought": {"product": "tea"}})
    rules = SegmentRules(published([buyers, tea]))
    asleep, awake, stranger = (Person(rules, PERSON) for _ in range(3))
    for person in (asleep, awake):
        person.hear(ordered(0), at(0))
    stranger.hear(shop("page.viewed", 0), at(0))
    gone = SegmentRules(published([tea], 2), {"buyers": 3})
    for person in (asleep, awake, stranger):
        person.rules = gone
    [left] = asleep.wait_until(at(60))
    assert (left.segment, left.entered, left.at, left.by_clock) == ("buyers", False, at(60), True)
    assert left.cause == segment_change_id("buyers", PERSON, at(60))
    assert [(change.segment, change.entered) for change in awake.hear(ordered(90), at(90))] == [("buyers", False)]
    assert stranger.wait_until(at(60)) == []
    assert asleep.segments == awake.segments == stranger.segments == set()
    assert {person.membership.revision for person in (asleep, awake, stranger)} == {3}
    assert asleep.wait_until(at(120)) == []


def test_a_segment_that_is_back_is_entered_anew() -> None:
    """Nobody looked in between: they leave what was withdrawn, told, and are in it again from then on, in silence."""
    buyers = Segment(segment="buyers", when={"orders": {"at_least": 1}})
    person = Person(SegmentRules(published([buyers])), PERSON)
    person.hear(ordered(0), at(0))
    person.rules = SegmentRules(published([buyers], 3), {"buyers": 2})
    assert [(change.segment, change.entered) for change in person.wait_until(at(60))] == [("buyers", False)]
    assert person.segments == {"buyers"}
    assert person.membership.since["buyers"] > at(60)
    person.rules = SegmentRules(
        published([buyers, Segment(segment="cats", when={"tags": {"has": "cat"}})], 3), {"buyers": 2}
    )
    assert person.wait_until(at(120)) == []
    assert (person.segments, person.membership.revision) == ({"buyers"}, 4)
