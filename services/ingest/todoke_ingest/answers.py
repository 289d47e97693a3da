"""What a door answers, before any HTTP framework: a status, a body, headers. Refusals follow RFC 9457."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from todoke_ingest.domain.refusals import Refusal, RequestRefusedError

RETRY_AFTER_SECONDS = 5
"""Kafka's usual absence is an election of leaders: over within seconds."""


class Taken(BaseModel):
    """The answer of POST /v1/events. What is accepted is durable; nothing else is claimed."""

    model_config = ConfigDict(frozen=True)

    accepted: list[str] = Field(description="The ids of the events taken, in the order given")
    refused: list[Refusal] = Field(description="The others; send them again once they are put right")


class Problem(BaseModel):
    """Why nothing was taken: application/problem+json (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Refusal] = []


class Answer(msgspec.Struct, frozen=True):
    """Status, body and headers of an answer. `body` is a model, bytes as they go out (of `media`), or nothing."""

    status: int
    body: BaseModel | bytes | None = None
    headers: Mapping[str, str] = {}
    media: str = "application/json"

    @property
    def media_type(self) -> str:
        """application/problem+json for a problem, else what the door says."""
        return "application/problem+json" if isinstance(self.body, Problem) else self.media

    def content(self) -> bytes:
        """The body as it is sent, `{}` when there is none."""
        if isinstance(self.body, bytes):
            return self.body
        return to_json(self.body, exclude_none=True) if self.body else b"{}"


def all_taken(ids: Sequence[str]) -> Answer:
    """202, with nothing refused: what nearly every request is answered, so written without a model."""
    return Answer(202, b'{"accepted":' + msgspec.json.encode(ids) + b',"refused":[]}')


def problem(
    status: int, detail: str, *, errors: Sequence[Refusal] = (), headers: Mapping[str, str] | None = None
) -> Answer:
    """A problem+json answer; `detail` tells the reader what to do next."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return Answer(status, body, headers or {})


def refused(error: RequestRefusedError) -> Answer:
    """The answer to a request that cannot be taken at all."""
    refusal = Refusal(field=error.field, reason=error.reason)
    return problem(error.status, f"{error.field} {error.reason}", errors=[refusal], headers=error.headers)


def try_again(detail: str) -> Answer:
    """503: nothing is wrong with the request and nothing of it may be relied on."""
    return problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
