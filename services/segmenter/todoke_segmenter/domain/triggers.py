"""What an event, or a change of a segment, makes true of a person, campaign by campaign.

Only the campaigns that listen are asked. History asks none: what happened long ago starts no campaign, and ends none
(docs/adr/0015). What comes while another tool speaks for the account (`mode: standby`) starts none, and may end one.

Late news of a cart. An event that is older than the cart's last change may show that this change was decided on too
little: the cart is not empty after all, or an order has emptied it. What it makes true is then told as of just after
the change, so that a run that began with it ends, and one that was refused begins.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.segments import Change
from todoke_segmenter.domain.state import published_cart
from todoke_shared.campaigns.model import SEGMENT_EVENTS, Campaign, Enter, EventRule, Per, PerField
from todoke_shared.conditions import Condition, ConditionError, resolve
from todoke_shared.contracts.ec_events import CART_CHANGES
from todoke_shared.contracts.triggers import LONGEST_KEY, MadeCause, MadeTrigger, TriggerKind
from todoke_shared.ids import trigger_id
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Compiled, Moment, compile_condition

logger = logging.getLogger("todoke.triggers")

_JUST_AFTER = timedelta(microseconds=1)


@dataclass(frozen=True)
class _Rule:
    campaign: Campaign
    kind: TriggerKind
    condition: Compiled | None


class _News(msgspec.Struct, frozen=True):
    """What campaigns hear: an event, or a change of a segment. Conditions see `raw`; `carried` is stored."""

    type: str
    key: UUID
    at: datetime
    shop: str
    person: UUID
    raw: dict[str, Any]
    carried: dict[str, Any]


class TriggerRules:
    """The entries and exits of the campaigns in force, by what can bring them about.

    `segments`: what each asks for, where a `when` names one.
    """

    def __init__(self, campaigns: Iterable[Campaign], segments: Mapping[str, Condition] | None = None) -> None:
        self._by_type: defaultdict[str, list[_Rule]] = defaultdict(list)
        self._by_segment: defaultdict[tuple[str, str], list[_Rule]] = defaultdict(list)
        for campaign in campaigns:
            # Exits first: in one instant the end wins, and an entry of that instant is over before it began.
            for rule in (*campaign.exit, campaign.enter):
                self._add(campaign, rule, segments or {})

    def decide(
        self, happening: Happening, person: UUID, state: PersonState, before: PersonState | None = None
    ) -> list[MadeTrigger]:
        """The triggers of one event, given the person's state just after it. Clocks stand where they stood then.

        `before`: the state just before it; without it no late news is told of.
        """
        rules = self._by_type.get(happening.type, ())
        known = None if before is None or before.carts is state.carts else before
        if happening.history or not (rules or known):
            return []
        news = _News(
            happening.type, happening.key, happening.at, happening.shop, person, happening.raw, happening.carried
        )
        triggers = _triggers(rules, news, state, may_start=not happening.standby) if rules else []
        return triggers if known is None else latest_of_each([*triggers, *self._late_news(news, known, state)])

    def decide_change(
        self, change: Change, person: UUID, shop: str, state: PersonState, *, may_start: bool = True
    ) -> list[MadeTrigger]:
        """The triggers of a person's entering or leaving a segment."""
        rules = self._by_segment.get((change.type, change.segment))
        if not rules:
            return []
        told = {"segment": change.segment}
        news = _News(change.type, change.cause, change.at, shop, person, told, told)
        return _triggers(rules, news, state, may_start=may_start)

    def _late_news(self, news: _News, before: PersonState, state: PersonState) -> list[MadeTrigger]:
        """What holds now of the cart as it was last changed, and did not before this older event was known."""
        last = state.cart.changed_at
        if last is None or last <= news.at:
            return []
        moment = Moment.at(last, TOKYO, news.raw)
        as_of_then = replace(news, at=last + _JUST_AFTER)
        return [
            _trigger(rule, as_of_then, state)
            for type_ in sorted(CART_CHANGES)
            for rule in self._by_type.get(type_, ())
            if rule.condition is not None
            and rule.condition.holds(state, moment)
            and not rule.condition.holds(before, moment)
        ]

    def _add(self, campaign: Campaign, rule: EventRule, segments: Mapping[str, Condition]) -> None:
        kind: TriggerKind = "enter" if isinstance(rule, Enter) else "exit"
        try:
            condition = _compiled(rule.condition, segments, campaign.account)
        except ConditionError as error:  # publishing refuses it: a segment that only a newer release can read
            logger.error("the %s of campaign %s is passed over: %s", kind, campaign.campaign, error)
            return
        for event_type in rule.event_types:
            made = _Rule(campaign, kind, condition)
            if event_type in SEGMENT_EVENTS:
                self._by_segment[event_type, rule.segment or ""].append(made)
            else:
                self._by_type[event_type].append(made)


def _compiled(condition: Condition | None, segments: Mapping[str, Condition], account: str) -> Compiled | None:
    return None if condition is None else compile_condition(resolve(condition, segments), account)


def _triggers(rules: Iterable[_Rule], news: _News, state: PersonState, *, may_start: bool) -> list[MadeTrigger]:
    moment = None
    triggers: list[MadeTrigger] = []
    for rule in rules:
        if rule.kind == "enter" and not may_start:
            continue
        if rule.condition is not None:
            moment = moment or Moment.at(news.at, TOKYO, news.raw)
            if not rule.condition.holds(state, moment):
                continue
        triggers.append(_trigger(rule, news, state))
    return latest_of_each(triggers) if len(triggers) > 1 else triggers


def latest_of_each(triggers: Iterable[MadeTrigger]) -> list[MadeTrigger]:
    """Two exits by one event are one exit, that which ends more: of every run (no key), and as of later."""
    latest: dict[UUID, MadeTrigger] = {}
    for trigger in triggers:
        known = latest.get(trigger.id)
        if known is None or (trigger.key == "", trigger.at) >= (known.key == "", known.at):
            latest[trigger.id] = trigger
    return list(latest.values())


def _trigger(rule: _Rule, news: _News, state: PersonState) -> MadeTrigger:
    campaign = rule.campaign
    context = {"event": news.carried, "cart": published_cart(state)} if rule.kind == "enter" else {}
    return MadeTrigger(
        id=trigger_id(news.key, campaign.campaign, rule.kind, news.person),
        kind=rule.kind,
        shop=news.shop,
        campaign=campaign.campaign,
        person=news.person,
        key=_run_key(rule, news),
        at=news.at,
        cause=MadeCause(type=news.type, key=news.key),
        context=context,
    )


def _run_key(rule: _Rule, news: _News) -> str:
    """Which run of the campaign is meant. An exit with "" means every run of the person."""
    per: Per = rule.campaign.enter.per
    match per:
        case "person":
            return ""
        case "event":
            return str(news.key) if rule.kind == "enter" else ""
        case "order" | "cart":
            return str(news.raw.get(f"{per}_id") or "")
        case PerField(field=path):
            value = _at(news.raw, path)
            return "" if value is None else str(value)[:LONGEST_KEY]


def _at(data: Any, path: str) -> str | int | float | None:
    """The plain value at a path ("reservation.id") of an event's data."""
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str | int | float) else None
