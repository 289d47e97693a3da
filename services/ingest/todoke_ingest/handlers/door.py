"""All doors together, as the HTTP app and the in-process pipeline know them."""

from collections.abc import Mapping
from dataclasses import dataclass

from todoke_ingest.answers import Answer
from todoke_ingest.domain.cloudevents import SINGLE
from todoke_ingest.handlers.events import take_events
from todoke_ingest.handlers.line_webhook import LineRequest, take_line_webhook
from todoke_shared.accounts import Config
from todoke_shared.clock import Clock
from todoke_shared.kafka.records import Publisher


@dataclass(frozen=True)
class IngestDoor:
    """Takes bodies as they came and answers once what it took is durable. Needs no HTTP framework.

    May block: on the publisher. May lose: nothing that it has accepted. May repeat: a request that was answered 503
    and sent again; readers recognise an event by its id.
    """

    publisher: Publisher
    clock: Clock
    config: Config

    async def take_events(
        self, body: bytes, content_type: str = SINGLE, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST /v1/events. `headers` matter only in CloudEvents' binary mode."""
        return await take_events(body, content_type, headers or {}, publisher=self.publisher, now=self.clock.now())

    async def take_line_webhook(self, account: str, body: bytes, signature: str | None) -> Answer:
        """POST /webhooks/line/{account}. `signature` is the header x-line-signature."""
        request = LineRequest(account, body, signature)
        return await take_line_webhook(
            request, publisher=self.publisher, config=self.config, received_at=self.clock.wall()
        )
