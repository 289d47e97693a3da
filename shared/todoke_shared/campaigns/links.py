"""`links`: whose clicks on a campaign's links are counted.

`person`: each message has links of its own, so that a click is a person's: state, segments, triggers, reports.
`message`: all copies of a message share its links; clicks are counted, and nobody knows whose they are.
`off`: links stay as they are written.
"""

import operator
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from todoke_shared.campaigns.parts import Part

Per = Literal["person", "message", "off"]

_BEGINNING = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?(/[!-~]*)?")


def _beginning(text: str) -> str:
    scheme, cut, rest = text.partition("://")
    address = rest if cut and scheme in ("http", "https") else text
    if not _BEGINNING.fullmatch(address):
        raise ValueError(
            "write a host, or a host and the beginning of a path, for example app.shop.example or shop.example/terms"
        )
    return address


Beginning = Annotated[str, AfterValidator(_beginning)]
"""What an address begins with, behind its `https://`."""


class Links(Part):
    """Whose clicks are counted, and which links stay as they are written. `per` None: as `Campaign.links_per` says."""

    per: Per | None = None
    but: tuple[Beginning, ...] = Field(default=(), alias="except", max_length=50, exclude_if=operator.not_)


def _in_full(value: Any) -> Any:
    return {"per": value} if isinstance(value, str) else value


LinksOrWord = Annotated[Links, BeforeValidator(_in_full)]
