"""GET /tag.js: the browser tag, as small as it goes."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from todoke_ingest.answers import Answer
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import DoorRequest

DOOR = "tag"
MAX_AGE_SECONDS = 3600
"""How long after an upgrade a browser may still run the old tag."""


@dataclass(frozen=True)
class Tag:
    """The script as it is served, and its entity tag (weak: gzipped or not, it is the same script)."""

    plain: bytes
    gzipped: bytes
    etag: str


async def take_tag(_: Intake, request: DoorRequest) -> Answer:
    """200 with the script, 304 to who has it already."""
    tag = load_tag()
    headers = {
        "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}",
        "ETag": tag.etag,
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    media = "text/javascript; charset=utf-8"
    if tag.etag in request.headers.get("if-none-match", ""):
        return Answer(304, b"", headers, media)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Answer(200, tag.gzipped, {**headers, "Content-Encoding": "gzip"}, media)
    return Answer(200, tag.plain, headers, media)


@cache
def load_tag() -> Tag:
    """The script without indentation and lines of comment. A minifier would save a tenth, and be one more to trust."""
    source = (files("todoke_ingest") / "tag" / "tag.js").read_text(encoding="utf-8")
    lines = (line.strip() for line in source.splitlines())
    plain = "\n".join(line for line in lines if line and not line.startswith("//")).encode()
    return Tag(plain, gzip.compress(plain, mtime=0), f'W/"{hashlib.sha256(plain).hexdigest()[:16]}"')
