"""Keys: how they look, where they stand, and that nobody comes in, or comes in too often, without a right to."""

import base64
import hashlib
import random
import re
import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from todoke_ingest.adapters.keys import KeyRing, LiveKey
from todoke_ingest.domain.keys import (
    DEFAULT_LIMITS,
    Limit,
    hash_of,
    hint_of,
    new_key,
    presented_key,
    read_origin,
    use,
)
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.requests import Caller, Purpose
from todoke_ingest.settings import IngestSettings

PURPOSES: tuple[Purpose, ...] = ("events", "segment", "browser")
SECOND = 1_000_000_000

limits = st.builds(Limit, per_second=st.integers(1, 2000), burst=st.integers(1, 50))
AS_TOLD = -1
"""A pause of exactly what the last refusal told."""
pauses = st.lists(st.just(AS_TOLD) | st.integers(0, 2 * SECOND), min_size=1, max_size=200)


def live(purpose: Purpose = "events", *, limit: Limit | None = None, shop: str = "main") -> LiveKey:
    """A key in force."""
    return LiveKey(Caller(shop, purpose, "hint"), limit or DEFAULT_LIMITS[purpose])


def bearer(key: str) -> dict[str, str]:
    """How a backend sends its key."""
    return {"authorization": f"Bearer {key}"}


def refusal(ring: KeyRing, headers: dict[str, str], *, purpose: Purpose = "events", now: float = 0) -> int:
    """The status that a request is refused with."""
    with pytest.raises(RequestRefusedError) as caught:
        ring.admit(purpose, headers, "", now)
    return caught.value.status


def admitted(limit: Limit, waits: list[int]) -> list[int]:
    """The instants at which a key that knocks again and again, after each of these pauses, comes in."""
    tat, now, wait, instants = 0, 0, 0, []
    for pause in waits:
        now += wait if pause == AS_TOLD else pause
        tat, wait = use(limit, tat, now)
        if not wait:
            instants.append(now)
    return instants


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_key_tells_its_purpose_and_leaves_128_bits_unknown(purpose: Purpose) -> None:
    """The documented form, a new one each time, and enough left to guess for who knows the hint."""
    keys = {new_key(purpose) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(rf"tdk_{purpose}_[A-Za-z0-9]{{30}}", key) for key in keys)
    key = keys.pop()
    assert key.startswith(f"tdk_{purpose}_{hint_of(key)}")
    assert (len(string.ascii_letters + string.digits)) ** (30 - len(hint_of(key))) > 2**128


def test_only_the_hash_of_a_key_is_held() -> None:
    """SHA-256 of its text, and the text nowhere in the ring."""
    key = new_key("events")
    assert hash_of(key) == hashlib.sha256(key.encode()).digest()
    ring = KeyRing({hash_of(key): live()})
    ring.admit("events", bearer(key), "", 0)
    assert key not in repr(vars(ring))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer KEY"},
        {"authorization": "bearer  KEY "},
        {"authorization": "Basic " + base64.b64encode(b"KEY:").decode()},
        {"authorization": "basic " + base64.b64encode(b"KEY").decode()},
        {"x-api-key": " KEY"},
        {"authorization": "Digest x", "x-api-key": "KEY"},
    ],
)
@pytest.mark.parametrize("purpose", ["events", "segment"])
def test_a_servers_key_is_found_in_its_headers(headers: dict[str, str], purpose: Purpose) -> None:
    """Bearer, Basic as Segment's libraries have it, or X-Api-Key; never the URL."""
    assert presented_key(purpose, headers, "key=OTHER") == "KEY"


@pytest.mark.parametrize(("query", "key"), [("key=K", "K"), ("a=1&key=K&b=2", "K"), ("akey=K", None), ("", None)])
def test_a_browsers_key_is_found_in_the_query_alone(query: str, key: str | None) -> None:
    """A secret key that somebody put into a page's headers is not taken for it."""
    assert presented_key("browser", {"authorization": "Bearer OTHER"}, query) == key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "KEY"},
        {"authorization": "Basic ===="},
        {"authorization": "Basic \u00e9\u00ff"},
        {"authorization": "Basic a"},
        {"authorization": "Bearer " + "x" * 129},
    ],
)
def test_what_is_no_key_is_none(headers: dict[str, str]) -> None:
    """Garbage in any place is no error, and what is too long is not even hashed."""
    assert presented_key("events", headers, "") is None


@given(limit=limits, waits=pauses)
def test_no_window_holds_more_than_the_burst_and_what_the_rate_gives(limit: Limit, waits: list[int]) -> None:
    """Between any two admissions, both counted, there are at most burst + rate x time of them."""
    instants = admitted(limit, waits)
    for first in range(len(instants)):
        for last in range(first, len(instants)):
            passed = instants[last] - instants[first]
            assert (last - first + 1 - limit.burst) * SECOND <= limit.per_second * passed


@given(limit=limits, waits=pauses, rest=st.integers(0, SECOND))
def test_an_idle_key_has_its_whole_burst_again(limit: Limit, waits: list[int], rest: int) -> None:
    """After burst / rate of rest, `burst` come in at once; and not one more."""
    tat, now = 0, 0
    for pause in waits:
        now += max(pause, 0)
        tat, _ = use(limit, tat, now)
    now += limit.burst * limit.spacing + rest
    let_in = 0
    for _ in range(limit.burst + 1):
        tat, wait = use(limit, tat, now)
        let_in += not wait
    assert let_in == limit.burst


@given(limit=limits, waits=pauses)
def test_who_waits_as_told_is_let_in_and_not_before(limit: Limit, waits: list[int]) -> None:
    """The wait is exact; and knocking meanwhile makes it no longer."""
    tat, now = 0, 0
    for pause in waits:
        now += max(pause, 0)
        tat, wait = use(limit, tat, now)
        if wait:
            assert use(limit, tat, now + wait - 1)[1] == 1
            assert use(limit, tat, now + wait)[1] == 0


@given(limit=limits)
def test_who_comes_as_soon_as_told_has_the_rate_and_no_more(limit: Limit) -> None:
    """Not by a nanosecond a request either, which would add up."""
    instants = admitted(limit, [AS_TOLD] * 500)
    assert (len(instants) - limit.burst) * SECOND <= limit.per_second * instants[-1]
    assert len(instants) > 225


@given(limit=limits)
def test_a_steady_sender_at_the_rate_is_never_refused(limit: Limit) -> None:
    """One request each `spacing`, even with a burst of one."""
    assert len(admitted(limit, [limit.spacing] * 500)) == 500


def test_a_known_key_tells_the_shop() -> None:
    """The caller is the key's, whatever else is in the ring."""
    keys = {shop: new_key("events") for shop in ("main", "outlet")}
    ring = KeyRing({hash_of(key): live(shop=shop) for shop, key in keys.items()})
    for shop, key in keys.items():
        caller = ring.admit("events", bearer(key), "", 0)
        assert caller == Caller(shop, "events", "hint")


@pytest.mark.parametrize("headers", [{}, bearer(new_key("events")), {"authorization": "Bearer \u00ff"}])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_without_a_key_in_force_the_answer_is_401(headers: dict[str, str], purpose: Purpose) -> None:
    """With the header that HTTP wants, and a way to a key in the text; no empty or foreign key opens an empty ring."""
    with pytest.raises(RequestRefusedError) as caught:
        KeyRing().admit(purpose, headers, "key=", 0)
    assert (caught.value.status, "WWW-Authenticate" in caught.value.headers) == (401, True)
    assert f"--for {purpose}" in caught.value.reason


def test_a_key_of_another_purpose_is_403() -> None:
    """A public browser key opens no backend's door, in a trial neither."""
    key = new_key("browser")
    for required in (True, False):
        assert refusal(KeyRing({hash_of(key): live("browser")}, required=required), bearer(key)) == 403


def test_an_expired_key_opens_nothing_from_that_instant_on() -> None:
    """Although PostgreSQL may be away, and the ring not read anew."""
    key = new_key("events")
    ring = KeyRing({hash_of(key): replace(live(), expires=10.0)})
    assert ring.admit("events", bearer(key), "", 9.999)
    assert refusal(ring, bearer(key), now=10.0) == 401


def test_ten_thousand_mutated_keys_open_nothing() -> None:
    """Characters changed, dropped, doubled, swapped, in any case: 0 admitted, and nothing but 401."""
    rng = random.Random(5)
    keys = {purpose: new_key(purpose) for purpose in PURPOSES}
    ring = KeyRing({hash_of(key): live(purpose) for purpose, key in keys.items()})
    assert ring.admit("events", bearer(keys["events"]), "", 0)
    alphabet = string.printable + "\u00e9\u00ff"
    for _ in range(10_000):
        key = list(keys["events"])
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(key))
            key[at : at + rng.randint(0, 2)] = rng.choices(alphabet, k=rng.randint(0, 2))
        text = "".join(key)
        if text.strip() not in keys.values():
            assert refusal(ring, bearer(text)) == 401
    assert refusal(ring, bearer(keys["events"].swapcase())) == 401
    assert refusal(ring, bearer(hash_of(keys["events"]).hex())) == 401


def test_a_key_that_is_used_too_often_is_429_until_the_time_told() -> None:
    """Its burst, then Retry-After in whole seconds, then in again; the others are not held up by it."""
    busy, other = new_key("events"), new_key("events")
    limit = Limit(per_second=2, burst=5)
    ring = KeyRing({hash_of(key): live(limit=limit) for key in (busy, other)})
    for _ in range(5):
        ring.admit("events", bearer(busy), "", 100.0)
    with pytest.raises(RequestRefusedError) as caught:
        ring.admit("events", bearer(busy), "", 100.0)
    assert (caught.value.status, dict(caught.value.headers)) == (429, {"Retry-After": "1"})
    assert ring.admit("events", bearer(other), "", 100.0)
    assert ring.admit("events", bearer(busy), "", 101.0)


def test_reading_the_keys_anew_forgives_no_use() -> None:
    """A refresh keeps what a key has used, ends a key that is gone, and lets a changed limit begin afresh."""
    kept, gone, changed = (new_key("events") for _ in range(3))
    one = live(limit=Limit(per_second=1, burst=1))
    ring = KeyRing({hash_of(key): one for key in (kept, gone, changed)})
    for key in (kept, gone, changed):
        ring.admit("events", bearer(key), "", 100.0)
    ring.replace({hash_of(kept): one, hash_of(changed): replace(one, limit=Limit(per_second=1, burst=2))})
    assert refusal(ring, bearer(kept), now=100.0) == 429
    assert refusal(ring, bearer(gone), now=100.0) == 401
    assert ring.admit("events", bearer(changed), "", 100.0)


@pytest.mark.parametrize("headers", [{}, bearer(new_key("events"))])
def test_a_trial_lets_strangers_in_without_a_limit_and_knows_its_keys(headers: dict[str, str]) -> None:
    """Anonymous is None; a known key works as always, its limit too."""
    key = new_key("events")
    ring = KeyRing({hash_of(key): live(limit=Limit(per_second=1, burst=1))}, required=False)
    assert [ring.admit("events", headers, "", 0) for _ in range(5000)] == [None] * 5000
    assert ring.admit("events", bearer(key), "", 0) == Caller("main", "events", "hint")
    assert refusal(ring, bearer(key)) == 429


@pytest.mark.parametrize(
    ("keys", "config", "required"),
    [
        (None, None, False),
        (None, "accounts.yaml", True),
        ("required", None, True),
        ("optional", "accounts.yaml", False),
    ],
)
def test_keys_are_asked_for_outside_a_trial(keys: str | None, config: str | None, *, required: bool) -> None:
    """TODOKE_CONFIG makes them needed, TODOKE_KEYS says otherwise."""
    given = {name: value for name, value in (("keys", keys), ("config", config)) if value}
    settings = IngestSettings.model_validate({"kafka_bootstrap_servers": "k", "postgres_dsn": "p", **given})
    assert settings.keys_required is required


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        (" HTTPS://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(text: str, origin: str) -> None:
    """Lower case, no default port, no slash: it is compared with the Origin header as text."""
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["shop.example", "https://", "https://shop.example/path", "https://*.example", "ftp://a", "https://茶.example"],
)
def test_what_no_browser_would_send_is_no_origin(text: str) -> None:
    """Better told when the key is made than found out by its silence."""
    with pytest.raises(ValueError, match=r"https://shop\.example"):
        read_origin(text)
