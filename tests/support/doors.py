"""Ingest's doors without HTTP: what a test, or the in-process pipeline, knocks on."""

from collections.abc import Mapping
from dataclasses import dataclass

from todoke_ingest.answers import Answer
from todoke_ingest.domain.cloudevents import SINGLE
from todoke_ingest.handlers.events import take_events
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.line_webhook import take_line_webhook
from todoke_ingest.requests import DoorRequest


@dataclass(frozen=True)
class Doors:
    """The doors around an intake."""

    intake: Intake

    async def take_events(
        self, body: bytes, content_type: str = SINGLE, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST /v1/events."""
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        return await take_events(self.intake, DoorRequest(body, {"content-type": content_type, **lower}))

    async def take_line_webhook(self, account: str, body: bytes, signature: str | None) -> Answer:
        """POST /webhooks/line/{account}."""
        headers = {} if signature is None else {"x-line-signature": signature}
        return await take_line_webhook(self.intake, DoorRequest(body, headers, {"account": account}))
