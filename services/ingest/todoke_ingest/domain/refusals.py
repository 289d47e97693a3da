"""How a door says no: one item of a request, or the request as a whole."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from todoke_shared.errors import BadMessageError

WHOLE_BODY = "(the whole body)"


class Refusal(BaseModel):
    """An item that was not taken. `reason` tells what to do and never repeats the value."""

    model_config = ConfigDict(frozen=True)

    index: int | None = Field(default=None, description="Its place in the batch, from 0; absent for a single event")
    field: str = Field(description="The path of the field at fault, such as data.items[0].quantity")
    reason: str = Field(description="What is wrong with it")


class RequestRefusedError(ValueError):
    """Nothing of this request can be taken; `status` is the HTTP status that says so, with `headers` of its own."""

    def __init__(
        self, status: int, reason: str, *, field: str = WHOLE_BODY, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.field = field
        self.headers = headers or {}


def refusal(error: BadMessageError, index: int | None) -> Refusal:
    """A bad message as an item of the answer."""
    return Refusal(index=index, field=error.field or "(the whole event)", reason=error.reason)
