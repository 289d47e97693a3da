"""Rich menus: created, named by an alias, linked to a user.

Source: https://developers.line.biz/en/reference/messaging-api/#rich-menu and #rich-menu-alias. Without pictures: nobody
looks at these menus.
"""

import re
from uuid import uuid4

import orjson

from todoke_line_simulator import sdk
from todoke_line_simulator.calls import EMPTY, Answer, Call, answer_json
from todoke_line_simulator.limits import Json
from todoke_line_simulator.problems import LineError, Problem, invalid_body
from todoke_line_simulator.validation import parse_body

MOST_MENUS = 1000
"""LINE's limit of menus, and of aliases, per account (its page "Use rich menus")."""
_ALIAS = re.compile("[a-z0-9_-]{1,32}")
_REQUIRED = ("size", "selected", "name", "chatBarText", "areas")


def create(call: Call) -> Answer:
    """A new menu; gives its id."""
    body = parse_body(call.body)
    menus = call.account.rich_menus.menus
    if missing := [Problem("May not be null", name) for name in _REQUIRED if name not in body]:
        raise invalid_body(missing)
    if faults := sdk.faults("RichMenuRequest", body):
        raise invalid_body([Problem(fault.why, ".".join(map(str, fault.where))) for fault in faults])
    if len(menus) >= MOST_MENUS:
        raise LineError(400, "The maximum number of rich menus has been reached")
    menu = f"richmenu-{uuid4().hex}"
    menus[menu] = body
    return answer_json({"richMenuId": menu})


def read(call: Call) -> Answer:
    """A menu as it was created."""
    menu = _known_menu(call, call.path["menu"])
    return answer_json({"richMenuId": menu, **call.account.rich_menus.menus[menu]})


def list_all(call: Call) -> Answer:
    """All menus."""
    menus = call.account.rich_menus.menus
    return answer_json({"richmenus": [{"richMenuId": menu, **body} for menu, body in menus.items()]})


def delete(call: Call) -> Answer:
    """A menu is gone."""
    call.account.rich_menus.forget(_known_menu(call, call.path["menu"]))
    return EMPTY


def create_alias(call: Call) -> Answer:
    """A name for a menu, that may be given to another menu later."""
    body, aliases = parse_body(call.body), call.account.rich_menus.aliases
    alias = body.get("richMenuAliasId")
    if not isinstance(alias, str) or _ALIAS.fullmatch(alias) is None:
        raise invalid_body([Problem("Must be 1 to 32 of a-z, 0-9, _ and -", "richMenuAliasId")])
    if alias in aliases:
        raise LineError(400, "conflict richmenu alias id")
    aliases[alias] = _named_menu(call, body)
    return EMPTY


def update_alias(call: Call) -> Answer:
    """The alias means another menu from here on; who was linked by it keeps the menu they have."""
    alias = _known_alias(call)
    call.account.rich_menus.aliases[alias] = _named_menu(call, parse_body(call.body))
    return EMPTY


def read_alias(call: Call) -> Answer:
    """The menu that an alias means."""
    alias = _known_alias(call)
    return answer_json({"richMenuAliasId": alias, "richMenuId": call.account.rich_menus.aliases[alias]})


def list_aliases(call: Call) -> Answer:
    """All aliases."""
    aliases = call.account.rich_menus.aliases.items()
    return answer_json({"aliases": [{"richMenuAliasId": alias, "richMenuId": menu} for alias, menu in aliases]})


def delete_alias(call: Call) -> Answer:
    """The name is free again."""
    del call.account.rich_menus.aliases[_known_alias(call)]
    return EMPTY


def link(call: Call) -> Answer:
    """The user sees this menu from here on; again is no mistake."""
    user_id, menu = _known_user(call), _known_menu(call, call.path["menu"])
    call.account.rich_menus.linked[user_id] = menu
    return EMPTY


def unlink(call: Call) -> Answer:
    """The user sees the default menu; also when they did before."""
    call.account.rich_menus.linked.pop(_known_user(call), None)
    return EMPTY


def of_user(call: Call) -> Answer:
    """The id of the menu that was linked to the user."""
    menu = call.account.rich_menus.linked.get(_known_user(call))
    if menu is None:
        raise LineError(404, "the user has no richmenu")
    return Answer(200, orjson.dumps({"richMenuId": menu}))


def _known_user(call: Call) -> str:
    user_id = call.path["user_id"]
    if user_id not in call.account.users:
        raise LineError(400, "The value for the 'userId' parameter is invalid")
    return user_id


def _known_menu(call: Call, menu: str) -> str:
    if menu not in call.account.rich_menus.menus:
        raise LineError(404, "richmenu not found")
    return menu


def _named_menu(call: Call, body: Json) -> str:
    menu = body.get("richMenuId")
    if not isinstance(menu, str) or menu not in call.account.rich_menus.menus:
        raise LineError(400, "richmenu not found")
    return menu


def _known_alias(call: Call) -> str:
    alias = call.path["alias"]
    if alias not in call.account.rich_menus.aliases:
        raise LineError(404, "richmenu alias not found")
    return alias
