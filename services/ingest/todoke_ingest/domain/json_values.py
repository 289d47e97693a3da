"""JSON bodies: read leniently and checked value by value after, so that one bad value refuses its own event alone.

Only what leaves no JSON value at all (a syntax error, more than 200 levels) refuses the whole body.
"""

import msgspec
from pydantic_core import from_json

from todoke_ingest.domain.refusals import RequestRefusedError

_STRICT = msgspec.json.Decoder()


def parse_strictly(body: bytes) -> tuple[bool, object]:
    """Any JSON value, and whether a parser that knows no NaN has read it (it is the faster one).

    Where that one gives up, the lenient one tells more, and leaves the good events of a batch standing.
    """
    try:
        return True, _STRICT.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False, read_json(body)


def read_json(body: bytes) -> object:
    """Any JSON value, NaN and Infinity still in it for `check_json` to name. RequestRefusedError (400) otherwise."""
    try:
        return from_json(body, allow_inf_nan=True)
    except ValueError as error:
        # The parser's words name a place ("at line 1 column 5") and never the text found there.
        raise RequestRefusedError(400, f"is not JSON: {error}") from None
