"""Addresses of pages as they may be kept: without what is a secret or a person in them."""

import re
from urllib.parse import unquote_plus, urlsplit

MAX_URL = 1000
"""Characters; as long as a product's `url` may be (todoke_shared.contracts.ec_events)."""

_SECRET_NAME = re.compile(
    r"token|secret|passw|sess|signature|mail|phone|(?:^|[^a-z])(?:auth|sid|sig|pwd|otp|tel|key|hash|hmac|nonce)(?:$|[^a-z])",
    re.IGNORECASE,
)
"""Names of query parameters that carry logins, one-time links, addresses or numbers."""


def page_url(url: str) -> str | None:
    """A page's address without login, fragment and secret parameters; without any query when it is too long.

    None when it is no address of the web.
    """
    bare = _bare(url)
    if bare is None:
        return None
    parts = [part for part in urlsplit(url).query.split("&") if part and not _is_secret(part)]
    whole = f"{bare}?{'&'.join(parts)}" if parts else bare
    return whole if len(whole) <= MAX_URL else bare


def referrer(url: str) -> str | None:
    """Where somebody came from: site and path alone. None when it is no address of the web."""
    return _bare(url)


def _bare(url: str) -> str | None:
    try:
        split = urlsplit(url)
    except ValueError:
        return None
    if split.scheme not in ("http", "https") or not split.netloc:
        return None
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"[:MAX_URL]


def _is_secret(part: str) -> bool:
    return _SECRET_NAME.search(unquote_plus(part.partition("=")[0])) is not None
