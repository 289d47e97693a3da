"""LINE in memory, for tests: it keeps LINE's promises about retry keys, tokens and the month, and fails on request."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID, uuid5

from todoke_dispatcher.domain.verdict import Answer
from todoke_shared.jsons import dumps, loads

Fault = Literal[
    "rate", "concurrency", "monthly", "server_error", "garbage", "garbage_200", "reset_after_accept", "reset"
]

_MENUS = UUID("6a9b1a5e-1111-4000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class AcceptedPush:
    """A message that LINE took."""

    account: str
    retry_key: UUID
    body: bytes
    request_id: str


@dataclass
class MemoryLine:
    """A `LinePort`. Retry keys live for as long as this object; `quota` None = no monthly limit.

    `accounts` are those whose token LINE knows; `faults` meet the coming requests in turn, one each.
    """

    accounts: frozenset[str] = frozenset({"main"})
    quota: int | None = None
    faults: deque[Fault] = field(default_factory=deque)
    accepted: list[AcceptedPush] = field(default_factory=list)
    menus: dict[str, str] = field(default_factory=dict)
    """Rich menus by alias, of every account."""
    linked: dict[tuple[str, str], str] = field(default_factory=dict)
    """By account and user."""
    requests: list[tuple[UUID, bytes]] = field(default_factory=list)
    _by_key: dict[tuple[str, UUID], AcceptedPush] = field(default_factory=dict)

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """Answer as LINE does. ConnectionResetError when a fault says so, the message taken or not."""
        self.requests.append((retry_key, body))
        request_id = str(uuid5(retry_key, str(len(self.requests))))
        if account not in self.accounts:
            return _refusal(401, "Authentication failed", request_id)
        fault = self.faults.popleft() if self.faults else None
        if fault == "reset":
            raise ConnectionResetError("the network is away")
        if fault is not None and fault != "reset_after_accept":
            return _faulty(fault, request_id)
        answer = self._take(account, retry_key, body, request_id)
        if fault == "reset_after_accept":
            raise ConnectionResetError("accepted, and the answer was lost")
        return answer

    async def rich_menu(self, account: str, to: str, alias: str | None) -> Answer:
        """Answer as LINE does, the faults as in `push`."""
        request_id = str(uuid5(_MENUS, f"{account}|{to}|{alias}"))
        if account not in self.accounts:
            return _refusal(401, "Authentication failed", request_id)
        fault = self.faults.popleft() if self.faults else None
        if fault == "reset":
            raise ConnectionResetError("the network is away")
        if fault is not None and fault != "reset_after_accept":
            return _faulty(fault, request_id)
        if alias is None:
            self.linked.pop((account, to), None)
        elif alias in self.menus:
            self.linked[account, to] = self.menus[alias]
        else:
            return _refusal(404, "richmenu alias not found", request_id)
        if fault == "reset_after_accept":
            raise ConnectionResetError("accepted, and the answer was lost")
        return Answer(200, b"{}", request_id)

    def _take(self, account: str, retry_key: UUID, body: bytes, request_id: str) -> Answer:
        earlier = self._by_key.get((account, retry_key))
        if earlier is not None:
            conflict = _refusal(409, "The retry key is already accepted", request_id)
            return Answer(409, conflict.body, request_id, accepted_request_id=earlier.request_id)
        if not _is_push(body):
            return _refusal(400, "The request body has 1 error(s)", request_id)
        if self.quota is not None and len(self.accepted) >= self.quota:
            return _refusal(429, "You have reached your monthly limit.", request_id)
        push = AcceptedPush(account, retry_key, body, request_id)
        self._by_key[account, retry_key] = push
        self.accepted.append(push)
        return Answer(200, dumps({"sentMessages": [{"id": str(len(self.accepted))}]}), request_id)


def _is_push(body: bytes) -> bool:
    """Whether LINE would take it: `to` and 1 to 5 message objects, each with a type, a text not empty."""
    push = loads(body)
    messages = push.get("messages")
    return (
        isinstance(push.get("to"), str)
        and isinstance(messages, list)
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
