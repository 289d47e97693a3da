"""Where a tracked link may lead: decided once, when it is written, so that the redirect need ask nobody.

What a browser would read otherwise than we do is refused, never repaired: `\\`, control characters, user names, hosts
in other scripts. Our reader and a browser's (https://url.spec.whatwg.org/) then agree on the host.
"""

import re
import secrets
import string
from collections.abc import Collection
from urllib.parse import SplitResult, quote, urlsplit

LONGEST_DESTINATION = 2000
"""The longest address that every browser and mail reader takes."""
LONGEST_BASE = 900
"""Characters of the redirect's own address: with path, token and LINE's parameters it stays below LINE's 1,000."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

TOKEN_LENGTH = 22
_ALPHABET = (string.digits + string.ascii_letters).encode()
_EVEN = len(_ALPHABET) * 4
"""Of a random byte only the values below it are used, so that every letter is as likely as the next."""
_LETTERS = bytes(_ALPHABET[value % len(_ALPHABET)] for value in range(256))
_UNEVEN = bytes(range(_EVEN, 256))
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_PRINTABLE = string.punctuation + string.digits + string.ascii_letters


class LinkRefusedError(ValueError):
    """A destination that no link of ours leads to; the text tells its author what to write."""


def new_token() -> str:
    """131 bits from the system's generator in 22 letters and digits.

    No `-` or `_`: where a text ends in one, messengers leave it out of the link.
    """
    letters = b""
    while len(letters) < TOKEN_LENGTH:  # of 32 bytes 31 are used; `secrets.choice` a letter takes ten times as long
        letters += secrets.token_bytes(32).translate(_LETTERS, _UNEVEN)
    return letters[:TOKEN_LENGTH].decode()


def redirect_url(base: str, token: str) -> str:
    """The address to give out. `base` is where ingest is reached from outside."""
    return f"{base.rstrip('/')}/r/{token}"


def check_destination(url: str, hosts: Collection[str] = (), *, trial: bool = False) -> str:
    """The destination as a Location header takes it: ASCII, other characters percent-encoded.

    `hosts`: the shop's `link_hosts`; empty means any. `trial`: this machine may be linked to as well, without TLS.
    LinkRefusedError.
    """
    if not 1 <= len(url) <= LONGEST_DESTINATION:
        raise LinkRefusedError(f"give an address of 1 to {LONGEST_DESTINATION:,} characters")
    if _UNSEEN.search(url):
        raise LinkRefusedError("leave out spaces, control characters and backslashes; write a space as %20")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise LinkRefusedError("this is no address; write it as https://shop.example/path") from None
    if "@" in parts.netloc:
        raise LinkRefusedError("leave out the user name before the @: it makes one site look like another")
    host = _host(parts, port)
    if not (trial and host in LOCAL_HOSTS and parts.scheme in ("http", "https")):
        _check_public(parts.scheme, host, hosts)
    encoded = quote(url, safe=_PRINTABLE)
    if len(encoded) > LONGEST_DESTINATION:
        raise LinkRefusedError(f"is longer than {LONGEST_DESTINATION:,} characters once it is percent-encoded")
    return encoded


def host_of(url: str) -> str | None:
    """The host of an address as `check_destination` reads it; None when it is no address."""
    try:
        parts = urlsplit(url)
        return _host(parts, parts.port)
    except ValueError:
        return None


def _host(parts: SplitResult, port: int | None) -> str:
    host = parts.netloc.lower()
    return host.removesuffix(f":{parts.netloc.rpartition(':')[2]}") if port is not None else host


def _check_public(scheme: str, host: str, hosts: Collection[str]) -> None:
    if scheme != "https" or not host:
        raise LinkRefusedError("write the whole address, beginning with https://")
    if not _HOST.fullmatch(host):
        raise LinkRefusedError("the host must be a domain name in ASCII; write 日本.jp as xn--wgv71a.jp")
    if hosts and not any(_matches(host, allowed) for allowed in hosts):
        raise LinkRefusedError(
            f"the host is not one of this shop's link_hosts ({', '.join(sorted(hosts))}); add it in TODOKE_CONFIG "
            "if the shop's links may lead there"
        )


def _matches(host: str, allowed: str) -> bool:
    """`*.shop.example` means every host below shop.example, and not itself."""
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
