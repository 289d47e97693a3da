"""The goals, exits and entries of the campaigns in force, found by what can bring them about."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec.structs import replace

from todoke_segmenter.domain.happening import LINE_PREFIX, POSTBACK, TEXT_MESSAGE, Happening
from todoke_segmenter.domain.segments import Change, DateEntry
from todoke_segmenter.domain.triggers.making import (
    News,
    Rule,
    answered,
    entry_context,
    latest_of_each,
    made,
    news_of,
    run_key,
    trigger,
)
from todoke_shared.campaigns.entering import as_said
from todoke_shared.campaigns.model import SEGMENT_EVENTS, Campaign, EventRule
from todoke_shared.conditions import Condition, ConditionError, resolve
from todoke_shared.contracts.ec_events import CAMPAIGN_REQUESTS, CART_CHANGES, CampaignRequested
from todoke_shared.contracts.triggers import MadeTrigger, TriggerKind
from todoke_shared.ids import date_key
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Compiled, Moment, compile_condition

logger = logging.getLogger("todoke.triggers")

_JUST_AFTER = timedelta(microseconds=1)
_START = "campaign.start_requested"
_LOOKED_INTO = CAMPAIGN_REQUESTS | {TEXT_MESSAGE, POSTBACK}
"""What these say, and not just that they came, tells who is asked."""


class TriggerRules:
    """The rules of some campaigns. `segments`: what each asks for, where a `when` names one."""

    def __init__(self, campaigns: Iterable[Campaign], segments: Mapping[str, Condition] | None = None) -> None:
        self._segments = segments or {}
        self._by_type: defaultdict[str, list[Rule]] = defaultdict(list)
        self._by_segment: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._by_word: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._by_button: defaultdict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._by_date: dict[str, tuple[Rule, DateEntry]] = {}
        self._entries: dict[str, Rule | None] = {}
        for campaign in campaigns:
            # Exits before entries: in one instant the end wins, and an entry of that instant is over before it began.
            for number, goal in enumerate(campaign.goal):
                self._listen(self._rule(campaign, "goal", goal, number), goal)
            for exit_ in campaign.exit:
                self._listen(self._rule(campaign, "exit", exit_), exit_)
            self._entries[campaign.campaign] = entry = self._rule(campaign, "enter", campaign.enter)
            self._open(entry, campaign)

    def decide(
        self, happening: Happening, person: UUID, state: PersonState, before: PersonState | None = None
    ) -> list[MadeTrigger]:
        """The triggers of one event, given the person's state just after it. Clocks stand where they stood then.

        `before`: the state just before it; without it no late news is told of.
        """
        rules: Sequence[Rule] = self._by_type.get(happening.type, ())
        if rules and happening.type.startswith(LINE_PREFIX):
            rules = _of_its_account(rules, happening)
        known = None if before is None or before.carts is state.carts else before
        is_looked_into = happening.type in _LOOKED_INTO
        if happening.history or not (rules or known or is_looked_into):
            return []
        news = news_of(happening, person)
        told: list[MadeTrigger] = []
        if is_looked_into:
            told, rules = self._told_by(happening, news, state), [*rules, *self._meant_by(happening)]
        triggers = [*told, *_triggers(rules, news, state, may_start=not happening.standby)] if rules else told
        return triggers if known is None else latest_of_each([*triggers, *self._late_news(news, known, state)])

    def decide_change(
        self, change: Change, person: UUID, shop: str, state: PersonState, *, may_start: bool = True
    ) -> list[MadeTrigger]:
        """The triggers of a person's entering or leaving a segment, or of the coming of a date."""
        if (dated := self._by_date.get(change.segment)) is not None:
            return _on_date(*dated, _news_of(change, person, shop), state) if change.entered and may_start else []
        rules = self._by_segment.get((change.type, change.segment))
        return _triggers(rules, _news_of(change, person, shop), state, may_start=may_start) if rules else []

    def _meant_by(self, happening: Happening) -> list[Rule]:
        """The entries that the words of a message, or the data of a button, bring about."""
        if self._by_word and (text := happening.text) is not None:
            return self._by_word.get((happening.source, as_said(text)), [])
        if self._by_button and (data := happening.button) is not None:
            return self._by_button.get((happening.source, data), [])
        return []

    def _told_by(self, happening: Happening, news: News, state: PersonState) -> list[MadeTrigger]:
        """What an answer or another system says of a campaign by its name."""
        if happening.type in CAMPAIGN_REQUESTS:
            return self._requested(happening, news, state)
        tap = happening.tapped
        # A button may be older than this installation: the scheduler knows nothing of a campaign that is not here.
        return [] if tap is None or tap.campaign not in self._entries else [answered(tap, news)]

    def _requested(self, happening: Happening, news: News, state: PersonState) -> list[MadeTrigger]:
        """A start is an entry like any other: the campaign's `when` is asked, of the context given."""
        asked = happening.data
        assert isinstance(asked, CampaignRequested)  # noqa: S101 - check_event chose the model by the type
        context, name = asked.context or {}, asked.campaign
        if happening.type != _START:
            return [trigger("exit", name, news, asked.key or "", {})]
        if name not in self._entries:  # nobody knows it: the scheduler's dead letter says so
            return [trigger("enter", name, news, asked.key or "", entry_context(context, state))]
        entry, news = self._entries[name], replace(news, raw=context, carried=context)
        if entry is None or not _holds(entry, state, Moment.at(news.at, TOKYO, context)):
            return [trigger("refused", name, news, asked.key or "", {})]  # whoever called asks why nothing came
        return [made(entry, news, state, run_key(entry, news) if asked.key is None else asked.key)]

    def _late_news(self, news: News, before: PersonState, state: PersonState) -> list[MadeTrigger]:
        """What holds now of the cart as it was last changed, and did not before this older event was known."""
        last = state.cart.changed_at
        if last is None or last <= news.at:
            return []
        moment = Moment.at(last, TOKYO, news.raw)
        as_of_then = replace(news, at=last + _JUST_AFTER)
        return [
            made(rule, as_of_then, state)
            for type_ in sorted(CART_CHANGES)
            for rule in self._by_type.get(type_, ())
            if rule.condition is not None
            and rule.condition.holds(state, moment)
            and not rule.condition.holds(before, moment)
        ]

    def _rule(self, campaign: Campaign, kind: TriggerKind, rule: EventRule, goal: int = 0) -> Rule | None:
        try:
            return Rule(campaign, kind, _compiled(rule.condition, self._segments, campaign.account), goal)
        except ConditionError as error:  # publishing refuses it: a segment that only a newer release can read
            logger.error("the %s of campaign %s is passed over: %s", kind, campaign.campaign, error)
            return None

    def _open(self, entry: Rule | None, campaign: Campaign) -> None:
        enter, source = campaign.enter, f"line.{campaign.account}"
        if entry is None:
            return
        if (dated := DateEntry.of(campaign)) is not None:
            self._by_date[dated.segment] = entry, dated
        elif enter.keyword:
            for word in {as_said(word) for word in enter.keyword}:
                self._by_word[source, word].append(entry)
        elif enter.postback is not None:
            self._by_button[source, enter.postback].append(entry)
        else:
            self._listen(entry, enter)

    def _listen(self, made_of: Rule | None, rule: EventRule) -> None:
        if made_of is None:
            return
        for event_type in rule.event_types:
            if event_type in SEGMENT_EVENTS:
                self._by_segment[event_type, rule.segment or ""].append(made_of)
            else:
                self._by_type[event_type].append(made_of)


def _of_its_account(rules: Iterable[Rule], happening: Happening) -> list[Rule]:
    """Those whose campaign is of the account that a LINE event came to: a friend of one brand is none of another."""
    return [rule for rule in rules if f"{LINE_PREFIX}{rule.campaign.account}" == happening.source]


def _compiled(condition: Condition | None, segments: Mapping[str, Condition], account: str) -> Compiled | None:
    return None if condition is None else compile_condition(resolve(condition, segments), account)


def _news_of(change: Change, person: UUID, shop: str) -> News:
    told = {"segment": change.segment}
    return News(change.type, change.cause, change.at, shop, person, told, told)


def _on_date(rule: Rule, entry: DateEntry, news: News, state: PersonState) -> list[MadeTrigger]:
    """The day of a person's date has come, and its time; or the date was told on that day, later than that.

    Its cause is the date itself, so that a date which is told, taken back and told again is one entry.
    """
    coming = entry.coming(state, news.at)
    if coming is None:
        return []
    told = {"date": coming.date.isoformat()}
    key, at = date_key(rule.campaign.campaign, coming.date), max(news.at, coming.at)
    news = replace(news, type=entry.of_date, key=key, at=at, raw=told, carried=told)
    if not _holds(rule, state, Moment.at(news.at, TOKYO, told)):
        return []
    # A run a year, side by side if they are that long; but where entries are counted, all of them are the person's.
    return [made(rule, news, state, told["date"] if rule.campaign.enter.again == "always" else "")]


def _holds(rule: Rule, state: PersonState, moment: Moment) -> bool:
    return rule.condition is None or rule.condition.holds(state, moment)


def _triggers(rules: Iterable[Rule], news: News, state: PersonState, *, may_start: bool) -> list[MadeTrigger]:
    moment = None
    triggers: list[MadeTrigger] = []
    for rule in rules:
        if rule.kind == "enter" and not may_start:
            continue
        if rule.condition is not None:
            moment = moment or Moment.at(news.at, TOKYO, news.raw)
            if not rule.condition.holds(state, moment):
                continue
        triggers.append(made(rule, news, state))
    return latest_of_each(triggers) if len(triggers) > 1 else triggers
