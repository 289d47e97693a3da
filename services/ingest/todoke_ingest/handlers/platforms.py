"""Webhooks that carry ids only: verified, stored, and answered. `handlers/fetching.py` asks the shop what they mean.

The shop does not say it twice, and does not look at the answer; so a 200 is only given for what PostgreSQL holds.
"""

import asyncio

import asyncpg

from todoke_ingest.adapters.fetches import Fetches
from todoke_ingest.answers import Answer, refused, try_again
from todoke_ingest.domain import eccube, makeshop
from todoke_ingest.domain.notices import FIRST_LOOK, Notice
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.domain.signature import is_signed, not_signed
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import DoorRequest
from todoke_shared.shops import Shop
from todoke_shared.telemetry import metrics

ECCUBE, MAKESHOP = "eccube", "makeshop"
_STORE_SECONDS = 3.0
"""EC-CUBE gives a webhook five seconds, and its customer waits for the page as long (WebHookService.php)."""


async def take_eccube(intake: Intake, request: DoorRequest) -> Answer:
    """POST /webhooks/eccube/{shop}: 200 once the ids are stored; 404, 401, 400 as they say; 503 when they are not."""
    try:
        shop = _known(intake, request).eccube
        if shop is None:
            raise _no_shop("eccube")
        signature = request.headers.get("x-eccube-signature")
        if not is_signed(request.body, signature, shop.webhook_secrets, "hex"):
            raise not_signed("x-eccube-signature", signature, "shop")
        notices = eccube.read_notices(request.body)
    except RequestRefusedError as error:
        return _refuse(ECCUBE, error)
    return await _store(intake, ECCUBE, request.path["shop"], notices)


async def take_makeshop(intake: Intake, request: DoorRequest) -> Answer:
    """POST /webhooks/makeshop/{shop}: the same, signed as the shop's configuration says."""
    try:
        shop = _known(intake, request).makeshop
        if shop is None:
            raise _no_shop("makeshop")
        signed = request.body
        if shop.signs == "timestamp+body":
            timestamp = request.headers.get("x-makeshop-request-timestamp", "")
            if not (timestamp.isascii() and timestamp.isdecimal()):  # or a body's beginning could stand in the header
                raise RequestRefusedError(401, "must be digits", field="X-Makeshop-Request-Timestamp")
            signed = timestamp.encode() + signed
        signature = request.headers.get("x-makeshop-signature")
        if not is_signed(signed, signature, shop.webhook_secrets, shop.signature):
            raise not_signed("x-makeshop-signature", signature, "shop")
        notices = makeshop.read_notices(request.body)
    except RequestRefusedError as error:
        return _refuse(MAKESHOP, error)
    return await _store(intake, MAKESHOP, request.path["shop"], notices)


def _known(intake: Intake, request: DoorRequest) -> Shop:
    shop = intake.config.shops.get(request.path["shop"])
    if shop is None:
        raise RequestRefusedError(404, "is no shop here; see shops in the file TODOKE_CONFIG", field="shop")
    return shop


def _no_shop(platform: str) -> RequestRefusedError:
    return RequestRefusedError(404, f"has no {platform} in the file TODOKE_CONFIG", field="shop")


def _refuse(door: str, error: RequestRefusedError) -> Answer:
    metrics.EVENTS_REFUSED.labels(door, str(error.status)).inc()
    return refused(error)


async def _store(intake: Intake, door: str, shop: str, notices: list[Notice]) -> Answer:
    received_at = intake.clock.wall()
    try:
        if notices:
            async with asyncio.timeout(_STORE_SECONDS):
                await Fetches(intake.database, door, shop).note(notices, received_at, received_at + FIRST_LOOK)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        metrics.EVENTS_REFUSED.labels(door, "503").inc(len(notices))
        return try_again("PostgreSQL is away and these ids are not stored; deliver them again")
    metrics.NOTICES.labels(door).inc(len(notices))
    return Answer(200)
