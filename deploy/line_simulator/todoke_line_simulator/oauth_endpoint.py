"""The paths that issue tokens: like LINE's others, but for who is asking, which stands in the form or the query."""

from urllib.parse import parse_qsl

from starlette.routing import Route
from starlette.types import Scope

from todoke_line_simulator import oauth
from todoke_line_simulator.accounts import Account
from todoke_line_simulator.calls import Answer, Handler, answer_error
from todoke_line_simulator.line_endpoint import Headers, LineEndpoint
from todoke_line_simulator.simulator import Simulator

UNKNOWN = answer_error(oauth.OauthError("invalid_client", "Invalid clientId/clientSecret"))


class OauthEndpoint(LineEndpoint):
    """One of them. Faults, limits and statistics are those of the channel that is named."""

    def __init__(self, simulator: Simulator, name: str, handler: Handler) -> None:
        super().__init__(simulator, name, handler, reads_json=False, takes_retry_key=False)

    def _who(self, scope: Scope, headers: Headers, body: bytes) -> Account | Answer:
        """The channel that the request names, whether or not it can prove it; 400 for none."""
        del headers  # a token is what is being asked for
        form = dict(parse_qsl((body or scope["query_string"]).decode("latin-1")))
        if "access_token" in form and "client_id" not in form:
            found = self._simulator.authorized(f"Bearer {form['access_token']}".encode())
        else:
            found = self._simulator.channel(oauth.named_channel(form))
        return UNKNOWN if found is None else found


def oauth_routes(simulator: Simulator) -> list[Route]:
    """The routes under /oauth2. Their names begin with `oauth/`."""

    def route(method: str, path: str, name: str, handler: Handler) -> Route:
        return Route(path, OauthEndpoint(simulator, f"oauth/{name}", handler), methods=[method])

    return [
        route("POST", "/oauth2/v3/token", "stateless", oauth.issue_stateless),
        route("POST", "/oauth2/v2.1/token", "token", oauth.issue_asserted),
        route("GET", "/oauth2/v2.1/verify", "verify", oauth.verify),
        route("POST", "/oauth2/v2.1/revoke", "revoke", oauth.revoke),
        route("GET", "/oauth2/v2.1/tokens/kid", "kid", oauth.key_ids),
    ]
