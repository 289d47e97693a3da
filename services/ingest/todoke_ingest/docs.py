"""GET /docs and /openapi.json: a page that needs nothing from elsewhere, so that it also opens inside a closed net."""

import json

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from todoke_ingest.openapi import openapi

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def docs_routes() -> list[Route]:
    """`GET /docs` and `/openapi.json`, rendered once."""
    document = openapi()
    page = render_docs(document)

    async def docs(_: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    async def specification(_: Request) -> Response:
        return JSONResponse(document)

    return [Route("/docs", docs), Route("/openapi.json", specification)]


def render_docs(document: dict[str, object]) -> str:
    """The document as one HTML page: doors, examples, answers, schemas."""
    environment = Environment(loader=PackageLoader("todoke_ingest", "."), autoescape=True)
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
    return environment.get_template("docs.html").render(document)
