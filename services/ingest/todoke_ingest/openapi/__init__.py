"""The OpenAPI document of the doors: one module a family of doors, `document.py` puts them together."""

from todoke_ingest.openapi.document import openapi
from todoke_ingest.openapi.events import event_examples
from todoke_ingest.openapi.line import WEBHOOK_EXAMPLE

__all__ = ["WEBHOOK_EXAMPLE", "event_examples", "openapi"]
