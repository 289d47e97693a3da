"""A campaign's steps as a flat program: positions that never change their meaning, and lead only forward."""

from typing import Any

from hypothesis import given, settings

from tests.support.random_campaigns import campaigns, written
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.steps import walk


def flat(steps: list[dict[str, Any]]) -> list[tuple[str, str, int, dict[str, int]]]:
    """The program of these steps, in short."""
    return [
        (one.kind, one.place.removeprefix("steps"), one.next, dict(one.ways))
        for one in Program.of(written(steps)).instructions
    ]


def test_a_campaign_of_waits_and_sends_has_the_positions_of_its_steps() -> None:
    """Runs under way since before branches were known stay where they are."""
    assert flat([{"wait": "1h"}, {"send": "hello"}, {"wait": "1d"}, {"send": "bye"}]) == [
        ("wait", "[0]", 1, {}),
        ("send", "[1]", 2, {}),
        ("wait", "[2]", 3, {}),
        ("send", "[3]", 4, {}),
    ]


def test_a_question_is_put_and_then_waited_for() -> None:
    """Two positions at one place: asked, and not yet answered."""
    ask = {"ask": "skin", "message": "hello", "answers": ["dry", "oily"]}
    assert flat([ask, {"send": "bye"}]) == [("ask", "[0]", 1, {}), ("answer", "[0]", 2, {}), ("send", "[1]", 3, {})]


def test_every_way_of_a_branch_leads_behind_it() -> None:
    """An empty way, and a missing `else`, lead there at once; the last step of a way within a way does too."""
    inner = {"if": {"profile.two": True}, "then": [{"send": "again"}]}
    assert flat([{"if": {"profile.one": True}, "then": [{"wait": "1h"}, inner], "else": []}, {"send": "bye"}]) == [
        ("if", "[0]", 4, {"then": 1, "else": 4}),
        ("wait", "[0].then[0]", 2, {}),
        ("if", "[0].then[1]", 4, {"then": 3, "else": 4}),
        ("send", "[0].then[1].then[0]", 4, {}),
        ("send", "[1]", 5, {}),
    ]
    split = {
        "split": {"a": 1, "b": 1, "c": 1},
        "a": [{"send": "hello"}, {"stop": True}],
        "b": [],
        "c": [{"tag": "vip"}],
    }
    assert flat([split]) == [
        ("split", "[0]", 4, {"a": 1, "b": 4, "c": 3}),
        ("send", "[0].a[0]", 2, {}),
        ("stop", "[0].a[1]", 4, {}),
        ("tag", "[0].c[0]", 4, {}),
    ]


@settings(deadline=None)
@given(campaigns)
def test_a_program_leads_only_forward_and_has_every_step(campaign: Campaign) -> None:
    """So that every run ends, and every step can be reached by its place."""
    program = Program.of(campaign)
    for position, instruction in enumerate(program.instructions):
        ahead = {instruction.next, *instruction.ways.values()}
        assert all(position < goto <= len(program) for goto in ahead)
    assert [one.step for one in program.instructions if one.kind != "answer"] == [
        step for _, step in walk(campaign.steps)
    ]
    places = [one.place for one in program.instructions if one.kind != "answer"]
    assert len(places) == len(set(places))
    assert program.at(len(program)) is None


@settings(deadline=None)
@given(campaigns)
def test_a_published_campaign_has_the_program_of_the_one_that_was_written(campaign: Campaign) -> None:
    """Positions survive the way through a document."""
    published = Campaign.model_validate(campaign.to_document())
    assert Program.of(published).instructions == Program.of(campaign).instructions
