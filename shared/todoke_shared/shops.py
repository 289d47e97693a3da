"""A shop in the configuration file: what its platforms and its browser tag are trusted by.

```yaml
shops:
  main:
    identity_secrets: [env:TODOKE_IDENTITY_SECRET]      # optional: browsers must prove who they say they are
    link_hosts: [shop.example, "*.shop.example"]        # optional: where tracked links may lead; without it anywhere
    caps: [{messages: 1, within: 1d}]                   # optional: all its marketing together, to one person
    quiet_hours: {from: "21:00", to: "09:00"}           # optional: of marketing that says nothing of its own
    shopify:
      webhook_secrets: [env:SHOPIFY_SECRET]             # two while one replaces the other
    eccube:                                             # docs/eccube.md
      webhook_secrets: [env:ECCUBE_SECRET]
      url: https://shop.example/                        # its home page
      client_id: 0123abcd                               # of the OAuth client, scope read
      client_secret: env:ECCUBE_CLIENT_SECRET
      refresh_token: env:ECCUBE_REFRESH_TOKEN           # the first one; its followers are kept in PostgreSQL
    makeshop:                                           # docs/makeshop.md
      webhook_secrets: [env:MAKESHOP_SECRET]
      endpoint: https://app-api.makeshop.jp/v1/graphql  # as makeshop's letter says
      access_token: env:MAKESHOP_TOKEN
      api_key: env:MAKESHOP_API_KEY
```
"""

import re
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from todoke_shared.campaigns.limits import Cap, QuietHours
from todoke_shared.secrets import read_secret, read_secrets


class Platform(BaseModel):
    """A platform whose webhooks are signed. The secrets are references (env:NAME, file:PATH) until `resolve`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook_secrets: tuple[str, ...] = Field(min_length=1, max_length=2, repr=False)

    def resolve(self) -> Self:
        """The same with its secrets read. ValueError tells which is missing."""
        return self.model_copy(update={"webhook_secrets": read_secrets(self.webhook_secrets)})


class Shopify(Platform):
    """A Shopify shop. `domain`: its myshopify.com name, which every delivery must then carry."""

    domain: str | None = None


def _http_url(text: str) -> str:
    if not text.startswith(("https://", "http://")) or any(letter in text for letter in " ?#@\\"):
        raise ValueError("must be a plain address such as https://shop.example/")
    return text


Url = Annotated[str, AfterValidator(_http_url)]
"""An address that a token is sent to: nothing in it but scheme, host and path."""


class EcCube(Platform):
    """An EC-CUBE 4 shop with the Web API plugin. `url`: its home page; the API is `{url}api`, tokens `{url}token`.

    Its access tokens live an hour, so that it needs a client and a refresh token
    (https://doc4.ec-cube.net/eccube-api4/authZ_refresh_token_grant). `access_token` alone is for a shop that issues
    lasting ones. `tax_percent`: what prices without tax rules of their own are raised by. `delivered_statuses`: ids of
    order statuses the shop added that mean 配達完了; EC-CUBE has none.
    """

    url: Url
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    access_token: str | None = Field(default=None, repr=False)
    tax_percent: float = Field(default=10, ge=0, le=100)
    delivered_statuses: frozenset[int] = frozenset()

    @model_validator(mode="after")
    def _can_ask(self) -> Self:
        if self.access_token is None and None in (self.client_id, self.client_secret, self.refresh_token):
            raise ValueError("give client_id, client_secret and refresh_token, or access_token (docs/eccube.md)")
        return self

    def resolve(self) -> Self:
        """The same with its secrets read. ValueError tells which is missing."""
        return _resolve(super().resolve(), "client_secret", "refresh_token", "access_token")

    @property
    def home(self) -> str:
        """`url` with a slash at its end."""
        return self.url.rstrip("/") + "/"


class MakeShop(Platform):
    """A makeshop shop. `endpoint`, `access_token` (PAT.…) and `api_key` are in makeshop's letter of approval.

    `signs` and `signature`: what its webhooks' HMAC is made over, and how it is written. No source of ours tells;
    docs/makeshop.md says how to find out. `paid_statuses`: the paymentStatusCodes that mean 入金済 in this shop.
    """

    endpoint: Url
    access_token: str = Field(repr=False)
    api_key: str = Field(repr=False)
    signs: Literal["body", "timestamp+body"] = "body"
    signature: Literal["hex", "base64"] = "hex"
    paid_statuses: frozenset[str] = frozenset()

    def resolve(self) -> Self:
        """The same with its secrets read. ValueError tells which is missing."""
        return _resolve(super().resolve(), "access_token", "api_key")


AnyPlatform = TypeVar("AnyPlatform", bound=Platform)


def _resolve(platform: AnyPlatform, *names: str) -> AnyPlatform:
    given = {name: getattr(platform, name) for name in names}
    return platform.model_copy(update={name: read_secret(value) for name, value in given.items() if value})


def _link_host(text: str) -> str:
    if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", text):
        raise ValueError("must be a host such as shop.example, or *.shop.example for those below it")
    return text


LinkHost = Annotated[str, AfterValidator(_link_host)]


class Shop(BaseModel):
    """A shop by its platforms; each is None when the shop has none of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    identity_secrets: tuple[str, ...] = Field(default=(), max_length=2, repr=False)
    link_hosts: tuple[LinkHost, ...] = ()
    caps: tuple[Cap, ...] = Field(default=(), max_length=10)
    quiet_hours: QuietHours | None = None
    shopify: Shopify | None = None
    eccube: EcCube | None = None
    makeshop: MakeShop | None = None

    def resolve(self) -> Self:
        """The same with every secret read. ValueError tells which is missing."""
        platforms = {
            name: value.resolve()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), Platform)
        }
        return self.model_copy(update={"identity_secrets": read_secrets(self.identity_secrets), **platforms})
