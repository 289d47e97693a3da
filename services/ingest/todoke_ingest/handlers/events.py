"""POST /v1/events -> ec.events.v1. The good events of a batch are taken together; the others are named."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from todoke_ingest.answers import Answer, Taken, problem, refused, try_again
from todoke_ingest.domain.cloudevents import EventsRequest, ReadEvent, read_event, read_request
from todoke_ingest.domain.refusals import Refusal, RequestRefusedError, refusal
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.telemetry import metrics

DOOR = "events"
_HEADERS = {"content-type": "application/cloudevents+json; charset=UTF-8"}
"""Names structured mode to readers of the topic (CloudEvents Kafka binding, 3.3)."""


async def take_events(
    body: bytes, content_type: str, headers: Mapping[str, str], *, publisher: Publisher, now: datetime
) -> Answer:
    """202 all taken, 207 some taken, 400 none; 413 and 415 as HTTP has them; 503 when Kafka does not acknowledge."""
    try:
        request = read_request(body, content_type, headers)
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    good, bad = _sort_out(request, now)
    try:
        if good:
            await publisher.publish([_record(event) for event in good])
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(request.events))
        return try_again("Kafka did not acknowledge; send the same request again")
    metrics.EVENTS_ACCEPTED.labels(DOOR).inc(len(good))
    metrics.EVENTS_REFUSED.labels(DOOR, "400").inc(len(bad))
    if bad and not good:
        return problem(400, "No event was taken; put right what errors names and send again", errors=bad)
    taken = Taken(accepted=[event.event.id for event in good], refused=bad)
    return Answer(HTTPStatus.MULTI_STATUS if bad else HTTPStatus.ACCEPTED, taken)


def _sort_out(request: EventsRequest, now: datetime) -> tuple[list[ReadEvent], list[Refusal]]:
    good: list[ReadEvent] = []
    bad: list[Refusal] = []
    for index, raw in enumerate(request.events):
        try:
            good.append(read_event(raw, now))
        except BadMessageError as error:
            bad.append(refusal(error, index if request.is_batch else None))
    return good, bad


def _record(event: ReadEvent) -> Outgoing:
    return Outgoing(EC_EVENTS.name, event.key, event.value, _HEADERS)
