"""The simulator's own paths under /sim: people, accepted messages, statistics, faults, clock."""

from collections.abc import Mapping
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from todoke_line_simulator.accounts import Account
from todoke_line_simulator.acts import ACTS, Act, Follow, RefusedActError
from todoke_line_simulator.clock import iso
from todoke_line_simulator.events import event_head
from todoke_line_simulator.faults import FaultRule
from todoke_line_simulator.message_log import AcceptedMessages
from todoke_line_simulator.simulator import Simulator
from todoke_line_simulator.users import line_user_id

_Model = TypeVar("_Model", bound=BaseModel)
_FAULT_RULES = TypeAdapter(list[FaultRule] | FaultRule)


class BadSimRequestError(Exception):
    """400 on a /sim path: the text names the field and the reason."""


class ManyUsers(BaseModel):
    """Body of ``POST /sim/users``."""

    model_config = ConfigDict(extra="forbid")

    users: list[str]
    account: str | None = None
    webhook: bool = False
    timestamp: NonNegativeInt | None = None


class ClockMove(BaseModel):
    """Body of ``POST /sim/clock``."""

    model_config = ConfigDict(extra="forbid")

    advance_seconds: NonNegativeFloat = Field(alias="advanceSeconds")


class MessagesQuery(BaseModel):
    """Query of ``GET /sim/messages``."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = None
    to: str | None = None
    after: NonNegativeInt = 0
    limit: int = Field(default=1000, ge=1, le=10_000)


class SimRoutes:
    """The handlers, over one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """All /sim paths."""
        return [
            Route("/sim/users", self.add_users, methods=["POST"]),
            Route("/sim/users/{user:path}/{act}", self.act, methods=["POST"]),
            Route("/sim/users/{user:path}", self.user, methods=["GET"]),
            Route("/sim/messages", self.messages, methods=["GET"]),
            Route("/sim/stats", self.stats, methods=["GET"]),
            Route("/sim/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/sim/reset", self.reset, methods=["POST"]),
            Route("/sim/clock", self.clock, methods=["POST"]),
            Route("/sim/tokens", self.tokens, methods=["DELETE"]),
        ]

    async def act(self, request: Request) -> Response:
        """A person follows, unfollows, writes, taps or links; the webhook is on its way when this answers."""
        kind = ACTS.get(request.path_params["act"])
        if kind is None:
            raise BadSimRequestError(f"unknown act: give one of {', '.join(ACTS)}")
        act = _parse(kind, await request.body() or b"{}")
        account = self._account(act.account)
        user_id, event_id = self._take_place(act, account, request.path_params["user"], send=True)
        return _json({"webhookEventId": event_id, "userId": user_id}, 202)

    async def add_users(self, request: Request) -> Response:
        """Many people become friends at once, with or without webhooks."""
        many = _parse(ManyUsers, await request.body())
        account = self._account(many.account)
        follow = Follow(timestamp=many.timestamp)
        ids = {name: self._take_place(follow, account, name, send=many.webhook)[0] for name in many.users}
        return _json({"userIds": ids, "friends": account.friends.friend_count}, 202)

    async def user(self, request: Request) -> Response:
        """What a person is to an account, and the rich menu that they see there: null is the account's default."""
        account = self._account(request.query_params.get("account"))
        user_id = line_user_id(account.settings.provider, request.path_params["user"])
        if user_id not in account.users:
            raise BadSimRequestError("nobody of this name has met an account yet: let them follow or write")
        return _json(
            {
                "userId": user_id,
                "displayName": account.users.display_name(user_id),
                "isFriend": account.friends.is_friend(user_id),
                "hasBlocked": account.friends.is_blocked_by(user_id),
                "richMenu": account.rich_menus.of(user_id),
            }
        )

    async def messages(self, request: Request) -> Response:
        """Accepted requests behind ``after``; ask again with ``after`` = ``next`` to go on."""
        query = _checked(MessagesQuery, request.query_params)
        providers = {account.settings.provider for account in self._simulator.accounts.values()}
        wanted = {line_user_id(provider, query.to) for provider in providers} if query.to else None
        found: list[dict[str, object]] = []
        last = query.after
        for record in self._simulator.log.after(query.after):
            last = record.seq
            if query.account in (None, record.account) and (wanted is None or _reaches(record, wanted)):
                found.append(_shown(record))
                if len(found) == query.limit:
                    break
        return _json({"messages": found, "next": last})

    async def stats(self, _request: Request) -> Response:
        """What every account received and answered."""
        simulator, now = self._simulator, self._simulator.clock.now()
        reports = {
            account.name: account.report(now, simulator.log.duplicates(account.name))
            for account in simulator.accounts.values()
        }
        return _json({"accounts": reports, "lastSeq": simulator.log.last_seq, "now": iso(now)})

    async def faults(self, request: Request) -> Response:
        """List the rules, add one or a list of them, or remove all."""
        rules = self._simulator.faults
        if request.method == "DELETE":
            rules.clear()
        elif request.method == "POST":
            try:
                given = _FAULT_RULES.validate_json(await request.body())
                rules.add(given if isinstance(given, list) else [given])
            except ValidationError as error:
                raise BadSimRequestError(_reasons(error)) from error
        return _json({"faults": rules.listed()})

    async def reset(self, _request: Request) -> Response:
        """Start again with nothing."""
        await self._simulator.reset()
        return _json({})

    async def clock(self, request: Request) -> Response:
        """Move the simulator's clock forward."""
        self._simulator.clock.advance(_parse(ClockMove, await request.body()).advance_seconds)
        return _json({"now": iso(self._simulator.clock.now())})

    async def tokens(self, request: Request) -> Response:
        """End all tokens that an account was issued; the long-lived one of its settings stays."""
        self._account(request.query_params.get("account")).access_tokens.revoke_all()
        return _json({})

    def _account(self, name: str | None) -> Account:
        account = self._simulator.account(name)
        if account is None:
            raise BadSimRequestError(f"no such account: give one of {', '.join(self._simulator.accounts)}")
        return account

    def _take_place(self, act: Act, account: Account, name: str, *, send: bool) -> tuple[str, str]:
        user_id = line_user_id(account.settings.provider, name)
        head = event_head(user_id, self._simulator.clock.now(), act.timestamp, act.mode)
        account.users.add(user_id, act.display_name)
        try:
            event = act.take_place(account, head)
        except RefusedActError as error:
            raise BadSimRequestError(str(error)) from error
        if send:
            self._simulator.webhooks.send(account, user_id, event, act.duplicate)
        return user_id, head.event_id


def _reaches(record: AcceptedMessages, wanted: set[str]) -> bool:
    return not wanted.isdisjoint(record.to) or not wanted.isdisjoint(record.delivered)


def _shown(record: AcceptedMessages) -> dict[str, object]:
    return {
        "seq": record.seq,
        "account": record.account,
        "endpoint": record.endpoint,
        "to": record.to,
        "delivered": record.delivered,
        "messages": orjson.Fragment(record.messages),
        "retryKey": record.retry_key,
        "requestId": record.request_id,
        "acceptedAt": iso(record.accepted_at),
    }


def _parse(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise BadSimRequestError(_reasons(error)) from error


def _checked(model: type[_Model], fields: Mapping[str, str]) -> _Model:
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise BadSimRequestError(_reasons(error)) from error


def _reasons(error: ValidationError) -> str:
    """Field and reason of every mistake, without the values."""
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors())


def _json(body: Mapping[str, object], status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
