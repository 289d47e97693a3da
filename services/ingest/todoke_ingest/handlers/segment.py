"""POST /v1/track and its siblings -> ec.events.v1: the doors that Segment's and RudderStack's libraries know.

The libraries look at the status alone. So the good messages of a batch are taken and the bad ones become dead letters;
only when there is nothing good in a request does the library hear of it (400, its `on_error`). 503 makes it send again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from todoke_ingest.answers import Answer, Problem, problem, refused, try_again
from todoke_ingest.domain.cloudevents import ReadEvent
from todoke_ingest.domain.keys import not_admitted
from todoke_ingest.domain.personal_data import without_contacts
from todoke_ingest.domain.refusals import RequestRefusedError, refusal
from todoke_ingest.domain.segment import Call, SegmentRequest, Sender, read_call, read_message
from todoke_ingest.handlers.intake import BadEvent, Intake, dead_letter, event_record
from todoke_ingest.requests import DoorRequest
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.telemetry import metrics

DOOR = "segment"
MOST_LETTERS = 100
"""Dead letters of one request: a write key is easily found, and with it somebody could fill their topic. All bad
messages are counted."""
MOST_NAMED = 20
"""Bad messages that a 400 names: they are mostly bad for one and the same reason."""

TAKEN = Answer(200, b'{"success":true}')
"""What Segment answers (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/)."""


class SegmentProblem(Problem):
    """A problem with the two fields that the libraries look for: RudderStack's for Python takes a 4xx without them
    for a fault of the network, and sends the same again ten times."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Sorted:
    good: list[ReadEvent]
    bad: list[BadEvent]


def taking(call: Call) -> Callable[[Intake, DoorRequest], Awaitable[Answer]]:
    """The handler of one call's paths."""

    async def take(intake: Intake, request: DoorRequest) -> Answer:
        return await take_segment(intake, request, call)

    return take


async def take_segment(intake: Intake, request: DoorRequest, call: Call) -> Answer:
    """200 when something is durable or there was nothing to take; 400, 413 and 401 as they say; 503 otherwise."""
    try:
        shop = _shop(intake, request)
        asked = read_call(request.body, call)
    except RequestRefusedError as error:
        metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
        return told(refused(error))
    found = _sort_out(intake, asked, shop)
    if found.bad and not found.good:
        metrics.EVENTS_REFUSED.labels(DOOR, "400").inc(len(found.bad))
        errors = [refusal(one.error, one.index if asked.is_batch else None) for one in found.bad[:MOST_NAMED]]
        return told(problem(400, f"Nothing was taken: {errors[0].field} {errors[0].reason}", errors=errors))
    try:
        await _publish(intake, found, f"POST /v1/{call} of {shop}")
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(found.good))
        return told(try_again("Nothing of this is durable yet; send the same request again"))
    return TAKEN


def _shop(intake: Intake, request: DoorRequest) -> str:
    if request.caller is not None:
        return request.caller.shop
    if len(intake.config.shops) == 1:  # nobody needs a key here, and there is but one shop that can be meant
        return next(iter(intake.config.shops))
    raise not_admitted("segment", given=False)


def _sort_out(intake: Intake, asked: SegmentRequest, shop: str) -> _Sorted:
    sender = Sender(shop, intake.clock.now(), asked.sent_at)
    found = _Sorted([], [])
    for index, raw in enumerate(asked.messages):
        try:
            events = read_message(raw, sender)
        except BadMessageError as error:
            found.bad.append(BadEvent(index, without_contacts(raw), error))
            continue
        good, bad = intake.sort_out(events, shop=shop, strict=True)
        found.good.extend(good)
        found.bad.extend(BadEvent(index, one.raw, one.error) for one in bad)
    return found


async def _publish(intake: Intake, found: _Sorted, origin: str) -> None:
    records = [event_record(event) for event in found.good]
    records += [dead_letter(EC_EVENTS.dead_letters, one.raw, one.error, origin) for one in found.bad[:MOST_LETTERS]]
    if records:
        await intake.publisher.publish(records)
    metrics.EVENTS_ACCEPTED.labels(DOOR).inc(len(found.good))
    if found.bad:
        metrics.DEAD_LETTERS.labels(EC_EVENTS.name).inc(len(found.bad))


def told(answer: Answer) -> Answer:
    """A problem as the libraries read it."""
    body = answer.body
    if not isinstance(body, Problem):
        return answer
    told = SegmentProblem(**body.model_dump(), code=_CODES.get(body.status, "invalid_request"), message=body.detail)
    return Answer(answer.status, told, answer.headers)


_CODES: Mapping[int, str] = {
    401: "unauthorized",
    403: "forbidden",
    408: "too_slow",
    413: "too_large",
    429: "too_often",
    500: "failed",
    503: "unavailable",
}

PATHS: Sequence[tuple[str, Call]] = (
    *((f"/v1/{call}", call) for call in ("track", "identify", "page", "screen", "alias", "group", "batch")),
    # analytics.js, Swift and Kotlin shorten the call to its first letter.
    *((f"/v1/{call[0]}", call) for call in ("track", "identify", "page", "screen", "alias", "group", "batch")),
    # Ruby's and Java's libraries still use the first name of /v1/batch.
    ("/v1/import", "batch"),
    ("/v1/import/", "batch"),
)
"""Every path that a library of Segment's or RudderStack's writes, and which call it is."""
