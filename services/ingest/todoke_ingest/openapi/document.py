"""OpenAPI 3.1 of all that ingest serves (https://spec.openapis.org/oas/v3.1.1.html)."""

from importlib.metadata import version

from todoke_ingest.openapi import browser, campaigns, events, line, pages, platforms, redirect, segment, shopify
from todoke_ingest.openapi.parts import Json
from todoke_ingest.openapi.schemas import schemas

_FAMILIES = (events, campaigns, segment, browser, shopify, platforms, line, redirect, pages)
"""In the order in which the page shows them. Each has TAG, SECURITY and paths()."""

_DESCRIPTION = (
    "The doors through which shop events and webhooks come in. A 2xx means: durable. Every 4xx and 5xx is "
    "application/problem+json (RFC 9457) and tells what to do; only what a shop's customer may see is a page. "
    "Another method is 405 with Allow, another path 404. A trial, without TODOKE_CONFIG, asks for no key."
)


def openapi() -> Json:
    """The document, its schemas taken from the models that the doors use."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Todoke ingest", "version": version("todoke-ingest"), "description": _DESCRIPTION},
        "tags": [{"name": family.TAG} for family in _FAMILIES],
        "paths": {path: item for family in _FAMILIES for path, item in family.paths().items()},
        "components": {
            "schemas": schemas() | segment.SCHEMAS,
            "securitySchemes": {name: scheme for family in _FAMILIES for name, scheme in family.SECURITY.items()},
        },
    }
