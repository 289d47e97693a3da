"""POST /webhooks/line/{account} -> line.events.v1. A bad event becomes a dead letter and the others flow on."""

import logging
from collections.abc import Sequence
from datetime import datetime

from todoke_ingest.adapters.unsent import forget_unsent
from todoke_ingest.answers import Answer, refused, try_again
from todoke_ingest.domain.line_webhook import read_delivery, read_line_event, record_key, unsent_messages
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.domain.signature import is_signed, not_signed
from todoke_ingest.handlers.intake import Intake, dead_letter
from todoke_ingest.requests import DoorRequest
from todoke_shared.accounts import Account, Config
from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.records import Outgoing
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.ingest")
DOOR = "line"


async def take_line_webhook(intake: Intake, request: DoorRequest) -> Answer:
    """200 once all is durable; 404, 401 and 400 as they say; 503 makes LINE deliver again."""
    name = request.path["account"]
    try:
        account = _known(intake.config, name)
        signature = request.headers.get("x-line-signature")
        if not is_signed(request.body, signature, account.channel_secrets):
            if signature is not None and intake.seldom.is_due(name):
                logger.warning("LINE webhook for %s refused: the signature is not by one of channel_secrets", name)
            raise not_signed("x-line-signature", signature, "account")
        events = read_delivery(request.body, account)
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    received_at = intake.clock.wall()
    records = [_record(raw, name, account, received_at) for raw in events]
    if intake.pool is not None and (unsent := unsent_messages(events)):
        await forget_unsent(intake.pool, [record.key for record in records if record.key], unsent)
    try:
        if records:
            await intake.publisher.publish(records)
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(records))
        return try_again("Kafka did not acknowledge; deliver again")
    _count(records)
    return Answer(200)


def _known(config: Config, name: str) -> Account:
    account = config.accounts.get(name)
    if account is None:
        raise RequestRefusedError(404, "is no account here; see accounts in the file TODOKE_CONFIG", field="account")
    return account


def _record(raw: object, name: str, account: Account, received_at: datetime) -> Outgoing:
    try:
        event = read_line_event(raw, name, account.shop, received_at)
    except BadMessageError as error:
        return dead_letter(LINE_EVENTS.dead_letters, raw, error, f"POST /webhooks/line/{name}")
    return Outgoing(LINE_EVENTS.name, record_key(event), event.to_json())


def _count(records: Sequence[Outgoing]) -> None:
    good = sum(record.topic == LINE_EVENTS.name for record in records)
    metrics.EVENTS_ACCEPTED.labels(DOOR).inc(good)
    metrics.DEAD_LETTERS.labels(LINE_EVENTS.name).inc(len(records) - good)
