"""POST /v1/collect -> ec.events.v1: what the browser tag saw. OPTIONS is a browser's question whether it may.

What is refused is counted and named in the answer, and never becomes a dead letter: with a key that everybody can
read, anybody could fill the topic of dead letters.
"""

from collections.abc import Mapping
from http import HTTPStatus

from msgspec import structs

from todoke_ingest.answers import Answer, Taken, problem, refused, try_again
from todoke_ingest.domain.cloudevents import ReadEvent, read_event
from todoke_ingest.domain.collect import Collected, cloud_event, read_collected
from todoke_ingest.domain.refusals import Refusal, RequestRefusedError, refusal
from todoke_ingest.handlers.intake import Intake, event_record
from todoke_ingest.requests import Caller, DoorRequest
from todoke_shared.accounts import Config
from todoke_shared.errors import BadMessageError, SlowDownError
from todoke_shared.telemetry import metrics

DOOR = "collect"
LIMIT = 64 * 1024
"""Bytes; no more can outlive a page (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch: keepalive)."""

PREFLIGHT_SECONDS = 86_400
"""How long a browser may remember that it may; browsers cut it to hours."""


async def take_collect(intake: Intake, request: DoorRequest) -> Answer:
    """202 all taken, 207 some, 400 none, 403 from a site that is not the key's; 503 when nothing is durable."""
    try:
        caller = _caller(intake.config, request)
        allowed = _cross_origin(request, caller)
    except RequestRefusedError as error:
        return _refuse(error)
    answer = await _take(intake, request.body, caller.shop)
    return structs.replace(answer, headers={**answer.headers, **allowed})


def readable(answer: Answer) -> Answer:
    """A problem that was found before the door, for a page of any site to read: it tells nothing of anybody."""
    return structs.replace(answer, headers={**answer.headers, "Access-Control-Allow-Origin": "*"})


async def take_preflight(intake: Intake, request: DoorRequest) -> Answer:
    """204 to a browser on one of the key's sites, 403 to any other. The tag itself needs none: it sends text."""
    try:
        allowed = _cross_origin(request, _caller(intake.config, request))
    except RequestRefusedError as error:
        return _refuse(error)
    asked = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
    return Answer(HTTPStatus.NO_CONTENT, b"", {**allowed, **asked})


async def _take(intake: Intake, body: bytes, shop: str) -> Answer:
    try:
        collected = read_collected(body)
        good, bad = _sort_out(intake, collected, shop)
        if good and intake.is_crowded():  # anybody may send here, and the tag keeps what it could not tell
            raise SlowDownError("the spool is filling")
        if good:
            await intake.publisher.publish([event_record(event) for event in good])
    except RequestRefusedError as error:
        return _refuse(error)
    except SlowDownError:
        metrics.EVENTS_REFUSED.labels(DOOR, "503").inc(len(collected.events))
        return try_again("Nothing of this is durable yet; send it again")
    metrics.EVENTS_ACCEPTED.labels(DOOR).inc(len(good))
    metrics.EVENTS_REFUSED.labels(DOOR, "400").inc(len(bad))
    if bad and not good:
        return problem(400, "No event was taken; errors names what is wrong with each", errors=bad)
    taken = Taken(accepted=[event.id for event in good], refused=bad)
    return Answer(HTTPStatus.MULTI_STATUS if bad else HTTPStatus.ACCEPTED, taken)


def _sort_out(intake: Intake, collected: Collected, shop: str) -> tuple[list[ReadEvent], list[Refusal]]:
    now = intake.clock.now()
    known = intake.config.shops.get(shop)
    secrets = known.identity_secrets if known else ()
    proof = None if intake.config.trial and not secrets else secrets
    good: list[ReadEvent] = []
    bad: list[Refusal] = []
    for index, raw in enumerate(collected.events):
        try:
            good.append(read_event(cloud_event(raw, collected, shop, now, proof), now))
        except BadMessageError as error:
            bad.append(refusal(error, index))
    return good, bad


def _refuse(error: RequestRefusedError) -> Answer:
    metrics.EVENTS_REFUSED.labels(DOOR, str(error.status)).inc()
    return refused(error)


def _caller(config: Config, request: DoorRequest) -> Caller:
    if request.caller is not None:
        return request.caller
    if len(config.shops) == 1:  # nobody needs a key here, and there is but one shop that can be meant
        return Caller(next(iter(config.shops)), "browser", "")
    raise RequestRefusedError(401, "is missing; give the tag its data-key: it tells which shop this is", field="key")


def _cross_origin(request: DoorRequest, caller: Caller) -> Mapping[str, str]:
    """The headers that let the page read the answer. RequestRefusedError (403) when the key is not for its site.

    Anybody but a browser can write what origin he likes: this keeps other sites' pages from using the key, no more.
    """
    origin = request.headers.get("origin")
    if caller.origins and origin not in caller.origins:
        raise RequestRefusedError(
            403,
            "is none of the sites that this key is for; see its origins",
            field="Origin",
            headers={"Vary": "Origin"},
        )
    return {"Vary": "Origin", **({"Access-Control-Allow-Origin": origin} if origin else {})}
