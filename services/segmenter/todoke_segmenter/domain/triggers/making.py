"""A trigger: of which run, with which id, and what it carries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import published_cart
from todoke_shared.campaigns.asking import Tapped
from todoke_shared.campaigns.model import Campaign, Per, PerField
from todoke_shared.contracts.triggers import LONGEST_KEY, MadeCause, MadeTrigger, TriggerKind
from todoke_shared.ids import trigger_id
from todoke_shared.people import PersonState
from todoke_shared.people.conditions import Compiled

_OF_ORDERS = "order."
_BOUGHT = "order.placed"


@dataclass(frozen=True)
class Rule:
    """One way into, out of or to the end of a campaign. `goal`: its place in the campaign's list."""

    campaign: Campaign
    kind: TriggerKind
    condition: Compiled | None
    goal: int = 0


class News(msgspec.Struct, frozen=True):
    """What campaigns hear: an event, or a change of a segment. Conditions see `raw`; `carried` is stored."""

    type: str
    key: UUID
    at: datetime
    shop: str
    person: UUID
    raw: dict[str, Any]
    carried: dict[str, Any]


def news_of(happening: Happening, person: UUID) -> News:
    """An event as campaigns hear it."""
    return News(happening.type, happening.key, happening.at, happening.shop, person, happening.raw, happening.carried)


def made(rule: Rule, news: News, state: PersonState, key: str | None = None) -> MadeTrigger:
    """The trigger of a rule that holds; `key` where something else than the news says which run is meant."""
    key = run_key(rule, news) if key is None else key
    return trigger(rule.kind, rule.campaign.campaign, news, key, _context(rule, news, state))


def answered(tap: Tapped, news: News) -> MadeTrigger:
    """The trigger of an answer: for every run of the person that waits for it."""
    told = {"question": tap.question, "answer": tap.answer}
    return trigger("answer", tap.campaign, news, "", told)


def trigger(kind: TriggerKind, campaign: str, news: News, key: str, context: dict[str, Any]) -> MadeTrigger:
    """A trigger by its parts."""
    what = f"goal:{context['goal']}" if kind == "goal" else kind  # two goals that one event reaches are two
    return MadeTrigger(
        id=trigger_id(news.key, campaign, what, news.person),
        kind=kind,
        shop=news.shop,
        campaign=campaign,
        person=news.person,
        key=key,
        at=news.at,
        cause=MadeCause(type=news.type, key=news.key),
        context=context,
    )


def latest_of_each(triggers: Iterable[MadeTrigger]) -> list[MadeTrigger]:
    """Two exits by one event are one exit, that which ends more: of every run (no key), and as of later."""
    latest: dict[UUID, MadeTrigger] = {}
    for trigger in triggers:
        known = latest.get(trigger.id)
        if known is None or (trigger.key == "", trigger.at) >= (known.key == "", known.at):
            latest[trigger.id] = trigger
    return list(latest.values())


def run_key(rule: Rule, news: News) -> str:
    """Which run of the campaign is meant. An exit, or a goal, with "" means every run of the person."""
    per: Per = rule.campaign.enter.per
    match per:
        case "person":
            return ""
        case "event":
            return str(news.key) if rule.kind == "enter" else ""
        case "order" if rule.kind == "goal" and news.type == _BOUGHT:
            return ""  # what a run brings about is another order than the one it is about
        case "order" | "cart":
            return str(news.raw.get(f"{per}_id") or "")
        case PerField(field=path):
            value = _at(news.raw, path)
            return "" if value is None else str(value)[:LONGEST_KEY]


def entry_context(carried: dict[str, Any], state: PersonState) -> dict[str, Any]:
    """What the messages of a run may say of its beginning."""
    return {"event": carried, "cart": published_cart(state)}


def _context(rule: Rule, news: News, state: PersonState) -> dict[str, Any]:
    match rule.kind:
        case "enter":
            return entry_context(news.carried, state)
        case "goal":
            return {"goal": rule.goal, **_earned(news)}
    return {}


def _earned(news: News) -> dict[str, Any]:
    """What an order was worth, for the report; nothing else of the event is of interest."""
    if not news.type.startswith(_OF_ORDERS):
        return {}
    told = {name: news.carried[name] for name in ("order_id", "amount") if news.carried.get(name) is not None}
    return {"event": told} if told else {}


def _at(data: Any, path: str) -> str | int | float | None:
    """The plain value at a path ("reservation.id") of an event's data."""
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, str | int | float) else None
