"""What orchestrators and people read."""

from todoke_ingest.openapi.parts import JSON, Json, answer

TAG = "For operators"
SECURITY: Json = {}
_TEXT: Json = {"type": "string"}
_PLAIN = "text/plain"


def paths() -> dict[str, Json]:
    """The pages."""
    ready = {"200": answer("ready", _PLAIN, _TEXT), "503": answer("not ready", _PLAIN, _TEXT)}
    return {
        "/healthz": _page("Alive, whatever Kafka and PostgreSQL do", _PLAIN),
        "/readyz": {"get": {"tags": [TAG], "summary": "Ready for traffic", "responses": ready}},
        "/metrics": _page("Metrics for Prometheus", _PLAIN),
        "/docs": _page("This document as a page", "text/html"),
        "/openapi.json": _page("This document", JSON, {"type": "object"}),
    }


def _page(summary: str, media: str, schema: Json = _TEXT) -> Json:
    return {"get": {"tags": [TAG], "summary": summary, "responses": {"200": answer(summary, media, schema)}}}
