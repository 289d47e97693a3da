"""What a message reads goes on the wire, and nothing else; the day is the campaign's own."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from tests.unit.scheduler.campaigns import START, run
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import VARIABLES, product_ids, variables, variables_named
from todoke_shared.people import PersonState
from todoke_shared.people.registers import Register


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("{{ person.name }}", {"person"}),
        ({"for": "item", "in": "cart[:3]", "most": 3, "each": "{{ item.name }}{{ today }}"}, {"cart", "today"}),
        ({"if": "coupon.code is defined", "then": "a", "else": {"b": "{{ event.x }}"}}, {"coupon", "event"}),
        ({"if": "answers", "then": [{"for": "i", "in": "event.items", "most": 1, "each": "x"}]}, {"answers", "event"}),
        ({"in": "cart", "for_": "event", "text": "person"}, set()),
    ],
)
def test_parts_name_what_they_read_as_texts_do(part: Any, named: set[str]) -> None:
    """In the expressions of `for` and `if`, and within; plain words are words."""
    assert variables_named([{"type": "flex", "contents": [part]}]) == named


def test_today_is_the_campaigns_day() -> None:
    """In one zone it is the next day already."""
    late = datetime(2026, 4, 1, 16, 0, tzinfo=UTC)
    named = frozenset({"today"})
    assert variables(run(), PersonNow(), named, late) == {"today": "2026-04-02"}
    assert variables(run(), PersonNow(), named, late, ZoneInfo("America/New_York")) == {"today": "2026-04-01"}
    assert variables(run(), PersonNow(), VARIABLES, late).keys() == VARIABLES


def told(named: str, person: PersonNow | None = None, of: Enrolment | None = None) -> Any:
    """What a message that names one variable is told, at 18:00 of February 3 in Tokyo."""
    return variables(of or run(), person or PersonNow(), frozenset({named}), START)[named]


def knowing(**registers: Any) -> PersonNow:
    """Somebody of whom the segmenter has these registers."""
    kinds: dict[str, Any] = {
        kind: {name: Register(START, value) for name, value in values.items()} for kind, values in registers.items()
    }
    return PersonNow(state=PersonState(**kinds))


def test_of_the_person_is_told_what_is_known_and_no_address() -> None:
    """What a message has no use for would stand in topics for nothing; a tag that was taken away is none."""
    secret = {"email": "a@example.com", "phone": "090", "email_sha256": "0", "phone_sha256": "1"}
    person = knowing(profile={"name": "花", "kana": None, "birthday": "1990-05-03", **secret}, tags={"vip": True})
    gone = replace(person.state, tags={**person.state.tags, "old": Register(START, False)}, points=Register(START, 0))
    assert told("person", PersonNow(state=gone)) == {
        "name": "花", "birthday": "1990-05-03", "birthday_month": 5, "tags": ["vip"], "points": 0
    }  # fmt: skip


def test_the_points_that_run_out_next_are_told() -> None:
    """Today's among them, those of yesterday and those that are spent not."""
    expiring = {"2026-02-02": 10, "2026-02-03": 0, "2026-02-04": 30, "2026-03-01": 40}
    assert told("person", knowing(expiring=expiring)) == {
        "tags": [], "points_expiring": 30, "points_expire_on": "2026-02-04"
    }  # fmt: skip
    today = told("person", knowing(expiring={**expiring, "2026-02-03": 20}))
    assert (today["points_expiring"], today["points_expire_on"]) == (20, "2026-02-03")
    assert told("person", knowing(expiring={"2026-02-02": 10})) == {"tags": []}


def test_what_was_answered_in_this_run_comes_before_what_was_answered_ever() -> None:
    """The state may not have heard of it yet; an answer that was taken back is none."""
    person = knowing(answers={"skin": "dry", "taste": "tea", "size": None})
    assert told("answers", person, run().noting(answers={"skin": "oily"})) == {"skin": "oily", "taste": "tea"}


def test_the_cart_is_the_one_of_now_and_where_it_is_gone_the_one_it_was() -> None:
    """A reminder tells of what lies in it when it goes out."""
    was, now = [{"product_id": "old"}], [{"product_id": "new"}]
    began = replace(run(), context={"cart": was})
    assert told("cart", PersonNow(facts={"cart": now}), began) == now
    assert told("cart", PersonNow(), began) == was
    assert told("cart") == []


def test_products_are_those_of_the_cart_and_of_the_event_each_once() -> None:
    """In that order, those that the catalogue knows in this shop."""
    event = {"product_id": "b", "product": {"product_id": "c"}, "items": [{"product_id": "a"}, {"product_id": 5}, "x"]}
    began = replace(run(), context={"event": event})
    person = PersonNow(facts={"cart": [{"product_id": "a"}, {"product_id": "d"}]})
    assert product_ids(began, person) == ["a", "d", "b", "c"]
    catalogue = {("main", "c"): {"name": "C"}, ("main", "a"): {"name": "A"}, ("other", "b"): {"name": "B"}}
    named = frozenset({"products"})
    assert variables(began, person, named, START, catalogue=catalogue) == {"products": [{"name": "A"}, {"name": "C"}]}
