"""What is wrong with a request, in LINE's words and format.

Source: https://developers.line.biz/en/reference/messaging-api/#error-responses
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Problem(NamedTuple):
    """One entry of ``details``: what is wrong, and at which property (``messages[0].text``)."""

    message: str
    property: str


class LineError(Exception):
    """An answer of LINE that is not 200."""

    def __init__(
        self,
        status: int,
        message: str,
        problems: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, object] = {"message": message}
        if details := [problem._asdict() for problem in problems]:
            self.body["details"] = details
        self.body.update(extra or {})


def invalid_body(problems: Iterable[Problem]) -> LineError:
    """400 for a body that breaks a rule."""
    found = list(problems)
    return LineError(400, f"The request body has {len(found)} error(s)", found)


def rate_limited() -> LineError:
    """429 because of too many requests in a stretch of time."""
    return LineError(429, "The API rate limit has been exceeded. Try again later.")


def monthly_limited() -> LineError:
    """429 because the month's recipients are used up."""
    return LineError(429, "You have reached your monthly limit.")


def too_concurrent() -> LineError:
    """429 because too many requests run at the same time. LINE lists the case, but not its wording."""
    return LineError(429, "The number of concurrent requests has been exceeded. Try again later.")
