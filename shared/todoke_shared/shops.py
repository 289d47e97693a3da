"""A shop in the configuration file: what its platforms and its browser tag are trusted by.

```yaml
shops:
  main:
    identity_secrets: [env:TODOKE_IDENTITY_SECRET]      # optional: browsers must prove who they say they are
    shopify:
      webhook_secrets: [env:SHOPIFY_SECRET]             # two while one replaces the other
```
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from todoke_shared.secrets import read_secrets


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


class Shop(BaseModel):
    """A shop by its platforms; each is None when the shop has none of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    identity_secrets: tuple[str, ...] = Field(default=(), max_length=2, repr=False)
    shopify: Shopify | None = None

    def resolve(self) -> Self:
        """The same with every secret read. ValueError tells which is missing."""
        platforms = {
            name: value.resolve()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), Platform)
        }
        return self.model_copy(update={"identity_secrets": read_secrets(self.identity_secrets), **platforms})
