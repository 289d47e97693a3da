"""GET /docs and /openapi.json: a page that needs nothing from elsewhere, so that it also opens inside a closed net."""

import asyncio
import json
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from todoke_ingest.openapi import openapi

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def docs_routes() -> list[Route]:
    """`GET /docs` and `/openapi.json`, rendered once, when somebody first asks: most processes serve neither."""

    async def docs(_: Request) -> Response:
        _document, page = await asyncio.to_thread(_rendered)
        return HTMLResponse(page, headers=_HEADERS)

    async def specification(_: Request) -> Response:
        document, _page = await asyncio.to_thread(_rendered)
        return JSONResponse(document)

    return [Route("/docs", docs), Route("/openapi.json", specification)]


def render_docs(document: dict[str, object]) -> str:
    """The document as one HTML page: doors, examples, answers, schemas."""
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415 - for this page alone

    environment = Environment(
        loader=PackageLoader("todoke_ingest", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
    environment.filters["pointed"] = _pointed
    return environment.get_template("docs.html").render(document)


@cache
def _rendered() -> tuple[dict[str, object], str]:
    document = openapi()
    return document, render_docs(document)


def _pointed(reference: str) -> str:
    """`/v1/track` of `#/paths/~1v1~1track` (RFC 6901)."""
    return reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
