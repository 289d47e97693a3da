"""Any campaign that can be written keeps the promises of the core: once, in time, not after the end, to an end."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from tests.support.random_campaigns import (
    QUESTIONS,
    START,
    Done,
    Known,
    campaigns,
    contexts,
    people,
    reading,
    run_of,
)
from todoke_scheduler.domain.calendar import LAST
from todoke_scheduler.domain.effects import Action, AssignCoupon, Effect, LinkRichMenu, LookAgain, Noted, Owed, Publish
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.stepping import advance, answered
from todoke_scheduler.domain.verdicts import GO, Hold, Rest, Skip, Verdict
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program

instants = st.integers(0, 20 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
looks = st.lists(instants, max_size=8).map(sorted)


def stored(run: Enrolment) -> Enrolment:
    """As a scheduler that starts up finds it: by its columns alone."""
    return Enrolment(**{column.name: getattr(run, column.name) for column in fields(run)})


def walk(
    run: Enrolment, campaign: Campaign, person: Known, at: list[datetime]
) -> tuple[Enrolment, list[tuple[datetime, Effect]]]:
    """Look at a run at each of these instants, with a restart before every look."""
    found: list[tuple[datetime, Effect]] = []
    for now in at:
        run, effects = advance(stored(run), Program.of(campaign), person, now)
        found += [(now, effect) for effect in effects]
    return run, found


def actions(found: list[tuple[datetime, Effect]]) -> list[tuple[datetime, Action]]:
    """What others notice."""
    return [(now, effect) for now, effect in found if not isinstance(effect, Noted | LookAgain)]


def names(found: list[tuple[datetime, Effect]]) -> list[tuple[str, str]]:
    """What was done, as `reading` puts it."""
    return [_name(action) for _, action in actions(found)]


def _name(action: Action) -> tuple[str, str]:
    match action:
        case Owed(message=message, question=question):
            return ("send" if question is None else "ask"), message
        case AssignCoupon(pool=pool):
            return "coupon", pool
        case Publish(type=type_):
            return "publish", type_
        case LinkRichMenu(menu=menu):
            return "rich_menu", str(menu)


def names_of(expected: list[Done]) -> list[tuple[str, str]]:
    """Without the instants."""
    return [(kind, name) for kind, name, _ in expected]


cases = st.tuples(campaigns, people, contexts.map(run_of))


@settings(deadline=None)
@given(cases, looks)
def test_a_run_does_what_a_reader_of_the_steps_expects(
    case: tuple[Campaign, Known, Enrolment], at: list[datetime]
) -> None:
    """In this order, each once, however often and late it is looked at, and whatever is restarted in between."""
    campaign, person, run = case
    over, found = walk(run, campaign, person, [*at, LAST])
    expected = reading(campaign, run, person)
    assert names(found) == names_of(expected)
    dues = [action.due_at for _, action in actions(found) if isinstance(action, Owed | Publish)]
    assert dues == [due for kind, _, due in expected if kind in ("send", "ask", "publish")]
    assert over.status == "done"


@settings(deadline=None)
@given(cases, looks)
def test_nothing_is_done_before_it_is_due(case: tuple[Campaign, Known, Enrolment], at: list[datetime]) -> None:
    """And by each look everything is done that was due."""
    campaign, person, run = case
    _, found = walk(run, campaign, person, at)
    expected = reading(campaign, run, person)
    assert len(actions(found)) == sum(due <= max(at, default=START - timedelta(1)) for _, _, due in expected)
    assert all(due <= now for (now, _), (_, _, due) in zip(actions(found), expected, strict=False))


@settings(deadline=None)
@given(cases, looks)
def test_no_two_effects_of_a_run_have_one_name(case: tuple[Campaign, Known, Enrolment], at: list[datetime]) -> None:
    """Whoever carries them out knows each by it; a repetition would be lost, or done twice."""
    campaign, person, run = case
    _, found = walk(run, campaign, person, [*at, LAST])
    steps = [action.step for _, action in actions(found)]
    assert len(steps) == len(set(steps))


@settings(deadline=None)
@given(cases, instants, instants)
def test_to_look_twice_is_to_look_once(case: tuple[Campaign, Known, Enrolment], one: datetime, other: datetime) -> None:
    """A run looked at now and later stands, and has done, exactly what one looked at only later has."""
    campaign, person, run = case
    first, second = sorted((one, other))
    twice, found = walk(run, campaign, person, [first, second])
    once, expected = walk(run, campaign, person, [second])
    assert twice == once
    assert [effect for _, effect in found] == [effect for _, effect in expected]


@settings(deadline=None)
@given(cases, looks, instants)
def test_an_exit_is_final(case: tuple[Campaign, Known, Enrolment], at: list[datetime], end: datetime) -> None:
    """From its instant on nothing is done, not even what is late; what was done before it is all there is."""
    campaign, person, run = case
    over, found = walk(run.ending(end, "exit"), campaign, person, [*at, LAST])
    assert all(now < end for now, _ in found)
    assert names(found) == names_of(reading(campaign, run, person))[: len(actions(found))]
    assert over.status in ("ended", "done")
    assert advance(over, Program.of(campaign), person, LAST) == (over, [])


@settings(deadline=None)
@given(cases, looks)
def test_a_run_under_way_wakes_later_than_now(case: tuple[Campaign, Known, Enrolment], at: list[datetime]) -> None:
    """Or its timer would fire for ever; and it gets on: as many wakings as it has instructions bring it to its end."""
    campaign, person, run = case
    program = Program.of(campaign)
    wakings = 0
    while run.status == "active":
        due = run.due_at
        run, _ = advance(run, program, person, due)
        assert run.status != "active" or run.due_at > due
        wakings += 1
    assert wakings <= len(program) + 1


@settings(deadline=None)
@given(cases, st.lists(st.tuples(instants, st.sampled_from(QUESTIONS)), max_size=6).map(sorted))
def test_an_answer_only_makes_a_run_go_on_sooner(
    case: tuple[Campaign, Known, Enrolment], answers: list[tuple[datetime, str]]
) -> None:
    """Whatever is answered, and whenever: no step twice, none early, and the run ends."""
    campaign, person, run = case
    program, found = Program.of(campaign), []
    for now, question in answers:
        run, effects = advance(run, program, person, now)
        found += [(now, effect) for effect in effects]
        waits = program.at(run.position)
        after = answered(run, program, question, now)
        assert after == run or (waits is not None and waits.kind == "answer" and after.due_at == now < run.due_at)
        run = after
    run, effects = advance(run, program, person, LAST)
    found += [(LAST, effect) for effect in effects]
    assert run.status == "done"
    steps = [action.step for _, action in actions(found)]
    assert len(steps) == len(set(steps))
    assert all(action.due_at <= now for now, action in actions(found) if isinstance(action, Owed | Publish))


verdicts = st.sampled_from(["go", "skip", "hold", "rest"])


@settings(deadline=None)
@given(cases, st.lists(verdicts, max_size=30), looks)
def test_whatever_guards_say_no_step_is_done_twice_or_while_it_is_held(
    case: tuple[Campaign, Known, Enrolment], says: list[str], at: list[datetime]
) -> None:
    """A held step keeps its place and is due anew; one that rests stays due; one left out is gone for good."""
    campaign, person, run = case
    program, held, left_out, done = Program.of(campaign), dict[str, datetime](), set[str](), list[str]()
    words = iter(says)
    now = START

    def decide(action: Action, _: Enrolment, __: object) -> Verdict:
        assert action.step not in left_out
        assert held.get(action.step, now) <= now
        match next(words, "go"):
            case "skip":
                left_out.add(action.step)
                return Skip("left out")
            case "hold":
                held[action.step] = now + timedelta(hours=1)
                return Hold(held[action.step], "held")
            case "rest":
                return Rest(now + timedelta(hours=1))
        return GO

    for now in [*at, *(LAST + timedelta(hours=hours) for hours in range(40))]:
        run, effects = advance(stored(run), program, person, now, decide)
        done += [effect.step for effect in effects if not isinstance(effect, Noted | LookAgain)]
        owed = [effect for effect in effects if isinstance(effect, Owed)]
        assert all(effect.due_at >= held.get(effect.step, effect.due_at) for effect in owed)
    assert len(done) == len(set(done))
    assert not left_out & set(done)
    assert run.status == "done"
