"""Segment's messages in our words: who it was, what the calls become, and what of a person goes no further."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ingest.stand_ins import NOW, Json
from todoke_ingest.domain.personal_data import without_contacts
from todoke_ingest.domain.segment import Sender, read_call, read_message
from todoke_shared.conditions.regions import prefecture
from todoke_shared.contracts.contacts import email_sha256, phone_sha256
from todoke_shared.errors import BadMessageError

SENDER = Sender("main", NOW)
EMAIL = "Hanako@Shop.example"


def message(**changes: object) -> Json:
    """A track call, with changes; a change to None takes the field away."""
    good: Json = {"type": "track", "event": "Opened", "userId": "7", "messageId": "m-1"}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def only(raw: object) -> Json:
    """The one event that a message makes."""
    [event] = read_message(raw, SENDER)
    return event


def refused(raw: object) -> str | None:
    """The field that a bad message is refused for."""
    with pytest.raises(BadMessageError) as error:
        read_message(raw, SENDER)
    return error.value.field


def identified(**traits: object) -> object:
    """What an identify call tells of a customer."""
    return only(message(type="identify", traits=traits))["data"]


def test_a_message_is_an_event_under_its_own_id() -> None:
    """The messageId, the shop's source, the shop, the subject and the time make one whole CloudEvent."""
    assert only(message(properties={"plan": "pro"}, timestamp="2026-01-30T23:59:00.000Z")) == {
        "specversion": "1.0",
        "id": "m-1",
        "source": "segment:main",
        "type": "custom.opened",
        "time": "2026-01-30T23:59:00+00:00",
        "subject": "customer:7",
        "shop": "main",
        "data": {"plan": "pro"},
    }


@pytest.mark.parametrize(
    ("ids", "subject"),
    [
        ({"userId": "7"}, "customer:7"),
        ({"userId": 7}, "customer:7"),
        ({"userId": None, "anonymousId": "a"}, "visitor:a"),
        ({"userId": " ", "anonymousId": "a"}, "visitor:a"),
        ({"userId": "7", "anonymousId": "a"}, "customer:7"),
    ],
)
def test_a_known_customer_goes_before_an_anonymous_visitor(ids: Json, subject: str) -> None:
    """The userId is the customer; the anonymousId counts only alone. Numbers are ids, too."""
    assert only(message(**ids))["subject"] == subject


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (message(userId=None), "userId"),
        (message(userId=True), "userId"),
        (message(userId="x" * 256, anonymousId="a"), "userId"),
        (message(event=None), "event"),
        (message(event=" "), "event"),
        (message(event=5), "event"),
        (message(type="delete"), "type"),
        (message(type=None), "type"),
        (message(type=["track"]), "type"),
        (message(type="alias", previousId=None), "previousId"),
        (message(type="alias", userId=None, previousId="a"), "userId"),
        (message(timestamp="yesterday"), "timestamp"),
        (message(timestamp=1769817540), "timestamp"),
        (message(properties={"n": float("nan")}), "properties.n"),
        (message(properties={"n": "\x00"}), "properties.n"),
        ("no message", None),
        (None, None),
    ],
)
def test_what_a_message_lacks_is_named(bad: object, field: str | None) -> None:
    """In the sender's own words for the field."""
    assert refused(bad) == field


def test_identify_tells_of_a_person_and_ties_the_visitor_to_them() -> None:
    """With both ids: customer.updated, and under an id of its own customer.identified with the visitor."""
    updated, tied = read_message(message(type="identify", anonymousId="a", traits={"plan": "pro"}), SENDER)
    assert (updated["id"], updated["type"], updated["data"]) == ("m-1", "customer.updated", {"plan": "pro"})
    assert (tied["id"], tied["type"], tied["data"]) == ("m-1/2", "customer.identified", {"identifiers": ["visitor:a"]})
    assert updated["subject"] == tied["subject"] == "customer:7"


def test_a_visitor_identified_without_an_id_stays_a_visitor() -> None:
    """Traits of somebody anonymous are told of the visitor, who is tied to nobody."""
    event = only(message(type="identify", userId=None, anonymousId="a", traits={"plan": "pro"}))
    assert (event["type"], event["subject"]) == ("customer.updated", "visitor:a")


def test_traits_in_the_context_are_traits() -> None:
    """RudderStack's libraries put them there; those of the call itself win."""
    event = only(
        message(type="identify", context={"traits": {"plan": "old", "city": "京都市"}}, traits={"plan": "pro"})
    )
    assert event["data"] == {"plan": "pro", "city": "京都市"}


def test_the_reserved_traits_become_our_words() -> None:
    """Names, contacts (hashed), birthday, gender, address, tags, consent, points and the day of registration."""
    assert identified(
        firstName="花子",
        lastName="山田",
        email=EMAIL,
        phone="090-1234-5678",
        birthday="1990-04-02",
        gender="女性",
        address={"region": "Tokyo", "city": "渋谷区", "street": "神南 1-1", "postalCode": "150-0041"},
        tags=["vip"],
        acceptsMarketing=True,
        points=120,
        createdAt="2025-01-02T03:04:05Z",
        id="7",
        plan="pro",
    ) == {
        "name": "山田 花子",
        "email_sha256": sha256(b"hanako@shop.example").hexdigest(),
        "phone_sha256": sha256(b"+819012345678").hexdigest(),
        "birthday": "1990-04-02",
        "gender": "female",
        "prefecture": "東京都",
        "city": "渋谷区",
        "tags": ["vip"],
        "accepts_marketing": True,
        "points": 120,
        "registered_at": "2025-01-02T03:04:05+00:00",
        "plan": "pro",
    }


@pytest.mark.parametrize(
    ("trait", "value", "ours"),
    [
        ("first_name", "Peter", {"name": "Peter"}),
        ("birthday", "1990/4/2", {"birthday": "1990-04-02"}),
        ("birthday", "1990-04-01T15:00:00.000Z", {"birthday": "1990-04-02"}),
        ("birthday", "1990-13-01", {}),
        ("birthday", "9999-12-31T23:00:00Z", {}),
        ("birthday", 5, {}),
        ("gender", "M", {"gender": "male"}),
        ("gender", "prefer not to say", {}),
        ("address", {"state": "CA", "city": "San Francisco"}, {"city": "San Francisco"}),
        ("address", "東京", {}),
        ("address", {"state": "大阪府"}, {"prefecture": "大阪府"}),
        ("email", "none", {}),
        ("email_sha256", "AB" * 32, {"email_sha256": "ab" * 32}),
        ("phone", "-", {}),
        ("points", "1,200", {"points": 1200}),
        ("points", 1.5, {}),
        ("tags", "vip", {}),
        ("accepts_marketing", "yes", {}),
        ("created_at", "long ago", {}),
        ("order_id", 5, {"order_id": "5"}),
        ("work", {"contactPhone": "03-1234-5678"}, {"work": {"contactPhone_sha256": phone_sha256("0312345678")}}),
    ],
)
def test_a_trait_is_read_or_left_out(trait: str, value: object, ours: Json) -> None:
    """What cannot be read as what it should be costs nobody the rest; a browser's midnight in Japan is that day."""
    assert identified(**{trait: value}) == ours


def test_alias_ties_whoever_it_was_before() -> None:
    """The former id may have been an anonymousId or a userId; the same id twice ties nothing to itself."""
    event = only(message(type="alias", previousId="old"))
    assert (event["type"], event["subject"]) == ("customer.identified", "customer:7")
    assert event["data"] == {"identifiers": ["visitor:old", "customer:old"]}
    assert only(message(type="alias", previousId="7"))["data"] == {"identifiers": ["visitor:7"]}


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_or_screen_is_viewed(kind: str) -> None:
    """With its properties, its name and category, and what the context alone knows of the page."""
    context = {"page": {"url": "https://shop.example/", "title": "店"}, "ip": "192.0.2.1"}
    event = only(message(type=kind, name="Home", category="Shop", properties={"title": "茶"}, context=context))
    assert event["type"] == "page.viewed"
    assert event["data"] == {"url": "https://shop.example/", "title": "茶", "name": "Home", "category": "Shop"}


def test_a_group_is_an_event_of_the_shops_own() -> None:
    """There is no word for companies here."""
    event = only(message(type="group", groupId="g", traits={"name": "Initech"}))
    assert (event["type"], event["data"]) == ("custom.group", {"name": "Initech", "group_id": "g"})


def test_a_path_says_what_its_message_is() -> None:
    """POST /v1/page is a page call, whatever its body calls itself."""
    asked = read_call(b'{"type": "track", "userId": "7", "sentAt": "2026-01-31T00:00:00Z"}', "page")
    assert (asked.messages[0], asked.sent_at) == (
        {"type": "page", "userId": "7", "sentAt": "2026-01-31T00:00:00Z"},
        "2026-01-31T00:00:00Z",
    )


def test_a_message_without_an_id_is_known_again() -> None:
    """By its content: sent later, or written in another order, it has the same id; another message has another."""
    plain = message(messageId=None, properties={"a": 1, "b": 2})
    again = {**plain, "sentAt": "2026-01-31T00:00:09Z", "properties": {"b": 2, "a": 1}}
    first, second, other = (only(raw)["id"] for raw in (plain, again, message(messageId=None)))
    assert str(first).startswith("sha256:")
    assert first == second != other


@pytest.mark.parametrize("name", ["x" * 501, "x" * 5000])
def test_no_id_is_longer_than_an_event_may_have(name: str) -> None:
    """A longer messageId stands for itself as a digest, and still tells messages apart."""
    ids = [str(only(message(messageId=given))["id"]) for given in (name, name, name + "y")]
    assert len(ids[0]) < 100
    assert ids[0] == ids[1] != ids[2]


def test_ids_that_are_addresses_are_hashed_and_stay_apart() -> None:
    """Shops that take the address for the userId put none into a topic, and mix nobody up with anybody."""
    subjects = [
        only(message(userId=name))["subject"] for name in (EMAIL, "auth0|a@shop.example", "auth0|b@shop.example")
    ]
    assert subjects[0] == f"customer:{email_sha256(EMAIL)}"
    assert len(set(subjects)) == 3
    assert "@" not in str(subjects)


def test_no_contact_goes_further() -> None:
    """Addresses and numbers are hashed where they stand alone, struck out of longer texts; the context stays here."""
    properties = {
        "recipient": EMAIL,
        "page": f"https://shop.example/?mail={EMAIL.replace('@', '%40')}&x=1",
        "review_body": f"ask {EMAIL}, please",
        "people": [EMAIL, {"tel": 9012345678, "phone": "?"}],
    }
    data = only(message(properties=properties, context={"traits": {"email": EMAIL}, "ip": "192.0.2.1"}))["data"]
    assert data == {
        "recipient_sha256": email_sha256(EMAIL),
        "page": "https://shop.example/?mail=(e-mail address)&x=1",
        "review_body": "ask (e-mail address), please",
        "people": [email_sha256(EMAIL), {"tel_sha256": phone_sha256("9012345678")}],
    }


@given(
    st.recursive(
        st.text(max_size=20) | st.just(EMAIL) | st.builds("{} {}".format, st.text(), st.just(EMAIL)),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just(EMAIL), inner, max_size=3)
        ),
    )
)
def test_no_place_hides_an_address(value: object) -> None:
    """Wherever in a value it stands."""
    assert EMAIL not in json.dumps(without_contacts(value), ensure_ascii=False)


def test_every_prefecture_is_known_by_each_of_its_names() -> None:
    """In full, short, in romaji, by ISO 3166-2 and JIS X 0401; nothing else is one."""
    assert {prefecture(f"JP-{code:02}") for code in range(1, 48)} == {prefecture(str(code)) for code in range(1, 48)}
    assert len({prefecture(str(code)) for code in range(1, 48)}) == 47
    spellings = ["京都", "京都府", "Kyoto", "Kyōto-fu", "KYOTO PREFECTURE", " jp-26 ", "２６"]
    assert [prefecture(text) for text in spellings] == ["京都府"] * 7
    assert [prefecture(text) for text in ["CA", "都", "0", "48", "", "Tokyo Bay"]] == [None] * 6


def test_time_is_now_when_a_message_has_none() -> None:
    """As Segment has it: leave the timestamp out for what happens now."""
    assert datetime.fromisoformat(str(only(message())["time"])) == NOW == datetime(2026, 1, 31, tzinfo=UTC)
