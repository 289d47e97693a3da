"""GET /r/{token}."""

from todoke_ingest.openapi.parts import PROBLEM, Json, answer, answers, later, parameter, ref, said

TAG = "Tracked links"
SECURITY: Json = {}
_PAGE: Json = {"type": "string"}
_HTML = "text/html"


def paths() -> dict[str, Json]:
    """The door of tracked links."""
    return {"/r/{token}": {"get": _follow("Follow a tracked link"), "head": _follow("See where a tracked link leads")}}


def _follow(summary: str) -> Json:
    return {
        "tags": [TAG],
        "summary": summary,
        "description": (
            "Leads where the link was written to lead. A person's click is told: message.outcomes.v1 (clicked) for a "
            "message's link, custom.link.clicked for one on a poster. Previews, robots and HEAD are led on, uncounted."
        ),
        "parameters": [parameter("token", "path", "22 letters and digits", "3kTMd9QXv1rYB0WcUe7LsA")],
        "responses": answers(
            {
                "302": said("To the stored destination", {"Location": "The destination, stored with the link"}),
                "404": answer("A page: no such link, or its time is over", _HTML, _PAGE),
                "503": later("A page: nobody can tell now where it leads", (_HTML, _PAGE), (PROBLEM, ref("Problem"))),
            },
            away="open it again in a moment",
        ),
    }
