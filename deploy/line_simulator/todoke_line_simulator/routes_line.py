"""LINE's own paths."""

from starlette.routing import Route

from todoke_line_simulator import reading, sending
from todoke_line_simulator.calls import Handler
from todoke_line_simulator.line_endpoint import LineEndpoint
from todoke_line_simulator.simulator import Simulator

_MESSAGE = "/v2/bot/message"


def line_routes(simulator: Simulator) -> list[Route]:
    """The routes under /v2/bot; push first, because a router asks its routes in order."""

    def sends(name: str, handler: Handler, *, takes_retry_key: bool = False) -> Route:
        endpoint = LineEndpoint(simulator, name, handler, reads_json=True, takes_retry_key=takes_retry_key)
        return Route(f"{_MESSAGE}/{name}", endpoint, methods=["POST"])

    def reads(name: str, path: str, handler: Handler, method: str = "GET") -> Route:
        endpoint = LineEndpoint(simulator, name, handler, reads_json=False, takes_retry_key=False)
        return Route(path, endpoint, methods=[method])

    return [
        sends("push", sending.push, takes_retry_key=True),
        sends("multicast", sending.multicast, takes_retry_key=True),
        sends("reply", sending.reply),
        sends("broadcast", sending.broadcast, takes_retry_key=True),
        *(sends(f"validate/{of}", sending.validate) for of in ("push", "reply", "multicast", "broadcast")),
        reads("quota", f"{_MESSAGE}/quota", reading.quota),
        reads("quota/consumption", f"{_MESSAGE}/quota/consumption", reading.consumption),
        reads("profile", "/v2/bot/profile/{user_id}", reading.profile),
        reads("followers/ids", "/v2/bot/followers/ids", reading.follower_ids),
        reads("linkToken", "/v2/bot/user/{user_id}/linkToken", reading.link_token, "POST"),
        reads("info", "/v2/bot/info", reading.bot_info),
    ]
