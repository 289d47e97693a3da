"""Random campaigns, every step of the language among them, and a reading of them that knows nothing of programs."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from todoke_scheduler.domain.calendar import later
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.sharing import arm
from todoke_scheduler.domain.waiting import due_after
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.steps import (
    Ask,
    Coupon,
    Emit,
    If,
    RichMenu,
    Send,
    Set,
    Split,
    Step,
    Stop,
    Tag,
    Wait,
)
from todoke_shared.conditions import Condition, holds
from todoke_shared.ids import person_id

START = datetime(2026, 3, 7, 5, tzinfo=UTC)
"""The day before New York's clocks go forward."""
PERSON = person_id("main", "customer:1")
ZONES = ["Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "UTC"]
MESSAGES = ["hello", "again", "bye"]
QUESTIONS = ["skin", "taste"]
_TRUTHS = ["one", "two"]

_times = st.sampled_from(["00:00", "02:30", "09:00", "20:00", "23:59"])
_durations = st.sampled_from(["0s", "1s", "30m", "1h", "1d", "3d", "999999d"])
_dates = st.sampled_from(["event.on", "event.nothing", "birthday", "date.renewal"])
_offsets = st.sampled_from(["-2d", "0d", "3d"])
_conditions = st.builds(lambda name, value: {f"profile.{name}": value}, st.sampled_from(_TRUTHS), st.booleans())

waits: st.SearchStrategy[Any] = st.one_of(
    _durations,
    st.builds(lambda at: {"until": at}, _times),
    st.builds(lambda day, at: {"until": f"{day} {at}"}, st.sampled_from(["monday", "sunday"]), _times),
    st.builds(lambda days, at: {"days": days, "at": at}, st.integers(0, 4), _times),
    st.builds(lambda name, offset, at: {"date": name, "offset": offset, "at": at}, _dates, _offsets, _times),
)
"""Every way of waiting, as it is written."""

_flat_steps: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda wait: {"wait": wait}, waits),
    st.builds(lambda name: {"send": name}, st.sampled_from(MESSAGES)),
    st.builds(lambda name, when: {"send": name, "if": when}, st.sampled_from(MESSAGES), _conditions),
    st.builds(
        lambda ask, name, within: {"ask": ask, "message": name, "answers": ["はい", "いいえ"], "within": within},
        st.sampled_from(QUESTIONS), st.sampled_from(MESSAGES), st.sampled_from(["1h", "2d"]),
    ),
    st.sampled_from(
        [
            {"coupon": "spring"}, {"tag": "vip"}, {"untag": "vip"}, {"set": {"favourite": "tea"}}, {"stop": True},
            {"rich_menu": "member"}, {"rich_menu": "none"}, {"emit": "custom.care", "data": {"score": 1}},
        ]
    ),
)  # fmt: skip


def _nesting(inner: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    branching = st.one_of(
        st.builds(lambda when, then, other: {"if": when, "then": then, "else": other}, _conditions, inner, inner),
        st.builds(lambda when, then: {"if": when, "then": then}, _conditions, inner),
        st.builds(lambda a, b: {"split": {"a": 50, "b": 50}, "a": a, "b": b}, inner, inner),
    )
    return st.lists(_flat_steps | branching, max_size=4)


step_lists = st.recursive(st.lists(_flat_steps, max_size=4), _nesting, max_leaves=6)
"""Steps as they are written, branches within branches."""


def written(steps: list[dict[str, Any]], **keys: Any) -> Campaign:
    """A campaign with these steps."""
    return Campaign.model_validate(
        {
            "campaign": "care",
            "class": "marketing",
            "enter": {"on": "order.placed", "again": "always"},
            "steps": steps,
            "messages": {name: [{"type": "text", "text": "こんにちは"}] for name in MESSAGES},
            **keys,
        }
    )


campaigns: st.SearchStrategy[Campaign] = st.builds(
    lambda steps, zone: written(steps or [{"send": "hello"}], zone=zone), step_lists, st.sampled_from(ZONES)
)


@dataclass(frozen=True)
class Known:
    """A person by these truths and dates, a friend who has said nothing about advertising unless told otherwise."""

    facts: Mapping[str, bool] = field(default_factory=dict)
    dates: Mapping[str, date] = field(default_factory=dict)
    friend: bool = True
    consent: bool | None = None

    def holds(self, condition: Condition) -> bool:
        """By the truths."""
        return holds(condition, self.facts.get)

    def date(self, name: str) -> date | datetime | None:
        """One of the dates."""
        return self.dates.get(name)

    def is_friend(self, _: str) -> bool:
        """The same of all accounts."""
        return self.friend

    def consents(self) -> bool | None:
        """As told."""
        return self.consent


people: st.SearchStrategy[Known] = st.builds(
    Known,
    facts=st.dictionaries(st.sampled_from([f"profile.{name}" for name in _TRUTHS]), st.booleans()),
    dates=st.dictionaries(
        st.sampled_from(["birthday", "date.renewal"]), st.dates(date(1999, 1, 1), date(2027, 1, 1)) | st.just(date.max)
    ),
)

contexts: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    ["2026-03-08", "2026-03-09T02:30", "2026-03-08T20:00:00+09:00", "2026-02-30", "9999-12-31", "soon", 5, None]
).map(lambda on: {"event": {"on": on}})


def run_of(context: dict[str, Any] | None = None, **others: Any) -> Enrolment:
    """A run that starts at START."""
    return Enrolment(
        id=PERSON, campaign="care", version=1, shop="main", person=PERSON, key="", started_at=START, due_at=START,
        context=context or {}, **others,
    )  # fmt: skip


Done = tuple[str, str, datetime]
"""What is done, in short: the kind of step, what it names, and when it was due."""


class _StopError(Exception):
    pass


def reading(campaign: Campaign, run: Enrolment, person: Known) -> list[Done]:
    """All that a run does if nothing ends it and nobody answers, by the steps as a reader goes through them."""
    reader = _Reader(campaign, run, person, run.started_at)
    with suppress(_StopError):
        reader.read(campaign.steps, "steps")
    return reader.found


@dataclass
class _Reader:
    campaign: Campaign
    run: Enrolment
    person: Known
    clock: datetime
    found: list[Done] = field(default_factory=list)

    def read(self, steps: tuple[Step, ...], place: str) -> None:
        for index, step in enumerate(steps):
            self._step(step, f"{place}[{index}]")

    def _step(self, step: Step, here: str) -> None:
        match step:
            case Wait():
                self.clock, _ = due_after(step.wait, self.run, self.clock, self.campaign.tz, self.person)
            case If():
                name, inner = ("then", step.then) if self.person.holds(step.condition) else ("else", step.otherwise)
                self.read(inner, f"{here}.{name}")
            case Split():
                name = arm(self.run.campaign, step.name or here, step.shares, self.run.person)
                self.read(step.branches[name], f"{here}.{name}")
            case Stop():
                raise _StopError
            case Ask():
                self.found.append(("ask", step.message, self.clock))
                self.clock = later(self.clock, step.within)
            case Send() if step.condition is not None and not self.person.holds(step.condition):
                pass
            case _:
                self.found += [(kind, name, self.clock) for kind, name in _names(step)]


def _names(step: Step) -> Iterator[tuple[str, str]]:
    match step:
        case Send():
            yield "send", step.send
        case Coupon():
            yield "coupon", step.coupon
        case Tag():
            yield "publish", "custom.tag.added" if step.on else "custom.tag.removed"
        case Set():
            yield "publish", "customer.updated"
        case Emit():
            yield "publish", step.type
        case RichMenu():
            yield "rich_menu", str(step.menu)
