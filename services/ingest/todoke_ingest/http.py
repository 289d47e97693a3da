"""HTTP around the doors: bodies read with a limit, answers written, every error a problem+json."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from todoke_ingest.answers import Answer, problem
from todoke_ingest.domain.refusals import RequestRefusedError


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, of at most `limit` bytes. RequestRefusedError (413) as soon as it is known to be larger."""
    too_large = RequestRefusedError(413, f"is larger than {limit:,} bytes; send it in parts")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def respond(answer: Answer) -> Response:
    """An answer as HTTP."""
    return Response(answer.to_json(), answer.status, media_type=answer.media_type, headers=dict(answer.headers))


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    detail = {404: "There is no such door; GET /docs lists them", 405: "Use another method; GET /docs tells which"}
    return respond(problem(error.status_code, detail.get(error.status_code, error.detail), headers=error.headers))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody is there to read it; but neither is it an error of ours to log


async def _our_error(_: Request, __: Exception) -> Response:
    return respond(problem(500, "Ingest failed; its log tells more. Nothing of this request may be relied on"))


EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    HTTPException: _http_error,
    ClientDisconnect: _gone,
    Exception: _our_error,
}
