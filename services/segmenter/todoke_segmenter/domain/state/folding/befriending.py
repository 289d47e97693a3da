"""Who becomes a friend of a LINE account, and who leaves it."""

from todoke_segmenter.domain.state.folding.seen import Change, Seen, was_seen
from todoke_segmenter.domain.state.joining import join_friendships
from todoke_shared.contracts.ec_events import FriendImported
from todoke_shared.contracts.subjects import line_user
from todoke_shared.people.person import Friendship, PersonState


def followed(state: PersonState, seen: Seen) -> Change:
    """line.follow."""
    return _friendship(state, seen, friend=True)


def unfollowed(state: PersonState, seen: Seen) -> Change:
    """line.unfollow: the person has blocked the account."""
    return _friendship(state, seen, friend=False)


def friend_imported(state: PersonState, seen: Seen) -> Change:
    """friend.imported: what was known of the friendship when it was exported."""
    data = seen.happening.data
    assert isinstance(data, FriendImported)  # noqa: S101
    return _friendship(state, seen, friend=data.friend)


def _friendship(state: PersonState, seen: Seen, *, friend: bool) -> Change:
    user = line_user(seen.happening.subject)
    if user is None:
        return was_seen(state, seen)
    told = {f"{user.account}:{user.user_id}": Friendship(seen.at, friend)}
    return {"friendships": join_friendships(state.friendships, told)}
