"""Wires the segmenter: settings -> adapters -> app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from faststream.kafka import KafkaBroker
from starlette.applications import Starlette

from todoke_segmenter.adapters.account_links import purge_account_links
from todoke_segmenter.adapters.layout import claim_layout, watch_layout
from todoke_segmenter.adapters.segments import SegmentCatalogue
from todoke_segmenter.by_clock import REST_SECONDS, ByClock
from todoke_segmenter.handlers import Segmenter
from todoke_segmenter.settings import SegmenterSettings
from todoke_shared.campaigns.catalogue import RELOAD_SECONDS, CampaignCatalogue
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LINE_EVENTS, OUTCOMES
from todoke_shared.kafka.catching_up import CatchingUp
from todoke_shared.kafka.consume import Consumption
from todoke_shared.kafka.records import BatchHandler
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.migrate import Migrations
from todoke_shared.postgres.stream import purge_inbox
from todoke_shared.service import Room, consuming, new_broker, open_room, serve, telling_of_the_configuration
from todoke_shared.telemetry.health import Readiness, health_routes
from todoke_shared.telemetry.logs import set_up_logs

NAME = "segmenter"
MIGRATIONS = Migrations(NAME, Path(__file__).parent / "migrations")


def declare(
    broker: KafkaBroker, ec_events: BatchHandler, line_events: BatchHandler, outcomes: BatchHandler
) -> Consumption:
    """What the segmenter reads and writes: for the running service, and for AsyncAPI."""
    consumption = Consumption(broker, group=f"todoke-{NAME}")
    consumption.subscribe([EC_EVENTS], ec_events, lane="ec", side_by_side=3)
    consumption.subscribe([LINE_EVENTS], line_events, lane="line")
    consumption.subscribe([OUTCOMES], outcomes, lane="outcomes")
    broker.publisher(
        CUSTOMER_TRIGGERS.name,
        schema=CUSTOMER_TRIGGERS.model,
        title=CUSTOMER_TRIGGERS.name,
        description=CUSTOMER_TRIGGERS.purpose,
    )
    return consumption


def create_app(settings: SegmenterSettings) -> Starlette:
    """The service as an ASGI app: health outside, consumption in its lifespan."""
    readiness = Readiness()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_room(settings, NAME, readiness) as room:
            await claim_layout(room.pool)
            segmenter = await _open_segmenter(room)
            await _follow_clock(room, segmenter, settings.kafka_bootstrap_servers)
            room.loops.start("inbox", lambda: purge_inbox(room.pool))
            room.loops.start("account-links", lambda: purge_account_links(room.pool))
            room.loops.start("layout", lambda: watch_layout(room.pool, readiness))
            broker = new_broker(settings, NAME)
            takers = segmenter.take_ec_events, segmenter.take_line_events, segmenter.take_outcomes
            async with consuming(broker, declare(broker, *takers), room):
                yield

    return Starlette(routes=health_routes(readiness), lifespan=lifespan)


async def _open_segmenter(room: Room) -> Segmenter:
    """It knows what is published, and learns what will be."""
    catalogue, segments = CampaignCatalogue(room.pool), SegmentCatalogue(room.pool)
    wake = room.relay.wake
    segmenter = Segmenter(room.pool, catalogue, room.clock, cluster=room.cluster, wake=wake, segments=segments)

    async def reload() -> None:
        await asyncio.sleep(RELOAD_SECONDS)
        await segmenter.rulebook.learn()

    await segmenter.rulebook.learn()
    room.loops.start("rules", reload)
    return segmenter


async def _follow_clock(room: Room, segmenter: Segmenter, bootstrap_servers: str) -> None:
    """Let time move people, once what lies in the topics now has been taken."""
    by_clock = ByClock(room.pool, segmenter.rulebook, room.clock, wake=room.relay.wake)
    behind = [
        CatchingUp(room.pool, cluster=room.cluster, topic=topic.name, ends=await end_offsets(bootstrap_servers, topic))
        for topic in (EC_EVENTS, LINE_EVENTS, OUTCOMES)
    ]

    async def follow_clock() -> None:
        if all([await topic.is_done() for topic in behind]):
            await by_clock.run_once(room.clock.seconds_until)
        else:
            await asyncio.sleep(REST_SECONDS)

    room.loops.start("segments-by-clock", follow_clock)


def run() -> None:
    """Run until told to stop."""
    with telling_of_the_configuration():
        settings = SegmenterSettings()
    set_up_logs(NAME, settings.log_level)
    serve(create_app(settings), settings, settings.segmenter_port)
