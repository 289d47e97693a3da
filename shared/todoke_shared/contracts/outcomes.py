"""`message.outcomes.v1`: what became of a message."""

from typing import Literal, Self
from uuid import UUID

from pydantic import ConfigDict, model_validator

from todoke_shared.contracts.envelope import Contract, Instant, Name
from todoke_shared.contracts.requests import Lane
from todoke_shared.contracts.rules import given

OutcomeState = Literal["accepted", "held", "dropped", "failed", "unknown", "clicked"]
Via = Literal["push", "multicast", "reply"]


class Outcome(Contract):
    """`accepted`: LINE took it. `held`: it waits. `dropped`: we decided against it. `failed`: LINE refused it.

    `unknown`: LINE may have taken it and the retry key's life is over: a person decides.
    `via`: how a message left that LINE has, or may have; replies are free. None for a rich menu.
    `clicked`: its link to `url` was followed; a second time within the same minute is the same click. Where all copies
    of a message share a link, nobody knows in which it was followed: then there is no `message`, and each time counts.
    """

    model_config = ConfigDict(
        json_schema_extra={"allOf": [{"anyOf": [given("message"), {"properties": {"state": {"const": "clicked"}}}]}]}
    )

    schema_version: Literal[1] = 1
    id: UUID
    message: UUID | None = None
    state: OutcomeState
    shop: Name = "main"
    account: Name
    lane: Lane
    person: UUID | None = None
    campaign: Name | None = None
    step: str | None = None
    enrolment: UUID | None = None
    due_at: Instant | None = None
    at: Instant
    reason: str | None = None
    line_request_id: str | None = None
    via: Via | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _of_a_message(self) -> Self:
        if self.message is None and self.state != "clicked":
            raise ValueError("only a click may be on no message in particular; give `message`")
        return self
