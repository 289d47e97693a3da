"""Looks at runs: brings what is known of their people, lets each move on, and has what comes of it carried out.

May block: on PostgreSQL. Everything happens in the caller's transaction, in which the runs are locked. What is locked
here besides, in this order: the people whose messages caps count, codes of coupons, days of timers.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from todoke_scheduler.adapters.enrolments import note_enrolments, save_enrolments
from todoke_scheduler.adapters.people import people_now, segments_now
from todoke_scheduler.adapters.sends import lock_sent
from todoke_scheduler.adapters.timers import save_timers
from todoke_scheduler.carrying_out import Done, carry_out
from todoke_scheduler.domain import words
from todoke_scheduler.domain.asks import Asks, comes_to_act
from todoke_scheduler.domain.effects import Effect, Noted, Owed
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.guards import Guard, Sent, Standing
from todoke_scheduler.domain.moving import moved
from todoke_scheduler.domain.recipient import Asked, Conditions, PersonNow
from todoke_scheduler.domain.stepping import advance
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.clock import Clock
from todoke_shared.conditions import Condition
from todoke_shared.errors import for_the_log
from todoke_shared.postgres.stream import Connection
from todoke_shared.shops import Shop

logger = logging.getLogger("todoke.runs")

UNREADABLE_REST = timedelta(minutes=1)
"""A rolling deploy takes minutes."""
_STRANGER = PersonNow()
_NO_SHOP = Shop()


@dataclass(frozen=True, slots=True)
class Followed:
    """A version of a campaign as runs on it are looked at. `on`: the version in force, where runs move on to it."""

    program: Program
    asks: Asks
    standing: Standing
    on: PublishedCampaign | None


class _Look(msgspec.Struct, frozen=True):
    """A run before it moves on, `stored` as it is, what was noted of it already, and what it follows."""

    stored: Enrolment
    run: Enrolment
    notes: tuple[Effect, ...]
    followed: Followed

    @property
    def asks(self) -> Asks:
        return self.followed.asks

    @property
    def standing(self) -> Standing:
        return self.followed.standing


class Looks:
    """Looks at runs. `shops`: their caps and quiet hours, by name. `conditions`: as campaigns ask them now."""

    def __init__(self, catalogue: CampaignCatalogue, clock: Clock, shops: Mapping[str, Shop]) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._shops = shops
        self._asks: dict[tuple[str, int], Asks] = {}
        self._segments: dict[str, Condition] = {}
        self.conditions = Conditions()

    async def refresh_segments(self, connection: Connection) -> None:
        """Learn what segments' names in conditions ask for."""
        segments = await segments_now(connection)
        if segments != self._segments:
            self._segments, self.conditions = segments, Conditions(segments)

    async def look(
        self, connection: Connection, runs: Sequence[Enrolment], now: datetime, noted: AbstractSet[UUID] = frozenset()
    ) -> None:
        """Do what is due of these runs. `noted`: those that have notes which are not stored yet."""
        await self._catalogue.fetch({(run.campaign, run.version) for run in runs}, connection)
        looks, left = self._sort_out(runs)
        acting = [look for look in looks if comes_to_act(look.run, look.followed.program, now)]
        people = await people_now(
            connection,
            (look.run.person for look in acting),
            states={look.run.person for look in acting if look.asks.state},
            consents={look.run.person for look in acting if look.asks.consent},
        )
        sent = await _lock_sent(connection, acting, people, now)
        done: list[Done] = []
        for look in looks:
            one = self._try_to_move_on(look, people.get(look.run.person, _STRANGER), sent, now)
            if one is None:
                left.append(look.stored)
            else:
                done.append(one)
        await carry_out(connection, done, now, noted)
        await _put_off(connection, left, now, noted)

    def _sort_out(self, runs: Iterable[Enrolment]) -> tuple[list[_Look], list[Enrolment]]:
        followed: dict[tuple[str, int, str], Followed | None] = {}
        looks: list[_Look] = []
        unreadable: list[Enrolment] = []
        for run in runs:
            key = (run.campaign, run.version, run.shop)
            if key not in followed:
                followed[key] = self._follow(self._catalogue.known(run.campaign, run.version), run.shop)
            found = followed[key]
            if found is None:
                unreadable.append(run)
            else:
                looks.append(self._moved(run, found))
        return looks, unreadable

    def _follow(self, published: PublishedCampaign | None, shop: str) -> Followed | None:
        if published is None:
            return None
        version = (published.campaign.campaign, published.version)
        if version not in self._asks:
            self._asks[version] = Asks.of(published.program)
        latest = self._catalogue.latest(published.campaign.campaign)
        if latest is not None and (latest.version <= published.version or latest.campaign.running != "move"):
            latest = None
        return Followed(published.program, self._asks[version], self.standing(published, shop), latest)

    def standing(self, published: PublishedCampaign, shop: str) -> Standing:
        """What holds now for all runs of a campaign in a shop."""
        of_shop, campaign = self._shops.get(shop, _NO_SHOP), published.campaign
        is_paused = campaign.campaign in self._catalogue.paused
        return Standing(campaign, of_shop.caps, is_paused, of_shop.quiet_hours, self._clock.rate)

    def _moved(self, run: Enrolment, followed: Followed) -> _Look:
        """The run on the version in force, where that says so."""
        latest = followed.on
        if latest is None:
            return _Look(run, run, (), followed)
        there = moved(run, followed.program, latest)
        on = self._follow(latest, run.shop)
        if there.version == run.version or on is None:
            return _Look(run, run, (), followed)
        place = on.program.at(there.position)
        note = Noted(words.moved_on(latest.version), place.place if place else "")
        return _Look(run, there, (note,), on)

    def _try_to_move_on(
        self, look: _Look, person: PersonNow, sent: dict[UUID, list[Sent]], now: datetime
    ) -> Done | None:
        """None where this release cannot: no other run waits for that."""
        run, why = look.run, "what is known of the person cannot be read by this release"
        if person.is_readable:
            try:
                return self._move_on(look, person, sent, now)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others of the batch must go on
                why = for_the_log(error)
        logger.error("run %s of %s, version %d, is put off: %s", run.id, run.campaign, run.version, why)
        return None

    def _move_on(self, look: _Look, person: PersonNow, sent: dict[UUID, list[Sent]], now: datetime) -> Done:
        run, standing = look.run, look.standing
        known_as = person.current or run.person
        asked = Asked(person, self.conditions, standing.campaign.account, now, run.context.get("event"))
        decide = Guard(standing, asked, now, sent.get(known_as, ()))
        after, effects = advance(run, look.followed.program, asked, now, decide)
        counts = standing.counts_sent
        if counts:
            lane = standing.campaign.lane
            sent.setdefault(known_as, []).extend(
                Sent(run.campaign, lane, now) for effect in effects if isinstance(effect, Owed)
            )
        return Done(look.stored, after, (*look.notes, *effects), look.followed.program, look.asks, person, counts)


async def _put_off(connection: Connection, runs: Sequence[Enrolment], now: datetime, noted: AbstractSet[UUID]) -> None:
    """Runs that this release cannot move on wait for one that can, and hold up nobody."""
    await save_enrolments(connection, runs)
    await note_enrolments(connection, [run for run in runs if run.id in noted])
    await save_timers(connection, runs, not_before={run.id: now + UNREADABLE_REST for run in runs})


async def _lock_sent(
    connection: Connection, looks: Iterable[_Look], people: Mapping[UUID, PersonNow], now: datetime
) -> dict[UUID, list[Sent]]:
    counted = [look for look in looks if look.standing.counts_sent]
    if not counted:
        return {}
    ids = {people.get(look.run.person, _STRANGER).current or look.run.person for look in counted}
    longest = max(look.standing.longest_cap() for look in counted)
    return await lock_sent(connection, ids, now - longest)
