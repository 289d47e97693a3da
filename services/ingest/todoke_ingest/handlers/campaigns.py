"""POST /v1/campaigns/{campaign}/start and /stop -> ec.events.v1: other systems start and stop campaigns for a person.

The segmenter, who knows who is who, makes the trigger. What is answered here is that the wish is durable.
"""

from collections.abc import Awaitable, Callable

from todoke_ingest.adapters.campaigns import may_be_in_force
from todoke_ingest.answers import Answer, all_taken, refused, try_again
from todoke_ingest.domain.campaign_calls import Action, is_campaign_name, of_the_call, read_call, requested
from todoke_ingest.domain.cloudevents import ReadEvent
from todoke_ingest.domain.refusals import WHOLE_BODY, RequestRefusedError
from todoke_ingest.handlers.intake import Intake, event_record
from todoke_ingest.requests import DoorRequest
from todoke_shared.errors import SlowDownError
from todoke_shared.telemetry import metrics

DOOR = "campaigns"
ACTIONS: tuple[Action, ...] = ("start", "stop")
LIMIT = 64 * 1024
"""Bytes: a context of the largest size fits, however it is escaped."""
_ACCEPTED = metrics.EVENTS_ACCEPTED.labels(DOOR)


def calling(action: Action) -> Callable[[Intake, DoorRequest], Awaitable[Answer]]:
    """The handler of one action's path."""

    async def take(intake: Intake, request: DoorRequest) -> Answer:
        return await take_call(intake, request, action)

    return take


async def take_call(intake: Intake, request: DoorRequest, action: Action) -> Answer:
    """202 when it is durable; 404 for a campaign that is not in force; 400 and 415 as they say; 503 otherwise."""
    try:
        event = _read(intake, request, action)
        await _check_campaign(intake, request.path["campaign"])
        await intake.publisher.publish([event_record(event)])
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return refused(error)
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc()
        return try_again("This is not durable yet; send the same request again, with an id")
    _ACCEPTED.inc()
    return all_taken([event.id])


def _read(intake: Intake, request: DoorRequest, action: Action) -> ReadEvent:
    campaign = request.path["campaign"]
    if not is_campaign_name(campaign):
        raise _unknown()
    call = read_call(request.body, request.headers.get("content-type", ""))
    shop = request.caller.shop if request.caller else None
    good, bad = intake.sort_out([requested(call, campaign, action)], shop=shop, accounts=intake.config.accounts)
    for one in bad:
        error = of_the_call(one.error)
        raise RequestRefusedError(400, error.reason, field=error.field or WHOLE_BODY)
    return good[0]


async def _check_campaign(intake: Intake, campaign: str) -> None:
    if not await may_be_in_force(intake.pool, campaign):
        raise _unknown()


def _unknown() -> RequestRefusedError:
    return RequestRefusedError(404, "is not in force; `todoke campaigns list` tells which are", field="campaign")
