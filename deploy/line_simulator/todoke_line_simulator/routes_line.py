"""LINE's own paths."""

from collections.abc import Callable

from starlette.routing import Route

from todoke_line_simulator import reading, rich_menus, sending
from todoke_line_simulator.calls import Handler
from todoke_line_simulator.line_endpoint import LineEndpoint
from todoke_line_simulator.simulator import Simulator

_MESSAGE = "/v2/bot/message"
_MENU = "/v2/bot/richmenu"
_MENU_OF_USER = "/v2/bot/user/{user_id}/richmenu"


def line_routes(simulator: Simulator) -> list[Route]:
    """The routes under /v2/bot; push first, because a router asks its routes in order."""

    def sends(name: str, handler: Handler, *, takes_retry_key: bool = False) -> Route:
        endpoint = LineEndpoint(simulator, name, handler, reads_json=True, takes_retry_key=takes_retry_key)
        return Route(f"{_MESSAGE}/{name}", endpoint, methods=["POST"])

    def calls(name: str, path: str, handler: Handler, method: str = "GET", *, reads_json: bool = False) -> Route:
        endpoint = LineEndpoint(simulator, name, handler, reads_json=reads_json, takes_retry_key=False)
        return Route(path, endpoint, methods=[method])

    return [
        sends("push", sending.push, takes_retry_key=True),
        sends("multicast", sending.multicast, takes_retry_key=True),
        sends("reply", sending.reply),
        sends("broadcast", sending.broadcast, takes_retry_key=True),
        *(sends(f"validate/{of}", sending.validate) for of in ("push", "reply", "multicast", "broadcast")),
        calls("quota", f"{_MESSAGE}/quota", reading.quota),
        calls("quota/consumption", f"{_MESSAGE}/quota/consumption", reading.consumption),
        calls("profile", "/v2/bot/profile/{user_id}", reading.profile),
        calls("followers/ids", "/v2/bot/followers/ids", reading.follower_ids),
        calls("linkToken", "/v2/bot/user/{user_id}/linkToken", reading.link_token, "POST"),
        calls("info", "/v2/bot/info", reading.bot_info),
        *_rich_menu_routes(calls),
    ]


def _rich_menu_routes(calls: Callable[..., Route]) -> list[Route]:
    alias, menu = f"{_MENU}/alias/{{alias}}", f"{_MENU}/{{menu}}"
    return [
        calls("richmenu/create", _MENU, rich_menus.create, "POST", reads_json=True),
        calls("richmenu/list", f"{_MENU}/list", rich_menus.list_all),
        calls("richmenu/alias/create", f"{_MENU}/alias", rich_menus.create_alias, "POST", reads_json=True),
        calls("richmenu/alias/list", f"{_MENU}/alias/list", rich_menus.list_aliases),
        calls("richmenu/alias", alias, rich_menus.read_alias),
        calls("richmenu/alias/update", alias, rich_menus.update_alias, "POST", reads_json=True),
        calls("richmenu/alias/delete", alias, rich_menus.delete_alias, "DELETE"),
        calls("richmenu", menu, rich_menus.read),
        calls("richmenu/delete", menu, rich_menus.delete, "DELETE"),
        calls("richmenu/user", _MENU_OF_USER, rich_menus.of_user),
        calls("richmenu/unlink", _MENU_OF_USER, rich_menus.unlink, "DELETE"),
        calls("richmenu/link", f"{_MENU_OF_USER}/{{menu}}", rich_menus.link, "POST"),
    ]
