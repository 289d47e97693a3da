"""One call of LINE's API: what a handler gets, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from todoke_line_simulator.accounts import Account
from todoke_line_simulator.problems import LineError
from todoke_line_simulator.simulator import Simulator


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request that is within its rate limit."""

    account: Account
    endpoint: str
    request_id: str
    now: float
    body: bytes
    retry_key: str | None
    """In lower case; None when the header is absent or the endpoint takes none."""
    path: Mapping[str, str]
    query: bytes
    simulator: Simulator


class Answer(NamedTuple):
    """Status, body and headers beside ``x-line-request-id``."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


Handler = Callable[[Call], Answer]
"""Answers a call; raises LineError for anything but 200."""

EMPTY = Answer(200, b"{}")


def answer_json(body: Mapping[str, object]) -> Answer:
    """200 with a JSON object."""
    return Answer(200, orjson.dumps(body))


def answer_error(error: LineError) -> Answer:
    """LINE's answer to a refused request."""
    headers = tuple((name.encode(), value.encode()) for name, value in error.headers.items())
    return Answer(error.status, orjson.dumps(error.body), headers)
