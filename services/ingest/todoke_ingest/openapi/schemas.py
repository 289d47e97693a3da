"""The schemas of the document, from the models themselves."""

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from todoke_ingest.answers import Problem, Taken
from todoke_ingest.domain.campaign_calls import CampaignCall
from todoke_ingest.domain.collect import Collected, Identity, TagEvent
from todoke_ingest.handlers.segment import SegmentProblem
from todoke_ingest.openapi.parts import Json
from todoke_shared.contracts.ec_events import DATA_MODELS
from todoke_shared.contracts.envelope import CloudEvent

_MODELS: list[type[BaseModel]] = [
    CloudEvent,
    *dict.fromkeys(DATA_MODELS.values()),
    *(Collected, TagEvent, Identity),
    CampaignCall,
    *(Taken, Problem, SegmentProblem),
]


def schemas() -> dict[str, Json]:
    """JSON Schema of the envelope, of each event type's data, of what the tag sends and of the answers, by name."""
    _, document = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    found: dict[str, Json] = document["$defs"]
    required = found["CloudEvent"]["required"]
    if isinstance(required, list):
        required.remove("time")  # in the topic it must be there; at the door, a missing time is now
    return found
