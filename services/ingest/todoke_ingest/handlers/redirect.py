"""GET /r/{token} -> 302 to where the link was written to lead, and the click as an event.

A link of a message, or of all its copies: `message.outcomes.v1`, state clicked. One of no message:
`custom.link.clicked`. The destination comes from the dispatcher's links and from nowhere else: nothing of the request
is part of it (no open redirect).
"""

import re
from datetime import datetime
from uuid import uuid4

from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.answers import RETRY_AFTER_SECONDS, Answer
from todoke_ingest.domain.clicks import Link, event_of, is_a_persons, outcome_of
from todoke_ingest.handlers.intake import STRUCTURED, Intake
from todoke_ingest.pages import EXPIRED_OR_UNKNOWN, OUT_OF_ORDER, page
from todoke_ingest.requests import DoorRequest
from todoke_shared.contracts.topics import EC_EVENTS, OUTCOMES
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing
from todoke_shared.telemetry import metrics

DOOR = "redirect"
_TOKEN = re.compile(r"[0-9A-Za-z]{22}", re.ASCII)
_HEADERS = {
    "Cache-Control": "no-store",  # every click is to be seen
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


async def take_click(intake: Intake, request: DoorRequest) -> Answer:
    """302 with the destination; 404 for no link, or one whose time is over; 503 when nobody can tell now."""
    redirects, token, now = _open(intake), request.path["token"], intake.clock.now()
    try:
        link = await redirects.links.find(token) if _TOKEN.fullmatch(token) else None
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc()
        return page(503, OUT_OF_ORDER, {**_HEADERS, "Retry-After": str(RETRY_AFTER_SECONDS)})
    if link is None or not link.is_open(now):
        metrics.EVENTS_REFUSED.labels(DOOR, "404").inc()
        return page(404, EXPIRED_OR_UNKNOWN, _HEADERS)
    if is_a_persons(request.method, request.headers):
        redirects.clicks.note(_record(link, now))
        metrics.EVENTS_ACCEPTED.labels(DOOR).inc()
    return Answer(302, b"", {**_HEADERS, "Location": link.destination}, media="text/plain; charset=utf-8")


def _open(intake: Intake) -> Redirects:
    if intake.redirects is None:
        raise RuntimeError("this door needs links; open the intake with redirects")
    return intake.redirects


def _record(link: Link, now: datetime) -> Outgoing:
    if link.message is not None:
        outcome = outcome_of(link, link.message, now, uuid4())
        key = str(outcome.person or outcome.message or outcome.id)
        return Outgoing(OUTCOMES.name, key.encode(), outcome.to_json())
    event = event_of(link, uuid4(), now)
    return Outgoing(EC_EVENTS.name, (event.subject or "").encode(), event.to_json(), STRUCTURED)
