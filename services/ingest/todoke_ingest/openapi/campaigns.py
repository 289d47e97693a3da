"""POST /v1/campaigns/{campaign}/start and /stop."""

from todoke_ingest.domain.campaign_calls import JSON, Action
from todoke_ingest.handlers.campaigns import LIMIT
from todoke_ingest.openapi.parts import Json, answer, answers, body, parameter, problem, ref
from todoke_shared.contracts.ec_events import MAX_CONTEXT_BYTES

TAG = "Campaigns"
SECURITY: Json = {}
"""The keys are those of shop events."""

_LIMIT = f"{LIMIT // 1024} KiB"

_START: Json = {
    "subject": "customer:4711",
    "id": "consultation-2026-8812",
    "context": {"reason": "お電話でのご相談", "staff": "佐藤"},
}
_STOP: Json = {"subject": "customer:4711", "id": "consultation-2026-8812"}


def paths() -> dict[str, Json]:
    """The two doors."""
    start = _call(
        "start",
        "Start a campaign for a person",
        "Any campaign that is in force may be started so, `on: call` is for those that nothing else starts. Its own "
        "`when`, `again`, `starts` and `ends` are asked as for any entry. `context` is what its messages say as "
        f"event.…, at most {MAX_CONTEXT_BYTES // 1024} KiB.",
        {"with what the messages say": _START, "of an order": {"subject": "customer:4711", "key": "A-1001"}},
    )
    stop = _call(
        "stop",
        "Stop a campaign for a person",
        "Ends the run named by `key`, or without it every run of the person in this campaign.",
        {"every run": _STOP},
    )
    return {"/v1/campaigns/{campaign}/start": {"post": start}, "/v1/campaigns/{campaign}/stop": {"post": stop}}


def _call(action: Action, summary: str, description: str, examples: dict[str, object]) -> Json:
    return {
        "tags": [TAG],
        "operationId": f"{action}_campaign",
        "summary": summary,
        "description": f"{description} The same `id` again counts once.",
        "security": [{"bearerKey": []}, {"headerKey": []}],
        "parameters": [parameter("campaign", "path", "The campaign's name", "welcome")],
        "requestBody": body((JSON, ref("CampaignCall"), examples)),
        "responses": answers(
            {
                "202": answer("Durable; `accepted` is the id, yours or one made here", JSON, ref("Taken")),
                "400": problem("The body is not as it should be; errors names field and reason"),
                "404": problem("No campaign of this name is in force"),
                "415": problem(f"Another media type than {JSON}"),
            },
            key=True,
            limit=_LIMIT,
            away="send the same request again after Retry-After seconds, with an id",
        ),
    }
