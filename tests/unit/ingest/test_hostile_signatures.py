"""Ten thousand forged signatures at every signed door: none opens it, and none makes it fail."""

import base64
import hashlib
import hmac
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.unit.ingest.asgi_client import Told, ask, running
from tests.unit.ingest.signature_mutations import mutated_signatures
from tests.unit.ingest.stand_ins import NOW, CheckedTopics, as_bytes, delivery, line_event
from todoke_ingest.adapters.keys import KeyRing
from todoke_ingest.app import Doorway
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import Account, Config
from todoke_shared.clock import FakeClock
from todoke_shared.shops import EcCube, MakeShop, Shop, Shopify

SECRET, OTHER_SHOPS = "the-secret", "another-shops-secret"
EACH = 2_000
"""Forgeries a door; there are five."""

API = "https://shop.example/graphql"


def base64_of(secret: str, signed: bytes) -> str:
    """As LINE and Shopify write a signature."""
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def hex_of(secret: str, signed: bytes) -> str:
    """As EC-CUBE and makeshop do."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class SignedDoor:
    """A door, a body that it takes with a true signature, and how that is made."""

    path: str
    header: str
    body: bytes
    sign: Callable[[str, bytes], str] = base64_of
    others: tuple[tuple[bytes, bytes], ...] = ()
    before: bytes = b""

    def signature(self, secret: str, body: bytes) -> str:
        """What the platform sends for `body`."""
        return self.sign(secret, self.before + body)

    def headers(self, *signatures: str | None) -> list[tuple[bytes, bytes]]:
        """A request's headers; None is a missing signature. What is beyond latin-1 goes out as UTF-8."""
        given = [(self.header.encode(), _raw(one)) for one in signatures if one is not None]
        return [*self.others, *given]


DOORS = {
    "line": SignedDoor("/webhooks/line/main", "x-line-signature", delivery(line_event())),
    "shopify": SignedDoor(
        "/webhooks/shopify/main",
        "x-shopify-hmac-sha256",
        as_bytes({"id": 5}),
        others=((b"x-shopify-topic", b"themes/publish"), (b"x-shopify-webhook-id", b"w-1")),
    ),
    "eccube": SignedDoor("/webhooks/eccube/main", "x-eccube-signature", as_bytes([]), hex_of),
    "makeshop": SignedDoor("/webhooks/makeshop/main", "x-makeshop-signature", as_bytes({}), hex_of),
    "makeshop with a timestamp": SignedDoor(
        "/webhooks/makeshop/second",
        "x-makeshop-signature",
        as_bytes({}),
        others=((b"x-makeshop-request-timestamp", b"1769817540"),),
        before=b"1769817540",
    ),
}


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
async def app(topics: CheckedTopics) -> AsyncIterator[Doorway]:
    """Ingest, trusting SECRET at every door, and the other shop's secret at the other shop's alone."""
    eccube = EcCube(webhook_secrets=(SECRET,), url="https://shop.example/", access_token="token")
    makeshop = MakeShop(webhook_secrets=(SECRET,), endpoint=API, access_token="token", api_key="key")
    stamped = makeshop.model_copy(update={"signs": "timestamp+body", "signature": "base64"})
    config = Config(
        accounts={
            "main": Account(channel_secrets=(SECRET,), access_token="token"),
            "other": Account(channel_secrets=(OTHER_SHOPS,), access_token="token"),
        },
        shops={
            "main": Shop(shopify=Shopify(webhook_secrets=(SECRET,)), eccube=eccube, makeshop=makeshop),
            "second": Shop(makeshop=stamped),
            "other": Shop(shopify=Shopify(webhook_secrets=(OTHER_SHOPS,))),
        },
    )
    async with running(Intake(topics, FakeClock(NOW), config, keys=KeyRing(required=True))) as app:
        yield app


@pytest.mark.parametrize("name", DOORS)
async def test_ten_thousand_forgeries_open_no_door(app: Doorway, topics: CheckedTopics, name: str) -> None:
    """Two thousand at each of the five: 401, nothing in any topic, never a 5xx. The true one opens."""
    door = DOORS[name]
    true = door.signature(SECRET, door.body)
    statuses = [(await ask(app, door.path, door.body, door.headers(one))).status for one in forgeries(door, true)]
    assert len(statuses) == EACH
    assert set(statuses) == {401}
    assert topics.records == []
    assert (await ask(app, door.path, door.body, door.headers(true))).status == 200


@pytest.mark.parametrize("name", DOORS)
async def test_a_true_signature_over_another_body_opens_nothing(app: Doorway, topics: CheckedTopics, name: str) -> None:
    """A byte more, less, or changed, anywhere, and in any chunks: 401."""
    door = DOORS[name]
    true = door.headers(door.signature(SECRET, door.body))
    for body in other_bodies(door.body):
        assert (await ask(app, door.path, [body[:1], body[1:]], true)).status == 401
    assert topics.records == []
    assert (await ask(app, door.path, [door.body[:1], b"", door.body[1:]], true)).status == 200


@pytest.mark.parametrize("name", DOORS)
async def test_a_signature_counts_at_its_own_door_alone(app: Doorway, topics: CheckedTopics, name: str) -> None:
    """Another shop's or account's door does not take it, and another door's header does not carry it."""
    door = DOORS[name]
    true = door.signature(SECRET, door.body)
    folder = door.path.rpartition("/")[0]
    for path in (f"{folder}/other", f"{folder}/nobody", f"{folder}/%6dain", f"{folder}/MAIN", f"{folder}/main/"):
        assert (await ask(app, path, door.body, door.headers(true))).status in (401, 404)
    for header in {other.header for other in DOORS.values()} - {door.header}:
        moved = [*door.others, (header.encode(), true.encode())]
        assert (await ask(app, door.path, door.body, moved)).status == 401
    assert topics.records == []


@pytest.mark.parametrize("name", DOORS)
async def test_a_refusal_tells_nothing_of_the_secret(app: Doorway, name: str) -> None:
    """A wrong signature is answered the same whatever it is, a missing one is called so; neither shows the true one."""
    door = DOORS[name]
    true = door.signature(SECRET, door.body)
    wrong = ("", true[:-1], "署名")
    told = [_shown(await ask(app, door.path, door.body, door.headers(one))) for one in wrong]
    assert len(set(told)) == 1
    missing = _shown(await ask(app, door.path, door.body, door.headers(None)))
    assert missing.startswith("401")
    assert "is missing" in missing
    assert not any(word in text for word in (SECRET, true[:-1]) for text in (told[0], missing))


async def test_of_two_signatures_none_is_chosen_for_the_sender(app: Doorway, topics: CheckedTopics) -> None:
    """A header sent twice never lets in what neither value alone would."""
    for door in DOORS.values():
        wrong = door.signature(OTHER_SHOPS, door.body)
        joined = f"{wrong}, {door.signature(SECRET, door.body)}"
        assert (await ask(app, door.path, door.body, door.headers(wrong, wrong[:-1]))).status == 401
        assert (await ask(app, door.path, door.body, door.headers(joined))).status == 401
    assert topics.records == []


async def test_no_timestamp_can_be_taken_from_the_body(app: Doorway) -> None:
    """makeshop signs the timestamp and the body in a row: where one ends is not for the sender to move."""
    door = DOORS["makeshop with a timestamp"]
    true = door.signature(SECRET, door.body).encode()
    for stamp in (b"", b"1769817541", b"1769817540 ", b"1769817540\xe9", b"17698175400"):
        moved = [(b"x-makeshop-request-timestamp", stamp), (door.header.encode(), true)]
        assert (await ask(app, door.path, door.body, moved)).status == 401


def forgeries(door: SignedDoor, true: str) -> Iterator[str | None]:
    """EACH signatures that are not the true one: made with other secrets and over other bodies, and mutations of it."""
    chance = random.Random(20260131)
    wrong_secrets = (OTHER_SHOPS, SECRET.upper(), f"{SECRET} ", f"{SECRET}\n", SECRET[:-1], "", "\0", "秘密")
    wrong = [door.signature(secret, door.body) for secret in wrong_secrets]
    wrong += [door.signature(SECRET, body) for body in other_bodies(door.body)]
    wrong += [other(SECRET, door.before + door.body) for other in (base64_of, hex_of) if other is not door.sign]
    wrong += [true.upper(), true.lower(), true + "=", f"{true},{true}", f"sha256={true}", f'"{true}"', f"\t{true}"]
    wrong += [true.encode().hex(), base64.b64encode(true.encode()).decode(), true.replace("+", "-").replace("/", "_")]
    wrong += ["".join(chance.choice(true) for _ in true) for _ in range(100)]
    found = [one for one in dict.fromkeys(wrong) if one != true]
    yield from found
    yield from mutated_signatures(true, EACH - len(found), seed=chance.randrange(10**9))


def other_bodies(body: bytes) -> list[bytes]:
    """Bodies that are nearly `body`, many of them the same JSON."""
    changed = [body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in range(0, len(body), 7)]
    return [b"", body[:-1], body + b"\n", b" " + body, body + b"\0", body * 2, b"\xef\xbb\xbf" + body, *changed]


def _raw(signature: str) -> bytes:
    try:
        return signature.encode("latin-1")
    except UnicodeEncodeError:
        return signature.encode("utf-8", errors="surrogatepass")


def _shown(told: Told) -> str:
    return f"{told.status} {sorted(told.headers.items())} {told.body!r}"
