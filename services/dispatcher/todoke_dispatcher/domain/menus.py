"""Rich menus: linked to a person as a message is sent, with the same states and outcomes, and at no cost of the month.

Linking is idempotent, and LINE takes no retry key for it: an attempt without a clear answer is simply made again.
"""

from todoke_dispatcher.domain.verdict import Answer, Refused, Verdict, is_lines, judge
from todoke_shared.contracts.requests import MessageRequest
from todoke_shared.jsons import dumps

NO_MENU = "none"
"""Asked for in place of an alias: the person's own menu is unlinked, and the account's default shows again."""
RATE = 2000
"""LINE's limit of requests a second to link a menu to one user, and to look an alias up (LINE-API.md: rate limits)."""


def alias_of(request: MessageRequest) -> str | None:
    """The alias of the menu to link; None: unlink."""
    return None if request.rich_menu == NO_MENU else request.rich_menu


def menu_body(request: MessageRequest) -> bytes:
    """What the ledger keeps of what was asked of LINE; the alias' menu is looked up at each attempt."""
    return dumps({"to": request.to, "richMenu": alias_of(request)})


def judge_menu(answer: Answer, alias: str | None) -> Verdict:
    """As `judge`, but for 404, which LINE says of an alias or a menu that is not there: no use in asking again."""
    if answer.status != 404 or not is_lines(answer):
        return judge(answer)
    if alias is None:
        return Refused("LINE 404: there is no such user to unlink a rich menu from", answer.request_id)
    return Refused(
        f"LINE 404: this account has no rich menu of the alias {alias}; give a menu that alias (LINE's "
        "reference: create rich menu alias), or name another in the campaign",
        answer.request_id,
    )
