"""POST /v1/events -> ec.events.v1. The good events of a batch are taken together; the others are named."""

from dataclasses import replace

from todoke_ingest.adapters.idempotency import claim
from todoke_ingest.answers import Answer, Taken, all_taken, problem, refused, try_again
from todoke_ingest.domain.cloudevents import EventsRequest, read_request
from todoke_ingest.domain.idempotency import digest_of, idempotency_key, other_body, with_ids
from todoke_ingest.domain.refusals import RequestRefusedError, refusal
from todoke_ingest.handlers.intake import Intake, event_record
from todoke_ingest.requests import DoorRequest
from todoke_shared.errors import SlowDownError
from todoke_shared.telemetry import metrics

DOOR = "events"
_ACCEPTED = metrics.EVENTS_ACCEPTED.labels(DOOR)
_REFUSED = metrics.EVENTS_REFUSED.labels(DOOR, "400")
_NOBODY = ""
"""Whose Idempotency-Keys they are that come without a key of a shop; no shop is called so."""


async def take_events(intake: Intake, request: DoorRequest) -> Answer:
    """202 all taken, 207 some taken, 400 none; 409, 413 and 415 as HTTP has them; 503 when nothing is durable."""
    try:
        asked = _read(request)
        good, bad = intake.sort_out(
            asked.events,
            shop=request.caller.shop if request.caller else None,
            strict=asked.strict,
            accounts=intake.config.accounts,
        )
        if good:
            await _claim_key(intake, request)
            await intake.publisher.publish([event_record(event) for event in good])
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(asked.events))
        return try_again("Nothing of this is durable yet; send the same request again")
    _ACCEPTED.inc(len(good))
    if not bad:
        return all_taken([event.id for event in good])
    _REFUSED.inc(len(bad))
    refusals = [refusal(one.error, one.index if asked.is_batch else None) for one in bad]
    if not good:
        return problem(400, "No event was taken; put right what errors names and send again", errors=refusals)
    return Answer(207, Taken(accepted=[event.id for event in good], refused=refusals))


def _read(request: DoorRequest) -> EventsRequest:
    key = idempotency_key(request.headers)
    asked = read_request(request.body, request.headers.get("content-type", ""), request.headers)
    return asked if key is None else replace(asked, events=with_ids(asked.events, _owner(request), key))


async def _claim_key(intake: Intake, request: DoorRequest) -> None:
    key = idempotency_key(request.headers)
    if key is None:
        return
    digest = digest_of(request.body, request.headers)
    if not await claim(intake.database, _owner(request), key, digest):
        raise other_body()


def _owner(request: DoorRequest) -> str:
    return request.caller.shop if request.caller else _NOBODY
