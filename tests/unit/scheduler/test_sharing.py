"""Who gets which share: the same every time, in proportion, and one question independent of another."""

from collections import Counter
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from todoke_scheduler.domain.sharing import arm, in_holdout, spread
from todoke_shared.ids import person_id

PEOPLE = [person_id("main", f"customer:{number}") for number in range(20_000)]
SHARES = {"a": 50, "b": 30, "none": 0, "c": 20}


def test_the_answers_of_a_known_person_never_change() -> None:
    """Written down: another release must not put anybody elsewhere, or a test that runs would be worth nothing."""
    first = PEOPLE[:8]
    assert [arm("care", "subject", SHARES, person) for person in first] == ["b", "b", "c", "c", "a", "a", "b", "a"]
    assert [in_holdout("care", 30, person) for person in first] == [True, False, True, True, False, False, False, False]
    assert spread(first[0], timedelta(hours=1)) == timedelta(seconds=38, microseconds=798484)


def test_shares_are_kept() -> None:
    """Four standard deviations of 20,000 people are at most 1.5 percent."""
    arms = Counter(arm("care", "subject", SHARES, person) for person in PEOPLE)
    assert arms["none"] == 0
    assert all(abs(arms[name] / len(PEOPLE) - share / 100) < 0.015 for name, share in SHARES.items())
    held = sum(in_holdout("care", 10, person) for person in PEOPLE)
    assert abs(held / len(PEOPLE) - 0.10) < 0.01
    assert not any(in_holdout("care", 0, person) for person in PEOPLE)


def test_more_holdout_keeps_who_is_in_it() -> None:
    """Raised from 5 to 20 percent, nobody who was compared is sent anything."""
    assert all(in_holdout("care", 20, person) for person in PEOPLE if in_holdout("care", 5, person))


def test_one_question_says_nothing_about_another() -> None:
    """Of those in one group, the others' groups have their shares: campaigns, splits, holdouts, mornings."""
    group = [person for person in PEOPLE if in_holdout("care", 50, person)]
    questions = (
        [in_holdout("other", 50, person) for person in group],
        [arm("care", "subject", {"a": 1, "b": 1}, person) == "a" for person in group],
        [arm("care", "text", {"a": 1, "b": 1}, person) == "a" for person in group],
        [spread(person, timedelta(hours=1)) < timedelta(minutes=30) for person in group],
    )
    assert all(abs(sum(answers) / len(group) - 0.5) < 0.02 for answers in questions)
    assert len(set(map(tuple, questions))) == len(questions)


@given(
    st.uuids(), st.dictionaries(st.text(min_size=1), st.integers(0, 1000), min_size=1).filter(lambda s: any(s.values()))
)
def test_everybody_goes_one_way_that_has_a_share(person: UUID, shares: dict[str, int]) -> None:
    """And the same way again, in whatever order the shares come back from PostgreSQL."""
    way = arm("care", "subject", shares, person)
    assert shares[way] > 0
    assert arm("care", "subject", dict(reversed(shares.items())), person) == way


@given(st.uuids(), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_spread_run_waits_less_than_the_whole_stretch(run: UUID, over: timedelta) -> None:
    """And evenly over it, as the shares above are."""
    assert timedelta(0) <= spread(run, over) <= over
