"""Issuing, verifying and revoking channel access tokens: `/oauth2/v2.1/*` and `/oauth2/v3/token`.

Source: LINE's channel-access-token.yml (https://github.com/line/line-openapi), and for what a JWT must say
https://developers.line.biz/en/docs/messaging-api/generate-json-web-token/. LINE's wording of refusals is a guess.
"""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

import jwt

from todoke_line_simulator.access_tokens import STATELESS_SECONDS, AccessToken
from todoke_line_simulator.accounts import Account
from todoke_line_simulator.calls import EMPTY, Answer, Call, answer_json
from todoke_line_simulator.problems import LineError

AUDIENCE = "https://api.line.me/"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION_SECONDS = 30 * 60
LONGEST_TOKEN_SECONDS = 30 * 24 * 3600
_Form = Mapping[str, str]


class OauthError(LineError):
    """A refusal as RFC 6749, 5.2 writes it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(400, description)
        self.body = {"error": error, "error_description": description}


def form_of(call: Call) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl(call.body.decode("latin-1")))


def named_channel(form: _Form) -> str | None:
    """The channel id that a form or query names, believed later: by itself, or as the issuer of its JWT."""
    if "client_assertion" not in form:
        return form.get("client_id")
    try:
        claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else None


def issue_stateless(call: Call) -> Answer:
    """A token for 15 minutes, by the channel's secret or by a JWT."""
    form = _checked_form(call)
    if "client_assertion" in form:
        _check_assertion(call, form)
    else:
        _check_secret(call.account, form)
    token = call.account.access_tokens.issue(call.now, STATELESS_SECONDS, with_key_id=False)
    return _issued(token, STATELESS_SECONDS)


def issue_asserted(call: Call) -> Answer:
    """A v2.1 token, by a JWT, for as long as that asks for."""
    lives = _check_assertion(call, _checked_form(call)).get("token_exp")
    if not isinstance(lives, int) or not 0 < lives <= LONGEST_TOKEN_SECONDS:
        raise OauthError("invalid_request", "token_exp must be a number of seconds, 30 days at most")
    return _issued(call.account.access_tokens.issue(call.now, lives, with_key_id=True), lives)


def verify(call: Call) -> Answer:
    """Whose token it is, and how long it lives."""
    value = dict(parse_qsl(call.query.decode("latin-1"))).get("access_token", "")
    token = call.account.access_tokens.find(value, call.now)
    if token is None:
        raise OauthError("invalid_request", "access token expired")
    left = int(token.ends_at - call.now)
    return answer_json({"client_id": call.account.settings.channel_id, "expires_in": left, "scope": "P CM"})


def revoke(call: Call) -> Answer:
    """End a v2.1 token."""
    form = form_of(call)
    _check_secret(call.account, form)
    call.account.access_tokens.revoke(form.get("access_token", ""))
    return EMPTY


def key_ids(call: Call) -> Answer:
    """The key ids of the v2.1 tokens that are good."""
    _check_assertion(call, dict(parse_qsl(call.query.decode("latin-1"))))
    return answer_json({"kids": call.account.access_tokens.key_ids(call.now)})


def _checked_form(call: Call) -> _Form:
    form = form_of(call)
    if form.get("grant_type") != "client_credentials":
        raise OauthError("unsupported_grant_type", "grant_type must be client_credentials")
    return form


def _check_secret(account: Account, form: _Form) -> None:
    if not hmac.compare_digest(form.get("client_secret", "").encode(), account.settings.channel_secret.encode()):
        raise OauthError("invalid_client", "Invalid clientId/clientSecret")


def _check_assertion(call: Call, form: _Form) -> Mapping[str, object]:
    """The claims of a JWT that this channel's key has signed and that is good now."""
    settings = call.account.settings
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OauthError("invalid_request", "client_assertion_type is missing or unknown")
    assertion = form.get("client_assertion", "")
    try:
        if jwt.get_unverified_header(assertion).get("kid") != settings.assertion_key_id:
            raise OauthError("invalid_client", "Invalid client_assertion: no such kid")
        claims = jwt.decode(
            assertion,
            jwt.PyJWK.from_json(settings.assertion_public_key, algorithm="RS256"),
            algorithms=["RS256"],
            audience=AUDIENCE,
            options={"require": ["iss", "sub", "aud", "exp"], "verify_exp": False},  # by the simulator's clock, below
        )
    except (jwt.PyJWTError, ValueError):
        raise OauthError("invalid_client", "Invalid client_assertion") from None
    expires = claims["exp"]
    if claims["iss"] != settings.channel_id or claims["sub"] != settings.channel_id:
        raise OauthError("invalid_client", "Invalid client_assertion: iss and sub must be the channel's id")
    if not isinstance(expires, int) or not call.now < expires <= call.now + LONGEST_ASSERTION_SECONDS:
        raise OauthError("invalid_client", "Invalid exp: 30 minutes from now at most")
    return claims


def _issued(token: AccessToken | None, lives: int) -> Answer:
    if token is None:
        raise OauthError("invalid_request", "The channel has as many access tokens as it may; revoke one")
    answer: dict[str, object] = {"token_type": "Bearer", "access_token": token.value, "expires_in": lives}
    return answer_json(answer | ({"key_id": token.key_id} if token.key_id else {}))
