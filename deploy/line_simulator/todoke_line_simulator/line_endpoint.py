"""One path of LINE's API as an ASGI application: authenticate, limit, meet the fault, handle, answer.

Plain ASGI instead of request and response objects, because a load test should find the limits of the dispatcher, not
those of its stand-in.
"""

import asyncio
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from todoke_line_simulator.accounts import Account
from todoke_line_simulator.calls import EMPTY, Answer, Call, Handler, answer_error
from todoke_line_simulator.faults import GARBAGE, FaultRule, refusal, seconds_of, status_of
from todoke_line_simulator.problems import LineError
from todoke_line_simulator.retry_keys import canonical_retry_key
from todoke_line_simulator.simulator import Simulator
from todoke_line_simulator.transport import hang, reset_connection

MAX_BODY_BYTES = 2 * 1024 * 1024
_UNAUTHORIZED = answer_error(
    LineError(401, "Authentication failed. Confirm that the access token in the authorization header is valid.")
)
Headers = dict[bytes, bytes]


class LineEndpoint:
    """Serves one endpoint; ``name`` is what faults, limits and statistics call it."""

    def __init__(
        self, simulator: Simulator, name: str, handler: Handler, *, reads_json: bool, takes_retry_key: bool
    ) -> None:
        self._simulator = simulator
        self._name = name
        self._handler = handler
        self._reads_json = reads_json
        self._takes_retry_key = takes_retry_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _read_body(receive)
        headers: Headers = dict(scope["headers"])
        request_id = str(uuid4())
        account = self._who(scope, headers, body)
        if isinstance(account, Answer):
            await send_answer(send, account, request_id)
            return
        now = self._simulator.clock.now()
        account.stats.arrived(self._name, now)
        rule: FaultRule | None = None
        try:
            account.admit(self._name, now)
            call = Call(
                account=account,
                endpoint=self._name,
                request_id=request_id,
                now=now,
                body=body,
                retry_key=self._check(headers, body),
                path=scope["path_params"],
                query=scope["query_string"],
                simulator=self._simulator,
            )
            rule = self._simulator.faults.pick(account.name, self._name)
            answer = self._handler(call) if rule is None else _answer_under(rule, call, self._handler)
        except LineError as error:
            answer = answer_error(error)
        outcome = str(answer.status) if rule is None else _outcome(rule, answer)
        account.stats.answered(self._name, outcome)
        if rule is None or await _still_answers(rule, outcome, scope, receive):
            await send_answer(send, answer, request_id)

    def _who(self, scope: Scope, headers: Headers, body: bytes) -> Account | Answer:
        """The account that asks, or what is answered to somebody unknown."""
        del scope, body  # for those that name themselves there
        return self._simulator.authorized(headers.get(b"authorization")) or _UNAUTHORIZED

    def _check(self, headers: Headers, body: bytes) -> str | None:
        """Refuse (400, 413, 415) what is not fit for this endpoint; gives the retry key in lower case, if any."""
        if len(body) > MAX_BODY_BYTES:
            raise LineError(
                413, "Request exceeds the max size of 2MB. Make the request smaller than 2MB and try again."
            )
        if self._reads_json:
            content_type = headers.get(b"content-type", b"").decode("latin-1")
            if not content_type.lower().startswith("application/json"):
                raise LineError(415, f"The content type, '{content_type}', is not supported")
        written = headers.get(b"x-line-retry-key")
        if written is None:
            return None
        if not self._takes_retry_key:
            raise LineError(400, "This endpoint takes no X-Line-Retry-Key header: leave it out")
        key = canonical_retry_key(written.decode("latin-1"))
        if key is None:
            raise LineError(400, "The X-Line-Retry-Key header must be a UUID in hexadecimal format")
        return key


async def send_answer(send: Send, answer: Answer, request_id: str) -> None:
    """Send an answer with the headers that LINE puts on every one."""
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-line-request-id", request_id.encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _read_body(receive: Receive) -> bytes:
    """The whole body; one that is too long is read to its end, so that the answer can be sent, but not kept."""
    kept = b""
    while True:
        message = await receive()
        if len(kept) <= MAX_BODY_BYTES:
            kept += message.get("body", b"")
        if not message.get("more_body", False):
            return kept


def _answer_under(rule: FaultRule, call: Call, handler: Handler) -> Answer:
    """What the endpoint would answer under this fault; decides whether the handler sees the request at all."""
    if refused := refusal(rule):
        raise refused
    handled = handler(call) if rule.accept or rule.fault in {"delay", "accept_then_reset"} else EMPTY
    match rule.fault:
        case "server_error":
            return answer_error(LineError(status_of(rule), "Internal server error"))
        case "garbage":
            return Answer(status_of(rule), GARBAGE, content_type=b"text/html")
        case _:
            return handled


def _outcome(rule: FaultRule, answer: Answer) -> str:
    """How the statistics count the request: its status, or that it got no answer."""
    if rule.fault == "hang":
        return "hang"
    # Only what was accepted, now or by an earlier request, is cut off: a refusal is told as it is.
    if rule.fault == "accept_then_reset" and answer.status in {200, 409}:
        return "reset"
    return str(answer.status)


async def _still_answers(rule: FaultRule, outcome: str, scope: Scope, receive: Receive) -> bool:
    """Let the fault do its work on the connection; False = the client gets no answer."""
    if outcome == "reset":
        await reset_connection(scope, receive)
        return False
    if outcome == "hang":
        await hang(scope, receive, seconds_of(rule))
        return False
    if rule.fault == "delay":
        await asyncio.sleep(seconds_of(rule))
    return True
