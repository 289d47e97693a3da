"""Carries out what runs want done, in the transaction that moves them on: all of it, or none and the runs stand still.

A message, an event and a coupon have one identity each, made of the run and the step: done twice, it is the same one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from todoke_scheduler.adapters.coupons import Wanted, assign_codes
from todoke_scheduler.adapters.decisions import Decision, save_decisions
from todoke_scheduler.adapters.enrolments import note_enrolments, save_enrolments
from todoke_scheduler.adapters.people import names_of
from todoke_scheduler.adapters.products import products_of
from todoke_scheduler.adapters.sends import save_sent
from todoke_scheduler.adapters.timers import FARTHEST, save_timers
from todoke_scheduler.domain import words
from todoke_scheduler.domain.asks import Asks
from todoke_scheduler.domain.effects import AssignCoupon, Effect, LinkRichMenu, LookAgain, Noted, Owed, Publish
from todoke_scheduler.domain.enrolment import COUPON, Enrolment
from todoke_scheduler.domain.guards import Sent
from todoke_scheduler.domain.owing import menu_request, message_request
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.telling import COUPON_ISSUED, event_of
from todoke_scheduler.domain.variables import PRODUCTS, Catalogue, product_ids
from todoke_shared.campaigns.program import Program
from todoke_shared.contracts.topics import EC_EVENTS, LANES
from todoke_shared.kafka.records import Outgoing
from todoke_shared.postgres.stream import Connection, put_outbox
from todoke_shared.telemetry import metrics

_EVENT_HEADERS = {"content-type": "application/cloudevents+json; charset=UTF-8", "todoke-service": "scheduler"}


class Done(msgspec.Struct, frozen=True):
    """A run before and after it moved on, and what it wants done. `counts_sent`: caps count its messages."""

    before: Enrolment
    after: Enrolment
    effects: tuple[Effect, ...]
    program: Program
    asks: Asks
    person: PersonNow
    counts_sent: bool

    def place_of(self, step: str) -> str:
        """Where in the file an effect's step is."""
        instruction = self.program.at(int(step.partition(":")[0]))
        return step if instruction is None else instruction.place


@dataclass(slots=True)
class _Work:
    """What a batch comes to, effect by effect."""

    now: datetime
    codes: dict[tuple[UUID, str], str]
    names: dict[UUID, str]
    catalogue: Catalogue
    runs: list[Enrolment] = field(default_factory=list)
    noted: list[Enrolment] = field(default_factory=list)
    rests: dict[UUID, datetime] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sent: list[tuple[UUID, str, Sent]] = field(default_factory=list)
    asked_for: Counter[tuple[str, str]] = field(default_factory=Counter)

    def carry_out(self, done: Done, *, noted: bool) -> None:
        run = done.after
        for effect in done.effects:
            match effect:
                case Owed():
                    self._owe(done, run, effect)
                case Noted(sentence, place):
                    self._tell(run, sentence, place or None)
                case AssignCoupon():
                    run = self._give(done, run, effect)
                case Publish():
                    self._publish(done, run, effect)
                case LinkRichMenu():
                    self._link(done, run, effect)
                case LookAgain(at):
                    self.rests[run.id] = at
        self.runs.append(run)
        before = done.before
        if noted or (run.version, run.notes, run.arms) != (before.version, before.notes, before.arms):
            self.noted.append(run)

    def _tell(self, run: Enrolment, sentence: str, place: str | None) -> None:
        self.decisions.append(Decision(run.person, run.campaign, sentence, self.now, run.id, place))

    def _owe(self, done: Done, run: Enrolment, owed: Owed) -> None:
        campaign, named = done.program.campaign, done.asks.variables.get(owed.message, frozenset())
        if "coupon" in named and run.notes.get(COUPON) is None:
            self._tell(run, words.NO_COUPON, done.place_of(owed.step))
            return
        request = message_request(run, owed, campaign, done.person, named, self.now, self.catalogue)
        topic = LANES[campaign.lane].name
        self.outgoing.append(Outgoing(topic, str(run.person).encode(), request.to_json()))
        self.asked_for[run.campaign, owed.message] += 1
        if done.counts_sent:
            sent = Sent(run.campaign, campaign.lane, self.now)
            self.sent.append((done.person.current or run.person, campaign.account, sent))

    def _give(self, done: Done, run: Enrolment, wanted: AssignCoupon) -> Enrolment:
        code, place = self.codes.get((run.id, wanted.step)), done.place_of(wanted.step)
        if code is None:
            metrics.COUPONS_MISSING.labels(wanted.pool).inc()
            self._tell(run, words.pool_empty(wanted.pool), place)
            return run.noting(**{COUPON: None})
        self._tell(run, words.coupon_given(wanted.pool), place)
        self._publish(done, run, Publish(COUPON_ISSUED, {"code": code}, wanted.step, self.now))
        return run.noting(**{COUPON: code})

    def _publish(self, done: Done, run: Enrolment, told: Publish) -> None:
        name = self.names.get(run.person)
        if name is None:
            self._tell(run, words.NOBODY_TO_TELL_OF, done.place_of(told.step))
        else:
            event = event_of(run, told, name)
            self.outgoing.append(Outgoing(EC_EVENTS.name, name.encode(), event.to_json(), _EVENT_HEADERS))

    def _link(self, done: Done, run: Enrolment, link: LinkRichMenu) -> None:
        campaign = done.program.campaign
        request = menu_request(run, link, campaign, done.person, self.now)
        if request is None:
            self._tell(run, words.no_friend(campaign.account), done.place_of(link.step))
        else:
            topic = LANES["transactional"].name
            self.outgoing.append(Outgoing(topic, str(run.person).encode(), request.to_json()))


async def carry_out(
    connection: Connection, done: Sequence[Done], now: datetime, noted: AbstractSet[UUID] = frozenset()
) -> None:
    """Store the runs as they now stand, set their timers, and put into the outbox what they want done."""
    wanted = list(_wanted(done))
    codes = await assign_codes(connection, wanted, now) if wanted else {}
    names = await names_of(connection, {one.after.person for one in done if _is_told_of(one.effects)})
    work = _Work(now, codes, names, await products_of(connection, set(_products(done))))
    for one in done:
        work.carry_out(one, noted=one.before.id in noted)
    await save_enrolments(connection, work.runs)
    await note_enrolments(connection, work.noted)
    await save_sent(connection, work.sent)
    await save_timers(connection, work.runs, not_before=work.rests, at_the_latest=now + FARTHEST)
    await put_outbox(connection, work.outgoing)
    await save_decisions(connection, work.decisions)
    for labels, number in work.asked_for.items():
        metrics.REQUESTS.labels(*labels).inc(number)


def _wanted(done: Iterable[Done]) -> Iterable[Wanted]:
    for one in done:
        for effect in one.effects:
            if isinstance(effect, AssignCoupon):
                person = one.person.current or one.after.person
                yield Wanted(one.after.id, effect.step, effect.pool, person)


def _products(done: Iterable[Done]) -> Iterator[tuple[str, str]]:
    """What messages tell of from the catalogue, by shop and id."""
    for one in done:
        owed = (effect.message for effect in one.effects if isinstance(effect, Owed))
        if any(PRODUCTS in one.asks.variables.get(message, ()) for message in owed):
            yield from ((one.after.shop, product) for product in product_ids(one.after, one.person))


def _is_told_of(effects: Iterable[Effect]) -> bool:
    return any(isinstance(effect, Publish | AssignCoupon) for effect in effects)
