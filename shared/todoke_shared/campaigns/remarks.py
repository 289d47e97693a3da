"""What `campaigns check` says of a campaign that is right: what it comes to, and what its author may not have meant."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.limits import Budget, QuietHours
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import Ask, If, Send, Step, Stop, branches_of, walk
from todoke_shared.conditions import All, Any_, Compare, Condition, Not, parse_condition
from todoke_shared.conditions.attributes import ANSWER_PREFIX
from todoke_shared.contracts.ec_events import CATALOGUE_TYPES

_YEN = 3
"""About what LINE asks in Japan for a message beyond the month's quota, at most (LINE-API.md: quota)."""


def remarks(campaign: Campaign) -> Iterator[str]:
    """A sentence each."""
    yield _cost(campaign)
    if campaign.budget is not None:
        yield _budget(campaign.budget)
    if campaign.enter.kind == "schedule":
        yield from _broadcast(campaign)
    unsent = campaign.messages.keys() - {step.send for step in _sends(campaign)} - _questions(campaign)
    for name in sorted(unsent):
        yield f"no step sends the message `{name}`"
    if campaign.holdout and campaign.lane == "transactional":
        yield f"{campaign.holdout}% of people will not get these transactional messages, for the sake of comparison"
    quiet = campaign.quiet_hours
    if quiet is not None and campaign.expires is not None and campaign.expires < length_of(quiet):
        yield (
            f"messages that fall early into the quiet hours ({format_duration(length_of(quiet))}) are dropped, "
            f"for they expire after {format_duration(campaign.expires)}"
        )
    for name in sorted(CATALOGUE_TYPES & campaign.enter.event_types):
        yield (
            f"`{name}` is about a product: it brings in only whom the shop names as its `subject`, and so mostly nobody"
        )
    yield from _answers_nobody_can_give(campaign)


def most_messages(steps: tuple[Step, ...]) -> int:
    """How many messages a run through these steps sends at most."""
    through, stopped = _most(steps)
    return max(through or 0, stopped)


def length_of(quiet: QuietHours) -> timedelta:
    """How long the quiet hours are."""
    day = datetime(2000, 1, 1)  # noqa: DTZ001 - any day without a change of clocks
    length = datetime.combine(day, quiet.end) - datetime.combine(day, quiet.start)
    return length % timedelta(days=1)


def _most(steps: tuple[Step, ...]) -> tuple[int | None, int]:
    """The most messages of a way through these steps (None: nobody gets through), and of one that stops in them."""
    through, stopped = 0, 0
    for step in steps:
        ways = [_most(inner) for inner in branches_of(step).values()]
        stopped = max([stopped, *(through + most for _, most in ways)])
        passing = [most for most, _ in ways if most is not None]
        if isinstance(step, Stop) or (ways and not passing):
            return None, max(stopped, through)
        through += max(passing, default=1 if isinstance(step, Send | Ask) else 0)
    return through, stopped


def _cost(campaign: Campaign) -> str:
    most = most_messages(campaign.steps)
    if not most:
        return "it sends no messages, and so costs nothing"
    held = f", but to {campaign.holdout}% of them nothing" if campaign.holdout else ""
    return (
        f"at most {most} {'message' if most == 1 else 'messages'} to each who comes in{held}; each counts towards the "
        f"month's quota, and beyond it LINE asks at most about {_YEN * most} yen a person"
    )


def _budget(budget: Budget) -> str:
    yen = None if budget.yen is None else f"{budget.yen:,} yen at its account's `price_yen`"
    messages = None if budget.messages is None else f"{budget.messages:,} messages"
    return f"in a month it stops at {' or '.join(told for told in (messages, yen) if told)}; what is beyond is held"


def _broadcast(campaign: Campaign) -> Iterator[str]:
    enter = campaign.enter
    if enter.when is None:
        yield f"without `when` the audience is everybody who is a friend of {campaign.account}"
    if enter.rate is not None:
        yield f"10,000 people take {format_duration(timedelta(seconds=-(-10_000 // enter.rate)))} at this `rate`"


def _sends(campaign: Campaign) -> Iterator[Send]:
    return (step for _, step in walk(campaign.steps) if isinstance(step, Send))


def _questions(campaign: Campaign) -> set[str]:
    return {step.message for _, step in walk(campaign.steps) if isinstance(step, Ask)}


def _answers_nobody_can_give(campaign: Campaign) -> Iterator[str]:
    asked = {f"{ANSWER_PREFIX}{step.ask}": step.answers for _, step in walk(campaign.steps) if isinstance(step, Ask)}
    for _, step in walk(campaign.steps):
        if not isinstance(step, Send | If) or step.when is None:
            continue
        for attribute, wanted in _compared(parse_condition(step.when)):
            if attribute in asked and wanted not in asked[attribute]:
                yield (
                    f"`{attribute}` is held against `{wanted}`, which is none of the answers here: "
                    f"{', '.join(asked[attribute])}"
                )


def _compared(condition: Condition) -> Iterator[tuple[str, str]]:
    """The texts that attributes are held against."""
    match condition:
        case All(parts) | Any_(parts):
            for part in parts:
                yield from _compared(part)
        case Not(part):
            yield from _compared(part)
        case Compare(attribute, "is" | "has", str() as text):
            yield attribute, text
        case Compare(attribute, "one_of" | "has_any" | "has_all", tuple() as texts):
            yield from ((attribute, text) for text in texts if isinstance(text, str))
