"""What shops gave notice of is fetched back from them and told to ec.events.v1.

May block: on a shop, for a minute at most; other shops have loops of their own. May lose: nothing; a notice goes when
its events are durable, and after a week of an unreachable shop becomes a dead letter. May repeat: what was told just
before a crash, under the same ids.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from todoke_ingest.adapters.eccube import EcCubeApi
from todoke_ingest.adapters.fetches import Due, Fetches
from todoke_ingest.adapters.graphql import TIMEOUT_SECONDS, ShopApi, ShopError
from todoke_ingest.adapters.makeshop import MakeShopApi
from todoke_ingest.adapters.platform_tokens import EcCubeTokens
from todoke_ingest.domain import eccube, makeshop
from todoke_ingest.domain.notices import GIVEN_UP, SETTLED, Asked, Telling, next_try
from todoke_ingest.handlers.intake import Intake, dead_letter
from todoke_ingest.handlers.platforms import ECCUBE, MAKESHOP
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.shops import EcCube, MakeShop
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.fetching")
AT_ONCE = 4
"""Questions to one shop at a time: it serves its customers with the same few processes."""
LEASE = timedelta(seconds=4 * TIMEOUT_SECONDS)
"""Longer than a token, a question, and Kafka's answer together."""
POLL_SECONDS = 1.0

Payload = Mapping[str, object] | None


@dataclass(frozen=True)
class Platform:
    """A shop on a platform: where its notices wait, how to ask it, and how to tell what it answers."""

    fetches: Fetches
    open: Callable[[aiohttp.ClientSession], ShopApi]
    tell: Callable[[Asked, Payload], Telling]


def fetching_loops(intake: Intake) -> dict[str, Callable[[], Awaitable[None]]]:
    """A round to keep running for each shop that must be asked back, by the loop's name; empty when there is none."""
    return {f"fetch-{each.fetches.platform}-{each.fetches.shop}": _round(intake, each) for each in platforms(intake)}


def platforms(intake: Intake) -> list[Platform]:
    """The shops of the configuration that must be asked back. They need PostgreSQL."""
    found: list[Platform] = []
    for name, shop in intake.config.shops.items():
        if shop.eccube:
            found.append(_eccube(intake, name, shop.eccube))
        if shop.makeshop:
            found.append(_makeshop(intake, name, shop.makeshop))
    return found


async def fetch_some(intake: Intake, platform: Platform) -> int:
    """Fetch what is due of a shop, a few at a time. How many there were; errors of the shop are put off, not raised."""
    now = intake.clock.wall()
    due = await platform.fetches.claim(now, now + LEASE, AT_ONCE)
    if due:
        async with _session() as session:
            api = platform.open(session)
            results = await asyncio.gather(*(_fetch(intake, platform, api, one) for one in due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
    return len(due)


async def _fetch(intake: Intake, platform: Platform, api: ShopApi, due: Due) -> None:
    """One entity. What goes wrong on our side (PostgreSQL) is raised and comes again when the lease ends."""
    fetches, labels = platform.fetches, (platform.fetches.platform, platform.fetches.shop)
    try:
        with metrics.FETCH_SECONDS.labels(*labels).time():
            payload = await api.fetch(due.notice)
        told = await fetches.told_of(due.notice)
        asked = Asked(*labels, due.notice, due.received_at, intake.clock.wall(), told)
        await _tell(intake, platform, asked, payload)
    except ShopError as error:
        metrics.FETCHES.labels(*labels, error.outcome).inc()
        await _put_off(intake, fetches, due, str(error))
    except BadMessageError as error:
        metrics.FETCHES.labels(*labels, "garbage").inc()
        await _give_up(intake, fetches, due, error)
    except SlowDownError:
        await _put_off(intake, fetches, due, "Kafka does not acknowledge")
    else:
        metrics.FETCHES.labels(*labels, "found" if payload is not None else "gone").inc()
        if asked.is_settled:
            await fetches.finish(due)
        else:
            await fetches.put_off(due, due.received_at + SETTLED)


async def _tell(intake: Intake, platform: Platform, asked: Asked, payload: Payload) -> None:
    telling = platform.tell(asked, payload)
    door = platform.fetches.platform
    if telling.events:
        await intake.take_translated(door, telling.events, origin=f"POST /webhooks/{door}/{asked.shop}")
    if not telling.facts <= asked.told:
        await platform.fetches.remember_told(asked.notice, telling.facts)


async def _put_off(intake: Intake, fetches: Fetches, due: Due, reason: str) -> None:
    now = intake.clock.wall()
    if now >= due.received_at + GIVEN_UP:
        await _give_up(intake, fetches, due, BadMessageError(f"could not be fetched for a week; {reason}"))
        return
    again = next_try(now, due.attempts, random.random())  # noqa: S311 - jitter
    logger.warning("%s of shop %s: %s; again at %s", fetches.platform, fetches.shop, reason, f"{again:%H:%M:%S}")
    await fetches.put_off(due, again)


async def _give_up(intake: Intake, fetches: Fetches, due: Due, error: BadMessageError) -> None:
    """A dead letter holds the ids alone: what the shop answered is a person's."""
    raw = {"entity": due.notice.entity, "id": due.notice.entity_id, "action": due.notice.action}
    origin = f"POST /webhooks/{fetches.platform}/{fetches.shop}"
    try:
        await intake.publisher.publish([dead_letter(EC_EVENTS.dead_letters, raw, error, origin)])
    except SlowDownError:
        await fetches.put_off(due, next_try(intake.clock.wall(), due.attempts, 1.0))
        return
    metrics.DEAD_LETTERS.labels(EC_EVENTS.name).inc()
    await fetches.finish(due)


def _round(intake: Intake, platform: Platform) -> Callable[[], Awaitable[None]]:
    async def round_() -> None:
        fetches = platform.fetches
        if not await fetch_some(intake, platform):
            metrics.FETCHES_WAITING.labels(fetches.platform, fetches.shop).set(await fetches.waiting())
            await asyncio.sleep(POLL_SECONDS)

    return round_


def _eccube(intake: Intake, name: str, shop: EcCube) -> Platform:
    tokens = EcCubeTokens(intake.database, name, shop)
    return Platform(
        Fetches(intake.database, ECCUBE, name),
        lambda session: EcCubeApi(session, tokens, intake.clock.wall),
        lambda asked, payload: eccube.tell(asked, payload, shop),
    )


def _makeshop(intake: Intake, name: str, shop: MakeShop) -> Platform:
    return Platform(
        Fetches(intake.database, MAKESHOP, name),
        lambda session: MakeShopApi(session, shop, intake.clock.wall),
        lambda asked, payload: makeshop.tell(asked, payload, shop),
    )


def _session() -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # a stray HTTP_PROXY would see the tokens
    )
