"""Reading from LINE: quota, consumption, profile, follower ids, bot info, link tokens."""

from urllib.parse import parse_qs

from todoke_line_simulator.calls import Answer, Call, answer_json
from todoke_line_simulator.problems import LineError, Problem, invalid_body

DEFAULT_PAGE = 300
LONGEST_PAGE = 1000


def quota(call: Call) -> Answer:
    """The month's limit."""
    limit = call.account.quota.limit
    return answer_json({"type": "none"} if limit is None else {"type": "limited", "value": limit})


def consumption(call: Call) -> Answer:
    """Recipients billed this month. LINE's figure is approximate; this one is exact."""
    return answer_json({"totalUsage": call.account.quota.usage(call.now)})


def profile(call: Call) -> Answer:
    """A friend's profile; 404 for everybody else, as LINE answers for a user who has blocked the account."""
    user_id = call.path["user_id"]
    if not call.account.friends.is_friend(user_id):
        raise LineError(404, "Not found")
    return answer_json({"userId": user_id, "displayName": call.account.users.display_name(user_id), "language": "ja"})


def follower_ids(call: Call) -> Answer:
    """One page of friends; ``next`` is the place from which the following page starts."""
    query = parse_qs(call.query.decode("latin-1"))
    written = query.get("limit", [str(DEFAULT_PAGE)])[0]
    if not written.isdecimal() or not 1 <= int(written) <= LONGEST_PAGE:
        raise invalid_body([Problem(f"Must be between 1 and {LONGEST_PAGE}", "limit")])
    limit = int(written)
    found = call.account.friends.page(query.get("start", [""])[0], limit + 1)
    page = found[:limit]
    return answer_json({"userIds": page} | ({"next": page[-1]} if len(found) > limit else {}))


def bot_info(call: Call) -> Answer:
    """The account itself."""
    account = call.account
    return answer_json(
        {
            "userId": account.settings.destination,
            "basicId": f"@{account.settings.destination[1:9]}",
            "displayName": account.name,
            "chatMode": "bot",
            "markAsReadMode": "auto",
        }
    )


def link_token(call: Call) -> Answer:
    """A link token for a friend."""
    user_id = call.path["user_id"]
    if not call.account.friends.is_friend(user_id):
        raise LineError(404, "Not found")
    return answer_json({"linkToken": call.account.link_tokens.issue(user_id, call.now)})
