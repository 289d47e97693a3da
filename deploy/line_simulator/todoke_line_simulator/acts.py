"""What a person does in the LINE app: the body of ``POST /sim/users/...`` and what follows from it."""

from abc import ABC, abstractmethod
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt
from pydantic.alias_generators import to_camel

from todoke_line_simulator import events
from todoke_line_simulator.accounts import Account
from todoke_line_simulator.events import Event, EventHead, Mode


class RefusedActError(Exception):
    """The person cannot do that; the text says why and what to do."""


class Act(BaseModel, ABC):
    """What every act may say; all of it optional."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False)

    account: str | None = None
    """Account name; None = the first account."""
    timestamp: NonNegativeInt | None = None
    """When it happened, milliseconds since 1970; None = now."""
    mode: Mode = "active"
    duplicate: int = Field(default=1, ge=1, le=100)
    """How many times the webhook is sent."""
    display_name: str | None = None
    """The name in the profile from now on."""

    @abstractmethod
    def take_place(self, account: Account, head: EventHead) -> Event:
        """Change the account's state and give the event to send."""

    def _reply_token(self, account: Account, head: EventHead) -> str:
        return account.reply_tokens.issue(head.user_id, head.now)


class Follow(Act):
    """The person adds or unblocks the account."""

    is_unblocked: bool | None = None
    """None = whether the person had blocked the account before."""

    def take_place(self, account: Account, head: EventHead) -> Event:
        had_blocked = account.friends.follow(head.user_id)
        unblocked = had_blocked if self.is_unblocked is None else self.is_unblocked
        return events.follow(head, self._reply_token(account, head), is_unblocked=unblocked)


class Unfollow(Act):
    """The person blocks the account."""

    def take_place(self, account: Account, head: EventHead) -> Event:
        account.friends.unfollow(head.user_id)
        return events.unfollow(head)


class Message(Act):
    """The person writes a text."""

    text: str = "こんにちは"

    def take_place(self, account: Account, head: EventHead) -> Event:
        account.friends.messaged(head.user_id, head.now)
        return events.text_message(head, self._reply_token(account, head), self.text)


class Postback(Act):
    """The person taps a button with a postback action."""

    data: str = Field(max_length=300)
    params: dict[str, str] | None = None

    def take_place(self, account: Account, head: EventHead) -> Event:
        return events.postback(head, self._reply_token(account, head), self.data, self.params)


class Link(Act):
    """The person comes back from the shop's login page with a nonce."""

    nonce: str = Field(min_length=10, max_length=255)
    link_token: str | None = None
    """When given it must be a fresh token of this user, as on LINE; it is spent."""
    result: Literal["ok", "failed"] = "ok"

    def take_place(self, account: Account, head: EventHead) -> Event:
        if self.link_token is not None and not account.link_tokens.redeem(self.link_token, head.user_id, head.now):
            raise RefusedActError(
                "linkToken is unknown, used, older than 10 minutes or of another user: issue a new one"
            )
        reply_token = self._reply_token(account, head) if self.result == "ok" else None
        return events.account_link(head, reply_token, self.nonce, self.result)


ACTS: dict[str, type[Act]] = {
    "follow": Follow,
    "unfollow": Unfollow,
    "message": Message,
    "postback": Postback,
    "link": Link,
}
