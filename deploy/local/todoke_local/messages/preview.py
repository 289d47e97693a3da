"""A campaign's messages as real people would read them now. Nothing is written, and nothing is sent."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from todoke_dispatcher.domain.rendering import RenderError, render
from todoke_line_simulator.validation import messages_problems
from todoke_local.broadcast_view import some_of
from todoke_local.messages.reads import reads_of
from todoke_local.messages.samples import long_sample
from todoke_local.messages.vocabulary import vocabulary
from todoke_scheduler.adapters import explaining
from todoke_scheduler.adapters.people import segments_now
from todoke_scheduler.adapters.previewing import all_known, latest_runs
from todoke_scheduler.adapters.products import products_of
from todoke_scheduler.domain.broadcasts import FIRST
from todoke_scheduler.domain.enrolment import COUPON, Enrolment
from todoke_scheduler.domain.recipient import PersonNow
from todoke_scheduler.domain.variables import VARIABLES, Catalogue, product_ids, variables
from todoke_shared.campaigns.asking import with_answers
from todoke_shared.campaigns.model import Ask, Campaign, walk
from todoke_shared.conditions import All, Condition, ConditionError, parse_condition, resolve
from todoke_shared.jsons import dumps
from todoke_shared.postgres.stream import Connection

_SAMPLE_CODE = "SAMPLE-CODE"


@dataclass(frozen=True)
class Previewed:
    """A message for a person: `objects` as LINE would get them, or `why` they do not get it, and never both.

    `stand_ins`: what of it is not theirs, for they have not come in: the event, the coupon's code.
    """

    person: UUID
    message: str
    objects: list[Any] | None
    why: str | None
    stand_ins: tuple[str, ...]


async def preview(
    pool: "asyncpg.Pool[asyncpg.Record]", campaign: Campaign, now: datetime, *, person: str | None, people: int
) -> list[Previewed]:
    """Each message of the campaign for `person`, or for some of those whom it concerns. ValueError: there is nobody.

    `pool`: on the scheduler's schema.
    """
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        if person is not None:
            runs = await _runs_of(pool, campaign, person, now)
        else:
            runs = await latest_runs(connection, campaign.campaign, people)
            runs += await _strangers(connection, campaign, {run.person for run in runs}, people, now)
            runs = runs[:people]
        if not runs:
            raise ValueError(
                f"nobody is known whom `{campaign.campaign}` concerns: no friend of the account {campaign.account} is "
                "like that; name somebody with --person customer:42"
            )
        found = await all_known(connection, [run.person for run in runs])
        concerned = [(run, found.get(run.person, PersonNow(run.person))) for run in runs]
        wanted = {(run.shop, product) for run, one in concerned for product in product_ids(run, one)}
        catalogue = await products_of(connection, wanted)
    return [each for run, one in concerned for each in _previews(campaign, run, one, now, catalogue)]


async def _runs_of(
    pool: "asyncpg.Pool[asyncpg.Record]", campaign: Campaign, person: str, now: datetime
) -> list[Enrolment]:
    ids = await explaining.people_named(pool, person)
    if not ids:
        raise ValueError(f"nobody is known as `{person}`; write customer:42, visitor:… or a person's id")
    runs = await explaining.runs_of(pool, ids, campaign.campaign)
    return runs[-1:] or [_stranger(campaign, ids[0], now)]


async def _strangers(
    connection: Connection, campaign: Campaign, known: Collection[UUID], people: int, now: datetime
) -> list[Enrolment]:
    """Runs that friends of the account might have, who have none yet, where so many people are not known."""
    if len(known) >= people:
        return []
    found = await some_of(connection, campaign.account, await _audience(connection, campaign), now, people)
    return [_stranger(campaign, one.person, now, one.shop) for one in found if one.person not in known]


async def _audience(connection: Connection, campaign: Campaign) -> Condition | None:
    """Of whom the entry's questions about people hold; those about an event are left aside."""
    known = await segments_now(connection)
    parts: list[Condition] = []
    for key, body in (campaign.enter.when or {}).items():
        try:
            parts.append(resolve(parse_condition({key: body}, events=False), known))
        except ConditionError:
            continue
    return All(tuple(parts)) if parts else None


def _stranger(campaign: Campaign, person: UUID, now: datetime, shop: str = "main") -> Enrolment:
    """The run that somebody might have."""
    return Enrolment(
        id=FIRST,
        campaign=campaign.campaign,
        version=0,
        shop=shop,
        person=person,
        key="",
        started_at=now,
        due_at=now,
    )


def _previews(
    campaign: Campaign, run: Enrolment, person: PersonNow, now: datetime, catalogue: Catalogue
) -> Iterator[Previewed]:
    known = vocabulary(campaign)
    for name, template in campaign.messages.items():
        reads = reads_of(template, VARIABLES)
        told = variables(run, person, VARIABLES, now, campaign.tz, catalogue)
        stand_ins: list[str] = []
        named = {path[0] for path in reads.uses}
        if run.id == FIRST and "event" in named and "event" in known:
            told["event"] = long_sample(known, reads.uses)["event"]
            stand_ins.append("event")
        if "coupon" in named and run.notes.get(COUPON) is None:
            told["coupon"] = {"code": _SAMPLE_CODE}
            stand_ins.append("coupon")
        objects, why = _rendered(campaign, name, template, told)
        yield Previewed(run.person, name, objects, why, tuple(stand_ins))


def _rendered(
    campaign: Campaign, name: str, template: Sequence[Mapping[str, Any]], told: dict[str, Any]
) -> tuple[list[Any] | None, str | None]:
    try:
        filled: list[Any] = render(template, told, campaign.tz)
    except RenderError as error:
        return None, str(error).removeprefix("render: ")
    ask = next((step for _, step in walk(campaign.steps) if isinstance(step, Ask) and step.message == name), None)
    objects = with_answers(filled, campaign.campaign, ask) if ask is not None else filled
    problems = messages_problems(dumps(objects))
    if problems:
        return None, "LINE would refuse it: " + "; ".join(f"{one.property}: {one.message}" for one in problems)
    return objects, None
