"""POST /v1/events -> ec.events.v1. The good events of a batch are taken together; the others are named."""

from http import HTTPStatus

from todoke_ingest.answers import Answer, Taken, problem, refused, try_again
from todoke_ingest.domain.cloudevents import read_request
from todoke_ingest.domain.refusals import RequestRefusedError, refusal
from todoke_ingest.handlers.intake import Intake, event_record
from todoke_ingest.requests import DoorRequest
from todoke_shared.errors import SlowDownError
from todoke_shared.telemetry import metrics

DOOR = "events"


async def take_events(intake: Intake, request: DoorRequest) -> Answer:
    """202 all taken, 207 some taken, 400 none; 413 and 415 as HTTP has them; 503 when nothing is durable."""
    try:
        asked = read_request(request.body, request.headers.get("content-type", ""), request.headers)
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    good, bad = intake.sort_out(asked.events)
    try:
        if good:
            await intake.publisher.publish([event_record(event) for event in good])
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(asked.events))
        return try_again("Kafka did not acknowledge; send the same request again")
    metrics.EVENTS_ACCEPTED.labels(DOOR).inc(len(good))
    metrics.EVENTS_REFUSED.labels(DOOR, "400").inc(len(bad))
    refusals = [refusal(one.error, one.index if asked.is_batch else None) for one in bad]
    if bad and not good:
        return problem(400, "No event was taken; put right what errors names and send again", errors=refusals)
    taken = Taken(accepted=[event.event.id for event in good], refused=refusals)
    return Answer(HTTPStatus.MULTI_STATUS if bad else HTTPStatus.ACCEPTED, taken)
