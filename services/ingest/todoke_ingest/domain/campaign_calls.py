"""A call that starts or stops a campaign for a person -> the shop event that says so."""

import re
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.refusals import WHOLE_BODY, RequestRefusedError
from todoke_shared.contracts.ec_events import MAX_CONTEXT_BYTES
from todoke_shared.contracts.envelope import NonEmpty, bad_message
from todoke_shared.errors import BadMessageError

Action = Literal["start", "stop"]

JSON = "application/json"
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_FIELDS = {"time": "at", "data.key": "key", "data.context": "context"}
"""Of the event -> of the call."""


class CampaignCall(BaseModel):
    """For whom a campaign starts or stops: the body of POST /v1/campaigns/{campaign}/start and /stop."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: NonEmpty = Field(description="customer:{id}, visitor:{id} or line:{account}:{userId}")
    id: NonEmpty | None = Field(default=None, description="Yours for this call: sent twice, it counts once")
    key: Annotated[str, Field(max_length=255)] | None = Field(
        default=None, description="Which run, where several may go on side by side: an order's number, say"
    )
    context: dict[str, Any] | None = Field(
        default=None,
        description=f"What the campaign's messages say as event.…; at most {MAX_CONTEXT_BYTES // 1024} KiB as JSON",
    )
    at: str | None = Field(default=None, description="When, with its offset; without it: now")


def read_call(body: bytes, content_type: str) -> CampaignCall:
    """The call. RequestRefusedError: 415 for another media type, 400 naming the field that is wrong."""
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise RequestRefusedError(415, f"is not one that this door takes; send {JSON}", field="Content-Type")
    try:
        return CampaignCall.model_validate(read_json(body))
    except ValidationError as error:
        complaint = bad_message(error)
        field = complaint.field or WHOLE_BODY
        raise RequestRefusedError(400, complaint.reason, field=WHOLE_BODY if field.startswith("(") else field) from None


def is_campaign_name(campaign: str) -> bool:
    """Whether a campaign can be called so."""
    return _CAMPAIGN.fullmatch(campaign) is not None


def requested(call: CampaignCall, campaign: str, action: Action) -> dict[str, object]:
    """The event as a CloudEvent. One `id` may serve a start and a stop, and several campaigns."""
    data = {"campaign": campaign, "key": call.key, "context": call.context}
    return {
        "specversion": "1.0",
        "id": call.id or str(uuid4()),
        "source": f"/v1/campaigns/{campaign}/{action}",
        "type": f"campaign.{action}_requested",
        "time": call.at,
        "subject": call.subject,
        "data": {name: value for name, value in data.items() if value is not None},
    }


def of_the_call(error: BadMessageError) -> BadMessageError:
    """What is wrong with the event, in the call's own words."""
    field = error.field or ""
    name, dot, rest = field.partition("data.context")
    if not name and dot:
        return BadMessageError(error.reason, field=f"context{rest}")
    return BadMessageError(error.reason, field=_FIELDS.get(field, field))
