"""Every door of ingest: which request is taken by whom."""

from todoke_ingest.handlers import events, line_webhook
from todoke_ingest.http import Door
from todoke_ingest.settings import IngestSettings


def doors(settings: IngestSettings) -> list[Door]:
    """The doors, with the limits that the settings give them."""
    webhook = settings.max_webhook_bytes
    return [
        Door(events.DOOR, "/v1/events", events.take_events, limit=settings.max_body_bytes, purpose="events"),
        Door(line_webhook.DOOR, "/webhooks/line/{account}", line_webhook.take_line_webhook, limit=webhook),
    ]
