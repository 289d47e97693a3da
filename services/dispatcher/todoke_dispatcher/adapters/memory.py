"""LINE in memory, for tests: it keeps LINE's promises about retry keys, tokens and the month, and fails on request."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid5

from todoke_dispatcher.domain.verdict import Answer
from todoke_shared.jsons import dumps, loads

Fault = Literal[
    "rate", "concurrency", "monthly", "server_error", "garbage", "garbage_200", "reset_after_accept", "reset"
]

_MENUS = UUID("6a9b1a5e-1111-4000-8000-000000000000")
_REPLIES = UUID("6a9b1a5e-2222-4000-8000-000000000000")
_READING = "reading"
"""The request id of what changes nothing."""


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A push, multicast or reply that LINE took. `retry_key` None: a reply, which costs nothing."""

    account: str
    to: tuple[str, ...]
    retry_key: UUID | None
    body: bytes
    request_id: str


@dataclass
class MemoryLine:
    """A `LinePort` and `MonthPort`. Retry keys live until `forget_keys`; `quota` None = no monthly limit.

    `accounts` are those whose token LINE knows; `faults` meet the coming requests in turn, one each. A request to any
    of the `never_existed`, user ids that nobody has, is refused.
    """

    accounts: frozenset[str] = frozenset({"main"})
    quota: int | None = None
    is_down: bool = False
    """Whatever is asked, the answer is a proxy's page of garbage."""
    by_hand: int = 0
    """Messages that somebody has sent in LINE's own manager."""
    faults: deque[Fault] = field(default_factory=deque)
    never_existed: frozenset[str] = frozenset()
    accepted: list[AcceptedRequest] = field(default_factory=list)
    menus: dict[str, str] = field(default_factory=dict)
    """Rich menus by alias, of every account."""
    linked: dict[tuple[str, str], str] = field(default_factory=dict)
    """By account and user."""
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    """Reply tokens that LINE takes, by account and token: whom each reaches. Take one away, and it is over."""
    requests: list[tuple[UUID | None, bytes]] = field(default_factory=list)
    _by_key: dict[tuple[str, UUID | None], AcceptedRequest] = field(default_factory=dict)

    def is_ready(self, account: str) -> bool:  # noqa: ARG002 - the port's signature
        """As long-lived tokens are: always."""
        return True

    async def call(self, account: str) -> Answer:
        """Answer unless `is_down`. The other faults are for what is sent."""
        return self._answer(account, str(uuid5(_MENUS, account)), lambda: Answer(200, b"{}", "call"), called=True)

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """Answer as LINE does. ConnectionResetError when a fault says so, the message taken or not."""
        return self._send(account, retry_key, body, _push_recipient(body))

    async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """Answer as LINE does: it takes the request for everybody, or for nobody, and does not say because of whom."""
        return self._send(account, retry_key, body, _multicast_recipients(body))

    async def reply(self, account: str, body: bytes) -> Answer:
        """Answer as LINE does: a token reaches its person once."""
        self.requests.append((None, body))
        request_id = str(uuid5(_REPLIES, str(len(self.requests))))
        return self._answer(account, request_id, lambda: self._reply(account, body, request_id))

    def _reply(self, account: str, body: bytes, request_id: str) -> Answer:
        token = loads(body).get("replyToken")
        if not isinstance(token, str) or not token or "to" in loads(body) or not _has_messages(body):
            return _refusal(400, "The request body has 1 error(s)", request_id)
        to = self.tokens.pop((account, token), None)
        if to is None:
            return _refusal(400, "Invalid reply token", request_id)
        self.accepted.append(AcceptedRequest(account, (to,), None, body, request_id))
        return Answer(200, dumps({"sentMessages": [{"id": str(len(self.accepted))}]}), request_id)

    async def rich_menu(self, account: str, to: str, alias: str | None) -> Answer:
        """Answer as LINE does, the faults as in `push`."""
        request_id = str(uuid5(_MENUS, f"{account}|{to}|{alias}"))
        return self._answer(account, request_id, lambda: self._link(account, to, alias, request_id))

    async def month(self, account: str) -> tuple[Answer, Answer]:
        """Answer as LINE does, the faults as in `push`: each of the two requests may meet one."""
        limit = {"type": "none"} if self.quota is None else {"type": "limited", "value": self.quota}
        first = self._answer(account, _READING, lambda: Answer(200, dumps(limit), _READING))
        return first, self._answer(
            account, _READING, lambda: Answer(200, dumps({"totalUsage": self.usage()}), _READING)
        )

    def usage(self) -> int:
        """What LINE counts this month."""
        return self.by_hand + self.paid

    def _link(self, account: str, to: str, alias: str | None, request_id: str) -> Answer:
        if alias is None:
            self.linked.pop((account, to), None)
        elif alias in self.menus:
            self.linked[account, to] = self.menus[alias]
        else:
            return _refusal(404, "richmenu alias not found", request_id)
        return Answer(200, b"{}", request_id)

    def _send(self, account: str, retry_key: UUID, body: bytes, to: tuple[str, ...]) -> Answer:
        self.requests.append((retry_key, body))
        request_id = str(uuid5(retry_key, str(len(self.requests))))
        request = AcceptedRequest(account, to, retry_key, body, request_id)
        return self._answer(account, request_id, lambda: self._take(request))

    def _answer(self, account: str, request_id: str, take: Callable[[], Answer], *, called: bool = False) -> Answer:
        """What `take` answers, unless the next fault is in the way."""
        if self.is_down:
            return _faulty("garbage", request_id)
        if account not in self.accounts:
            return _refusal(401, "Authentication failed", request_id)
        fault = self.faults.popleft() if self.faults and not called else None
        if fault == "reset":
            raise ConnectionResetError("the network is away")
        if fault is not None and fault != "reset_after_accept":
            return _faulty(fault, request_id)
        answer = take()
        if fault == "reset_after_accept":
            raise ConnectionResetError("accepted, and the answer was lost")
        return answer

    @property
    def paid(self) -> int:
        """How many messages LINE has counted: replies are free."""
        return sum(len(each.to) for each in self.accepted if each.retry_key is not None)

    def forget_keys(self) -> None:
        """What LINE does 24 hours after it has accepted a request: the same key would send again."""
        self._by_key.clear()

    def _take(self, request: AcceptedRequest) -> Answer:
        key = (request.account, request.retry_key)
        earlier = self._by_key.get(key)
        if earlier is not None:
            conflict = _refusal(409, "The retry key is already accepted", request.request_id)
            return Answer(409, conflict.body, request.request_id, accepted_request_id=earlier.request_id)
        if not request.to or not _has_messages(request.body):
            return _refusal(400, "The request body has 1 error(s)", request.request_id)
        if not self.never_existed.isdisjoint(request.to):
            return _refusal(400, "Failed to send messages", request.request_id)
        if self.quota is not None and self.usage() + len(request.to) > self.quota:
            return _refusal(429, "You have reached your monthly limit.", request.request_id)
        self._by_key[key] = request
        self.accepted.append(request)
        return Answer(200, dumps({"sentMessages": [{"id": str(len(self.accepted))}]}), request.request_id)


def _push_recipient(body: bytes) -> tuple[str, ...]:
    to = loads(body).get("to")
    return (to,) if isinstance(to, str) else ()


def _multicast_recipients(body: bytes) -> tuple[str, ...]:
    """1 to 500 of them, none twice: what LINE would deliver once must not be asked for as two."""
    to = loads(body).get("to")
    return tuple(to) if isinstance(to, list) and len(to) <= 500 and len(set(to)) == len(to) else ()


def _has_messages(body: bytes) -> bool:
    """Whether there are 1 to 5 message objects, each with a type, a text not empty."""
    messages = loads(body).get("messages")
    return (
        isinstance(messages, list)
        and 1 <= len(messages) <= 5
        and all(message.get("type") and message.get("text", " ") for message in messages)
    )


def _refusal(status: int, message: str, request_id: str) -> Answer:
    return Answer(status, dumps({"message": message}), request_id)


def _faulty(fault: Fault, request_id: str) -> Answer:
    match fault:
        case "rate":
            return _refusal(429, "The API rate limit has been exceeded. Try again later.", request_id)
        case "concurrency":
            return _refusal(429, "The number of concurrent requests has been exceeded.", request_id)
        case "monthly":
            return _refusal(429, "You have reached your monthly limit.", request_id)
        case "garbage" | "garbage_200":
            return Answer(502 if fault == "garbage" else 200, b"<html>\xff\xfe Bad Gateway", request_id)
        case _:
            return _refusal(500, "Internal server error", request_id)
