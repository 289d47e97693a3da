"""Users of a provider, and what one account is to them."""

import hashlib
import heapq
import re

_LINE_USER_ID = re.compile("U[0-9a-f]{32}")
# LINE lets an account push to a non-friend who messaged it within the last 7 days.
PUSH_AFTER_MESSAGE_SECONDS = 7 * 24 * 60 * 60


def is_line_user_id(text: str) -> bool:
    """Whether the text has the form of a LINE user id: U and 32 lower-case hexadecimal digits."""
    return _LINE_USER_ID.fullmatch(text) is not None


def line_user_id(provider: str, name: str) -> str:
    """The LINE user id for a readable name. A name that already is a LINE user id stays as it is."""
    if is_line_user_id(name):
        return name
    return "U" + hashlib.md5(f"{provider}|{name}".encode(), usedforsecurity=False).hexdigest()


class ProviderUsers:
    """Everybody who ever existed for one provider, with the name they show."""

    def __init__(self) -> None:
        self._display_names: dict[str, str] = {}

    def add(self, user_id: str, display_name: str | None = None) -> None:
        """Make the user exist; a display name replaces the one before."""
        if display_name is not None:
            self._display_names[user_id] = display_name
        else:
            self._display_names.setdefault(user_id, f"User {user_id[1:7]}")

    def display_name(self, user_id: str) -> str:
        """The name in the user's profile."""
        return self._display_names[user_id]

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._display_names


class Friends:
    """Who is a friend of one account, who has blocked it, who has written to it."""

    def __init__(self) -> None:
        self._friends: dict[str, None] = {}
        self._blocked: set[str] = set()
        self._messaged_at: dict[str, float] = {}

    def follow(self, user_id: str) -> bool:
        """The user adds or unblocks the account; True = had blocked it before."""
        unblocked = user_id in self._blocked
        self._blocked.discard(user_id)
        self._friends[user_id] = None
        return unblocked

    def unfollow(self, user_id: str) -> None:
        """The user blocks the account (LINE tells it as ``unfollow``)."""
        self._friends.pop(user_id, None)
        self._blocked.add(user_id)

    def messaged(self, user_id: str, now: float) -> None:
        """The user writes to the account."""
        self._messaged_at[user_id] = now

    def reached_by_push(self, user_id: str, now: float) -> bool:
        """Whether a push arrives: a friend, or somebody who wrote within 7 days and has not blocked the account."""
        if user_id in self._friends:
            return True
        messaged_at = self._messaged_at.get(user_id)
        return (
            messaged_at is not None and user_id not in self._blocked and now - messaged_at <= PUSH_AFTER_MESSAGE_SECONDS
        )

    def is_friend(self, user_id: str) -> bool:
        """Whether the user is a friend now."""
        return user_id in self._friends

    def is_blocked_by(self, user_id: str) -> bool:
        """Whether the user has blocked the account."""
        return user_id in self._blocked

    def ids(self) -> tuple[str, ...]:
        """All friends, in the order in which they came."""
        return tuple(self._friends)

    def page(self, after: str, limit: int) -> list[str]:
        """Friends in the order of their ids, starting behind ``after``: stable while people come and go."""
        return heapq.nsmallest(limit, (user_id for user_id in self._friends if user_id > after))

    @property
    def friend_count(self) -> int:
        """How many friends the account has."""
        return len(self._friends)

    @property
    def blocked_count(self) -> int:
        """How many users have blocked the account."""
        return len(self._blocked)
