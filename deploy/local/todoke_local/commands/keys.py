"""`todoke keys create|list|rotate|revoke`: who may send events to ingest.

A key is printed once, alone on standard output, so that it can be piped to where it is kept; all words go to standard
error. Each command ends when every ingest knows what it has changed.
"""

import time
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from todoke_ingest.adapters.keys import IN_FORCE_SECONDS
from todoke_ingest.domain.keys import DEFAULT_LIMITS, Limit, hint_of, read_origin
from todoke_ingest.operator.issuing import KeyTerms, ListedKey, create_key, list_keys, revoke_key, rotate_key
from todoke_ingest.requests import Purpose
from todoke_local.in_room import Done, Work, in_room
from todoke_local.listing import print_list, shop_time
from todoke_local.names import check_shop
from todoke_local.settings import LocalSettings
from todoke_shared.accounts import read_config
from todoke_shared.campaigns.durations import parse_duration
from todoke_shared.errors import SlowDownError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Make and end the keys that producers send events with."
)

Shop = Annotated[str, typer.Argument(help="A shop of the configuration (TODOKE_CONFIG; without it: main)")]
For = Annotated[Purpose, typer.Option("--for", help="The door that it opens")]
PerSecond = Annotated[
    int | None, typer.Option(min=1, max=1_000_000, help="Requests a second (browser 100, else 1,000)")
]
Burst = Annotated[
    int | None, typer.Option(min=1, max=1_000_000, help="Requests at once after a rest (browser 500, else 2,000)")
]
Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", help="A site that a browser's key works on, such as https://shop.example"),
]
Grace = Annotated[str, typer.Option(help="How long the older key still works, such as 30m, 12h or 7d")]

USES: dict[Purpose, str] = {
    "events": "Send it with every request: `Authorization: Bearer KEY`. Keep it where your backend keeps its secrets",
    "segment": "It is the write key of the Segment or RudderStack library; the library's host is ingest's URL",
    "browser": "It stands in the page, with the tag (docs/keys.md), and is no secret",
}


@app.command("create")
def create(shop: Shop, for_: For, origin: Origins = None, per_second: PerSecond = None, burst: Burst = None) -> None:
    """Make a key and print it, this once. A shop has at most two for a purpose."""
    check_shop(read_config(LocalSettings().config), shop)
    if origin and for_ != "browser":
        raise ValueError("--origin is for a browser's key; other keys are never in a page")
    usual = DEFAULT_LIMITS[for_]
    limit = Limit(per_second or usual.per_second, burst or usual.burst)
    terms = KeyTerms(limit, tuple(read_origin(text) for text in origin or ()))
    key = _run(lambda pool: create_key(pool, shop, for_, terms))
    _tell(f"Key {hint_of(key)} of shop {shop} for {for_}: {limit.per_second:,} requests/s, {limit.burst:,} at once.")
    if for_ == "browser" and not origin:
        _tell("It works on any site. --origin https://shop.example would hold it to yours.")
    _hand_out(key, for_)


@app.command("list")
def list_() -> None:
    """List the keys in force; of each, what it is called by (HINT) and never the key."""
    headings = ("hint", "shop", "for", "requests/s", "at once", "origins", "made", "ends")
    print_list(headings, [_cells(key) for key in _run(list_keys)])


@app.command("rotate")
def rotate(shop: Shop, for_: For, grace: Grace = "7d") -> None:
    """Make a key on the terms of the older one, which ends after the grace. No request is refused meanwhile."""
    wait = parse_duration(grace)
    rotation = _run(lambda pool: rotate_key(pool, shop, for_, wait))
    _tell(
        f"Key {hint_of(rotation.key)} of shop {shop} for {for_}. The older one, {rotation.older}, ends at "
        f"{shop_time(rotation.expires_at)}; `todoke keys revoke {rotation.older}` ends it earlier."
    )
    _hand_out(rotation.key, for_)


@app.command("revoke")
def revoke(hint: Annotated[str, typer.Argument(help="The key's HINT, from `todoke keys list`")]) -> None:
    """End a key at once: whoever still sends it is answered 401."""
    shop, purpose = _run(lambda pool: revoke_key(pool, hint))
    time.sleep(IN_FORCE_SECONDS)
    _tell(f"Key {hint} of shop {shop} for {purpose} opens nothing any more.")


def _run(work: Work[Done]) -> Done:
    # A mistake in it is told here already, and not by a service that does not start.
    read_config(LocalSettings().config)
    try:
        return in_room("ingest", work, command="keys")
    except asyncpg.UndefinedTableError:
        raise SlowDownError("the database is not prepared; run `todoke migrate`") from None


def _hand_out(key: str, purpose: Purpose) -> None:
    _tell(f"{USES[purpose]}. It is shown this once; only its hash is kept:")
    Console().print(key, markup=False, highlight=False, soft_wrap=True)
    time.sleep(IN_FORCE_SECONDS)


def _tell(words: str) -> None:
    Console(stderr=True).print(words, markup=False, highlight=False, soft_wrap=True)


def _cells(key: ListedKey) -> tuple[str, ...]:
    limit = key.terms.limit
    origins = " ".join(key.terms.origins) or ("any" if key.purpose == "browser" else "")
    ends = "" if key.expires_at is None else shop_time(key.expires_at)
    rates = f"{limit.per_second:,}", f"{limit.burst:,}"
    return key.hint, key.shop, key.purpose, *rates, origins, shop_time(key.created_at), ends
