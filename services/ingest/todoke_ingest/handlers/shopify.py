"""POST /webhooks/shopify/{shop} -> ec.events.v1, with what has to be remembered in PostgreSQL.

Shopify waits five seconds, tries again eight times over four hours, and may then take the subscription away
(https://shopify.dev/docs/apps/build/webhooks/troubleshoot). So the answer comes within a second, whatever happens:
200 once everything is durable, else 503, and the delivery comes again.

What order things are done in, so that a crash anywhere loses nothing and tells nothing twice:

- Stock: publish, then remember. A crash between leaves the old memory, so that the repeated delivery tells the same
  news under the same ids. The other way round, a restock remembered and never told would be lost.
- Whose an order is: remember, then publish. It is one atomic claim that gives the same answer when repeated, and a
  refund that comes at the same moment must find it.
- Requests for data: remember, then publish. The request is what must not be lost.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import asyncpg

from todoke_ingest.adapters.shopify import PostgresMemory, ShopifyMemory
from todoke_ingest.answers import Answer, refused, try_again
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.domain.shopify.delivery import Delivery, read_delivery
from todoke_ingest.domain.shopify.orders import ORDER_GROUPS, nobodys, order_claim, order_events
from todoke_ingest.domain.shopify.privacy import PRIVACY_TOPICS, privacy_events, privacy_request
from todoke_ingest.domain.shopify.stock import (
    CATALOGUE_TOPICS,
    Product,
    learn_level,
    learn_product,
    level_news,
    product_news,
    told_level,
    told_product,
    unknown_item,
)
from todoke_ingest.domain.shopify.translate import translate
from todoke_ingest.domain.shopify.values import Json
from todoke_ingest.domain.signature import is_signed, not_signed
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.errors import SlowDownError
from todoke_shared.shops import Shopify
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.ingest")
DOOR = "shopify"
ANSWER_SECONDS = 0.8
"""Leaves a fifth of the second for the network and for a busy machine."""

_AWAY = (SlowDownError, TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def take_shopify_webhook(intake: Intake, request: DoorRequest) -> Answer:
    """200 once all is durable and remembered; 404, 401 and 400 as they say; 503 makes Shopify deliver again."""
    return await take_with(intake, request, lambda: PostgresMemory(intake.database))


async def take_with(intake: Intake, request: DoorRequest, memory: Callable[[], ShopifyMemory]) -> Answer:
    """The same with any memory. It is opened for a delivery whose signature is right, and for no other."""
    try:
        delivery = _verified(intake, request)
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    if delivery.test:
        logger.info(
            "Shopify's test notification for the shop %s has the right signature; it is not kept", delivery.shop
        )
        return Answer(200)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await _take(intake, memory, delivery)
    except _AWAY as error:
        if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
            logger.warning("PostgreSQL refused what a Shopify delivery needs: %s", type(error).__name__)
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc()
        return try_again("Nothing of this may be relied on yet; deliver it again")
    return Answer(200)


def _verified(intake: Intake, request: DoorRequest) -> Delivery:
    shop = request.path["shop"]
    platform = _known(intake.config, shop)
    signature = request.headers.get("x-shopify-hmac-sha256")
    if not is_signed(request.body, signature, platform.webhook_secrets):
        raise not_signed("x-shopify-hmac-sha256", signature, "shop")
    return read_delivery(request.body, request.headers, shop, platform, intake.clock.now())


def _known(config: Config, name: str) -> Shopify:
    shop = config.shops.get(name)
    if shop is None or shop.shopify is None:
        raise RequestRefusedError(
            404, "is no Shopify shop here; see shops.….shopify in the file TODOKE_CONFIG", field="shop"
        )
    return shop.shopify


async def _take(intake: Intake, memory: Callable[[], ShopifyMemory], delivery: Delivery) -> None:
    if delivery.topic in PRIVACY_TOPICS:
        request = privacy_request(delivery)
        await memory().keep_request(request, intake.clock.wall())
        await _publish(intake, delivery, privacy_events(delivery, request))
    elif delivery.group in ORDER_GROUPS:
        await _take_order(intake, memory(), delivery)
    elif delivery.topic in CATALOGUE_TOPICS and (told := told_product(delivery)) is not None:
        await _take_product(intake, memory(), delivery, told)
    elif delivery.topic == "inventory_levels/update":
        await _take_level(intake, memory(), delivery)
    else:
        await _publish(intake, delivery, translate(delivery))


async def _take_order(intake: Intake, memory: ShopifyMemory, delivery: Delivery) -> None:
    claim = order_claim(delivery)
    owner = nobodys(delivery) if claim is None else await memory.claim_order(delivery.shop, claim, delivery.at)
    await _publish(intake, delivery, order_events(delivery, claim.order_id if claim else None, owner))


async def _take_product(intake: Intake, memory: ShopifyMemory, delivery: Delivery, told: Product) -> None:
    before = await memory.product(delivery.shop, told.product_id)
    await _publish(intake, delivery, product_news(delivery, before, learn_product(before, told)))
    await memory.learn(delivery.shop, told.product_id, lambda known: learn_product(known, told))


async def _take_level(intake: Intake, memory: ShopifyMemory, delivery: Delivery) -> None:
    told = told_level(delivery)
    product_id = None if told is None else await memory.product_of_item(delivery.shop, told.item)
    before = None if product_id is None else await memory.product(delivery.shop, product_id)
    if told is None or product_id is None or before is None:
        await _publish(intake, delivery, unknown_item(delivery))
        return
    await _publish(intake, delivery, level_news(delivery, before, learn_level(before, told)))
    await memory.learn(delivery.shop, product_id, lambda known: known and learn_level(known, told))


async def _publish(intake: Intake, delivery: Delivery, events: Sequence[Json]) -> None:
    if events:
        await intake.take_translated(DOOR, events, origin=f"POST /webhooks/shopify/{delivery.shop}")
