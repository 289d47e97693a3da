"""What a trigger does to a person's runs, and what is counted or written down of it. The handler brings the runs."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from todoke_scheduler.adapters.decisions import Decision
from todoke_scheduler.adapters.journeys import Journeys
from todoke_scheduler.domain import words
from todoke_scheduler.domain.enrolment import ANSWERS, Enrolment
from todoke_scheduler.domain.goals import Conversion, Heard, ended_by, goal_reached
from todoke_scheduler.domain.journey import enter, leave
from todoke_scheduler.domain.stepping import answered
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.entering import Goal
from todoke_shared.contracts.triggers import Trigger


def decide(
    trigger: Trigger, journeys: Journeys, catalogue: CampaignCatalogue, now: datetime
) -> Iterator[Decision | Conversion]:
    """Change the journeys as the trigger says; what comes of it besides is a line of the decision log, or counted."""
    match trigger.kind:
        case "exit":
            _end(trigger, journeys)
        case "enter":
            yield from _start(trigger, journeys, catalogue, now)
        case "goal":
            yield from _count(trigger, journeys, catalogue)
        case "answer":
            yield from _answer(trigger, journeys, catalogue)
        case "refused":
            yield Decision(trigger.person, trigger.campaign, words.CALLED_IN_VAIN, trigger.at)


def _end(trigger: Trigger, journeys: Journeys) -> None:
    for run in leave(journeys.runs_of(trigger), trigger):
        journeys.put(run)
    journeys.mark(trigger, journeys.marks_of(trigger).exiting(trigger.at))


def _start(
    trigger: Trigger, journeys: Journeys, catalogue: CampaignCatalogue, now: datetime
) -> Iterator[Decision | Conversion]:
    published = catalogue.latest(trigger.campaign)
    if published is None:
        yield Decision(trigger.person, trigger.campaign, words.UNREADABLE_VERSION, now)
        return
    runs = journeys.runs_of(trigger, key=trigger.key)
    entry = enter(journeys.marks_of(trigger), runs, trigger, published, journeys.begun_before)
    for run in entry.ended:
        journeys.put(run)
    if entry.started is not None:
        journeys.put(entry.started)
        for heard in journeys.heard_of(trigger):
            yield from _reach(journeys.runs[entry.started.id], published.campaign.goal, heard, journeys)
    journeys.mark(trigger, entry.marks)
    if entry.refusal is not None:
        yield Decision(trigger.person, trigger.campaign, entry.refusal, now)


def _count(trigger: Trigger, journeys: Journeys, catalogue: CampaignCatalogue) -> Iterator[Decision | Conversion]:
    heard = Heard.of(trigger)
    if heard is None:
        return
    journeys.hear(heard)
    published = catalogue.latest(trigger.campaign)
    goals = () if published is None else published.campaign.goal
    active = [run for run in journeys.runs_of(trigger) if run.status == "active"]
    for run in (*active, *journeys.over_of(trigger)):
        yield from _reach(run, goals, heard, journeys)


def _reach(run: Enrolment, goals: Sequence[Goal], heard: Heard, journeys: Journeys) -> Iterator[Decision | Conversion]:
    if heard.goal >= len(goals):
        return  # a newer version of the campaign has none there any more
    goal = goals[heard.goal]
    reached = goal_reached(run, goal, heard)
    if reached is None:
        return
    if run.status == "active":
        journeys.put(ended_by(run, goal, heard))
    yield reached
    yield Decision(heard.person, heard.campaign, words.GOAL_REACHED, heard.at, run.id)


def _answer(trigger: Trigger, journeys: Journeys, catalogue: CampaignCatalogue) -> Iterator[Decision]:
    question, answer = trigger.context.get("question"), trigger.context.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str):
        return
    for run in journeys.runs_of(trigger):
        published = catalogue.known(run.campaign, run.version)
        gone_on = run if published is None else answered(run, published.program, question, trigger.at)
        if published is None or gone_on is run:
            continue
        journeys.put(_noting_answer(gone_on, question, answer))
        asked = published.program.at(run.position)
        place = None if asked is None else asked.place
        yield Decision(trigger.person, run.campaign, words.answer_came(question, answer), trigger.at, run.id, place)


def _noting_answer(run: Enrolment, question: str, answer: str) -> Enrolment:
    return run.noting(**{ANSWERS: {**run.notes.get(ANSWERS, {}), question: answer}})
