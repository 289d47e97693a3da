"""Conditions over a person's state: what they mean, when their answer changes, and what they read."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.condition_cases import Cases
from tests.support.condition_oracle import Oracle
from todoke_shared.conditions import All, Any_, Condition, Not, parse_condition
from todoke_shared.people import PersonState, decode_state, encode_state
from todoke_shared.people.conditions import Compiled, Moment, compile_condition, holds, next_change, reads, to_sql
from todoke_shared.people.conditions.dates import birthday_in
from todoke_shared.people.registers import Register

TOKYO = ZoneInfo("Asia/Tokyo")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def leaves(condition: Condition) -> list[Condition]:
    """The comparisons of a condition."""
    match condition:
        case All(parts) | Any_(parts):
            return [leaf for part in parts for leaf in leaves(part)]
        case Not(part):
            return leaves(part)
    return [condition]


@pytest.mark.parametrize("seed", range(40))
def test_the_predicate_means_what_is_written(seed: int) -> None:
    """The answer is that of an oracle which counts days and years one by one, for 16,000 people and conditions."""
    cases = Cases(seed)
    people = [cases.person() for _ in range(20)]
    moment = Moment.at(cases.now, cases.zone)
    oracles = [Oracle(json.loads(encode_state(person)), cases.now, cases.zone, "main") for person in people]
    for _ in range(20):
        written = cases.condition()
        if "cart.items" in repr(written):
            continue  # which of several carts counts is for the tests of the state
        compiled = compile_condition(parse_condition(written), "main")
        answers = [compiled.holds(decode_state(encode_state(person)), moment) for person in people]
        assert answers == [oracle.holds(written) for oracle in oracles], written


def instants_between(cases: Cases, now: datetime, end: datetime) -> list[datetime]:
    """Instants after now and before `end`: some anywhere, some where days begin, periods end and clocks change."""
    rng, length = cases.rng, end - now
    anywhere = [now + length * rng.random() for _ in range(4)]
    days = [now + rng.randint(0, 400) * DAY + rng.choice([0, 1]) * MINUTE for _ in range(4)]
    midnights = [
        datetime.combine((now + n * DAY).astimezone(cases.zone).date(), datetime.min.time(), cases.zone).astimezone(UTC)
        for n in (0, 1, 2, 7, 14, 30)
    ]
    near = [at + timedelta(microseconds=micro) for at in (*days, *midnights, end) for micro in (-1, 0)]
    return sorted(at for at in (*anywhere, *near) if now < at < end)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_changes_before_the_next_change(seed: int) -> None:
    """Between now and then the answer is today's, whatever the instant; for a single comparison it then is another."""
    cases = Cases(1000 + seed)
    people = [cases.person() for _ in range(10)]
    for _ in range(20):
        written = cases.condition()
        compiled = compile_condition(parse_condition(written), "main")
        for person in people:
            moment = Moment.at(cases.now, cases.zone)
            answer, change = compiled.holds(person, moment), compiled.next_change(person, moment)
            assert change is None or change > cases.now
            end = change or cases.now + 3000 * DAY
            for at in instants_between(cases, cases.now, min(end, datetime(9990, 1, 1, tzinfo=UTC))):
                assert compiled.holds(person, Moment.at(at, cases.zone)) is answer, (written, person, at, change)


def test_a_single_comparison_changes_when_it_says_so() -> None:
    """Nobody is looked at in vain: at the instant of the next change the answer is another one."""
    changes: Counter[str] = Counter()
    for seed in range(60):
        cases = Cases(2000 + seed)
        people, moment = [cases.person() for _ in range(10)], Moment.at(cases.now, cases.zone)
        for condition in (leaf for _ in range(20) for leaf in leaves(parse_condition(cases.comparison()))):
            compiled = compile_condition(condition, "main")
            for person in people:
                change = compiled.next_change(person, moment)
                if change is not None:
                    changed = compiled.holds(person, Moment.at(change, cases.zone))
                    assert changed is not compiled.holds(person, moment), (condition, person, change)
                    changes[type(condition).__name__] += 1
    assert min(changes[kind] for kind in ("Compare", "Count", "Since", "Month", "InDays")) > 50, changes


def stepped(compiled: Compiled, person: PersonState, moments: list[Moment]) -> tuple[list[bool], int]:
    """The answers at these moments, asked only at the first and at every next change; and how often it was asked."""
    known, change, asked = compiled.holds(person, moments[0]), compiled.next_change(person, moments[0]), 1
    answers = []
    for moment in moments:
        while change is not None and change <= moment.now:
            then = Moment.at(change, moment.zone)
            known, change, asked = compiled.holds(person, then), compiled.next_change(person, then), asked + 1
        answers.append(known)
    return answers, asked


def test_stepping_by_next_change_finds_what_every_minute_finds() -> None:
    """Over three days, asked every minute: who comes in or goes out does so at the same minutes."""
    movers = 0
    for seed in range(60):
        cases = Cases(3000 + seed)
        start = cases.now.replace(second=0, microsecond=0) - timedelta(hours=cases.rng.randint(0, 70))
        moments = [Moment.at(start + minute * MINUTE, cases.zone) for minute in range(3 * 1440)]
        pairs = [(compile_condition(parse_condition(cases.condition()), "main"), cases.person()) for _ in range(60)]
        moving = [pair for pair in pairs if len({pair[0].holds(pair[1], moment) for moment in moments[::60]}) > 1]
        for compiled, person in [*moving[:3], *pairs[:1]]:
            answers, asked = stepped(compiled, person, moments)
            assert answers == [compiled.holds(person, moment) for moment in moments]
            assert asked < 50
        movers += len(moving[:3])
    assert movers > 60


def test_a_day_begins_where_the_shops_calendar_says() -> None:
    """At the first instant of the date there: also where midnight is left out, comes twice, or a day is missing."""
    for name, year in [
        ("Asia/Tokyo", 2026),
        ("America/New_York", 2026),
        ("Australia/Lord_Howe", 2026),
        ("America/Sao_Paulo", 2018),
        ("America/Havana", 2026),
        ("Africa/Cairo", 2026),
        ("Pacific/Apia", 2011),
    ]:
        zone = ZoneInfo(name)
        moment = Moment.at(datetime(year, 6, 1, tzinfo=UTC), zone)
        for day in range(date(year, 1, 2).toordinal(), date(year, 12, 31).toordinal()):
            start = moment.start_of(day)
            assert start is not None
            assert start.astimezone(zone).date().toordinal() >= day
            assert (start - timedelta(microseconds=1)).astimezone(zone).date().toordinal() < day


def born(birthday: object) -> PersonState:
    """Somebody with this birthday."""
    return PersonState(profile={"birthday": Register(datetime(2020, 1, 1, tzinfo=UTC), birthday)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("today", "age", "days"),
    [
        ("2027-02-28", 22, 1),
        ("2027-03-01", 23, 0),
        ("2027-03-02", 23, 364),
        ("2028-02-28", 23, 1),
        ("2028-02-29", 24, 0),
        ("2028-03-01", 24, 365),
        ("2100-02-28", 95, 1),
        ("2100-03-01", 96, 0),
        ("2004-02-29", 0, 0),
        ("2004-02-28", None, 1),
    ],
)
def test_who_was_born_on_february_29_has_a_birthday_every_year(today: str, age: int | None, days: int) -> None:
    """On March 1 in common years; the first and last instants of the day in Tokyo are of that day."""
    person = born("2004-02-29")
    start = datetime.fromisoformat(f"{today}T00:00:00+09:00")
    for now in (start, start + DAY - timedelta(microseconds=1)):
        asked = {"age": {"known": False} if age is None else age}
        assert holds(parse_condition(asked), person, now, TOKYO)
        assert holds(parse_condition({"birthday": {"in_days": days}}), person, now, TOKYO)


def test_a_day_that_only_leap_years_have_is_found_years_ahead() -> None:
    """A birthday is 365 days away only when a February 29 lies between: around 2100, not for eight years."""
    condition, person = parse_condition({"birthday": {"in_days": 365}}), born("1990-01-05")
    now, then = datetime(2096, 1, 8, tzinfo=UTC), datetime(2104, 1, 5, 15, tzinfo=UTC)
    assert next_change(condition, person, now, TOKYO) == then
    assert holds(condition, person, then, TOKYO)
    assert next_change(parse_condition({"birthday": {"in_days": 366}}), person, now, TOKYO) is None


def test_people_grow_older_at_midnight_in_the_shops_zone() -> None:
    """The answer changes when the birthday begins there, to the microsecond, and the next change is in 20 years."""
    condition = parse_condition({"age": {"at_least": 20, "less_than": 40}})
    person, eve = born("2006-11-23"), datetime(2026, 11, 22, 14, 59, 59, 999999, UTC)
    midnight = datetime(2026, 11, 22, 15, tzinfo=UTC)
    assert not holds(condition, person, eve, TOKYO)
    assert next_change(condition, person, eve, TOKYO) == midnight
    assert holds(condition, person, midnight, TOKYO)
    assert next_change(condition, person, midnight, TOKYO) == datetime(2046, 11, 22, 15, tzinfo=UTC)
    assert next_change(condition, person, datetime(2046, 11, 22, 15, tzinfo=UTC), TOKYO) is None


@pytest.mark.parametrize("birthday", ["2001-02-29", "1900-02-29", "0000-01-01", "19990101", "1999-1-1", 1999, None, []])
def test_what_is_no_date_is_no_birthday(birthday: object) -> None:
    """It makes nobody young, old or in a month, and stops no question."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    for asked in ({"age": {"at_least": 0}}, {"birthday": {"month": 1}}, {"birthday": {"in_days": {"at_least": 0}}}):
        assert not holds(parse_condition(asked), born(birthday), now, TOKYO)
        assert next_change(parse_condition(asked), born(birthday), now, TOKYO) is None
    assert holds(parse_condition({"birthday": {"known": False}, "age": {"known": False}}), born(birthday), now, TOKYO)


def test_the_end_of_the_calendar_ends_no_question() -> None:
    """In the last days that can be written, nothing changes any more, and every kind of condition has an answer."""
    for seed in range(30):
        cases = Cases(seed)
        people = [cases.person() for _ in range(5)]
        for now in (datetime(9999, 12, 30, 23, 59, tzinfo=UTC), datetime(101, 1, 2, tzinfo=UTC)):
            for condition in (parse_condition(cases.comparison()) for _ in range(20)):
                for person in people:
                    assert holds(condition, person, now, TOKYO) in (True, False)
                    change = next_change(condition, person, now, TOKYO)
                    assert change is None or change > now
                    assert to_sql(condition, now, TOKYO).text


def test_what_fails_for_good_is_not_looked_at_again() -> None:
    """Of `all`, a lasting no is never asked again; of `any`, a lasting yes; else the earliest change counts."""
    now, at = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    person = PersonState(last_seen_at=at, profile={"city": Register(at, "京都市")})
    soon, later = {"last_seen": {"within": "30h"}}, {"last_seen": {"within": "60h"}}

    def change(written: Mapping[str, object]) -> datetime | None:
        return next_change(parse_condition(written), person, now, TOKYO)

    assert change(soon) == at + timedelta(hours=30)
    assert change({"all": [{"city": "大阪市"}, soon]}) is None
    assert change({"any": [{"city": "京都市"}, soon]}) is None
    assert change({"all": [{"city": "京都市"}, soon, later]}) == at + timedelta(hours=30)
    assert change({"any": [{"city": "大阪市"}, soon, later]}) == at + timedelta(hours=60)
    assert change({"all": [{"not": soon}, {"not": later}]}) == at + timedelta(hours=60)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ({"gender": "female"}, {"profile.gender"}),
        ({"region": "関東"}, {"profile.prefecture"}),
        ({"age": {"at_least": 20}}, {"profile.birthday", "clock"}),
        ({"birthday": {"month": 3}}, {"profile.birthday"}),
        ({"birthday": {"month": "this"}}, {"profile.birthday", "clock"}),
        ({"date.renews_on": {"in_days": 3}}, {"profile.renews_on", "clock"}),
        ({"orders": {"at_least": 2}}, {"days"}),
        ({"amount": {"at_least": 2, "within": "90d"}}, {"days", "clock"}),
        ({"bought": {"product": "tea-1"}}, {"products"}),
        ({"viewed": {"product": "tea-1", "within": "3d"}}, {"products", "clock"}),
        ({"visited_store": {"store": "kyoto"}}, {"stores"}),
        ({"visited_store": {"store": ["kyoto", "uji"], "within": "3d"}}, {"stores", "clock"}),
        ({"last_order": {"before": "30d"}}, {"last_order_at", "clock"}),
        ({"registered": {"known": True}}, {"registered_at"}),
        ({"tags": {"has": "vip"}}, {"tags"}),
        ({"coupon": {"has": "A"}}, {"coupons", "clock"}),
        ({"points": {"at_least": 1}}, {"points"}),
        ({"points.expiring": {"at_least": 1}}, {"expiring", "clock"}),
        ({"consent.marketing": True}, {"consents"}),
        ({"answer.skin": "dry"}, {"answers"}),
        ({"subscription": "active"}, {"subscriptions"}),
        ({"friend": True, "cart.items": 0, "orders.ever": True}, {"friend", "cart", "last_order_at"}),
        ({"all": [{"event.amount": 1}, {"not": {"any": [{"profile.rank": 1}, {"city": "x"}]}}]},
         {"event", "profile.rank", "profile.city"}),
    ],
)  # fmt: skip
def test_a_condition_names_what_it_reads(written: dict[str, object], parts: set[str]) -> None:
    """What it does not read may change without its being asked again."""
    assert reads(parse_condition(written)) == parts


@pytest.mark.parametrize("seed", range(20))
def test_what_a_condition_does_not_read_does_not_matter(seed: int) -> None:
    """With everything else forgotten, the answer is the same."""
    cases = Cases(4000 + seed)
    moment = Moment.at(cases.now, cases.zone)
    places = {"cart": "carts", "friend": "friendships"}
    for _ in range(40):
        compiled, person = compile_condition(parse_condition(cases.condition()), "main"), cases.person()
        names = [part.removeprefix("profile.") for part in compiled.reads if part.startswith("profile.")]
        kept = {
            places.get(part, part): getattr(person, places.get(part, part))
            for part in compiled.reads - {"clock", "event"}
            if not part.startswith("profile.")
        }
        if "days" in kept:
            kept["before"] = person.before
        profile = {name: person.profile[name] for name in names if name in person.profile}
        assert compiled.holds(PersonState(profile=profile, **kept), moment) is compiled.holds(person, moment)
        if "clock" not in compiled.reads:
            assert compiled.next_change(person, moment) is None


def test_no_operand_stands_in_the_text_of_a_query() -> None:
    """Whatever an operand says, the text is made of our own words: the same letters for every operand."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    for name in ("profile.X", "answer.X", "consent.X", "date.X"):
        body = {"date.X": {"in_days": 1}, "consent.X": True}.get(name, {"has": "X"})
        texts = {
            to_sql(parse_condition({name.replace("X", x): body}), now, TOKYO).text for x in ("a", "');--", '"', "\0")
        }
        assert len(texts) == 1
    for written in (
        {"tags": {"has": "zq'zq"}},
        {"city": "zq'zq"},
        {"bought": {"product": "zq'zq"}},
        {"visited_store": {"store": "zq'zq"}},
        {"coupon": {"has_all": ["zq'zq"]}},
    ):
        assert "zq" not in to_sql(parse_condition(written), now, TOKYO).text


def test_no_query_asks_about_an_event() -> None:
    """There is none in a table of people."""
    with pytest.raises(ValueError, match=r"event\.amount"):
        to_sql(parse_condition({"not": {"event.amount": 1}}), datetime(2026, 1, 1, tzinfo=UTC), TOKYO)


def test_an_event_is_asked_by_its_path() -> None:
    """`event.…` leads through its data; without an event nothing of it is known."""
    condition, now = parse_condition({"event.order.lines.n": {"at_least": 2}}), datetime(2026, 1, 1, tzinfo=UTC)
    assert holds(condition, PersonState(), now, TOKYO, {"order": {"lines": {"n": 2}}})
    assert not holds(condition, PersonState(), now, TOKYO, {"order": {"lines": [2]}})
    assert not holds(condition, PersonState(), now, TOKYO)
    assert birthday_in(date(2004, 2, 29), 2023) == date(2023, 3, 1)


def test_a_segment_is_resolved_before_it_is_asked() -> None:
    """A name that nobody has looked up is an error, not a no."""
    with pytest.raises(ValueError, match="`best` is not resolved"):
        compile_condition(parse_condition({"not": {"segment": "best"}}))
