"""What the dispatcher needs of the outside world, so that tests can stand in for it."""

from typing import Protocol
from uuid import UUID

from todoke_dispatcher.domain.verdict import Answer


class NotSentError(Exception):
    """LINE has not looked at the request, for want of a good access token: it goes out later, as it is."""


class MonthPort(Protocol):
    """LINE's word on the month (https://developers.line.biz/en/reference/messaging-api/#get-quota)."""

    async def month(self, account: str) -> tuple[Answer, Answer]:
        """Ask for the limit, then for what is used of it; raises as any request does."""


class LinePort(Protocol):
    """LINE's endpoints for sending (https://developers.line.biz/en/reference/messaging-api/#send-push-message).

    Any exception but NotSentError means that LINE may have taken it: no retry and no interpretation happens in here.
    """

    def is_ready(self, account: str) -> bool:
        """Whether an access token is at hand, so that a request can go out."""

    async def call(self, account: str) -> Answer:
        """Ask LINE for the account itself, which changes nothing, to learn within seconds whether it answers."""

    async def push(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """Send the exact `body` once, with the retry key, as the account; give whatever LINE answered."""

    async def multicast(self, account: str, retry_key: UUID, body: bytes) -> Answer:
        """The same to several people: LINE takes it for all of them, or for none."""

    async def reply(self, account: str, body: bytes) -> Answer:
        """Spend the reply token in the exact `body`, as the account. There is no key by which to ask again."""

    async def rich_menu(self, account: str, to: str, alias: str | None) -> Answer:
        """Link the rich menu of this alias to the user, None: unlink theirs; give LINE's last answer.

        The alias' menu is looked up first; without one, that answer (404) is the last.
        """
