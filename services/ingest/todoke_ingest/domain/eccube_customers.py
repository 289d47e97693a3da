"""An EC-CUBE 4 customer -> customer.registered, customer.updated, customer.deleted."""

from zoneinfo import ZoneInfo

from todoke_ingest.domain.eccube_models import Customer
from todoke_ingest.domain.notices import Asked, Telling, digest
from todoke_shared.contracts.contacts import email_sha256, phone_sha256

_PROVISIONAL, _WITHDRAWN = "1", "3"
"""仮会員 and 退会, in src/Eccube/Entity/Master/CustomerStatus.php; 本会員 is 2."""
_GENDERS = {"1": "male", "2": "female"}
"""mtb_sex as installed has 男性 and 女性; what a shop adds is `other`."""
_JAPAN = ZoneInfo("Asia/Tokyo")


def tell(asked: Asked, customer: Customer) -> Telling:
    """registered once, when a provisional member confirms or a member is created; updated for each state after it."""
    status = customer.status.id if customer.status else None
    if status == _WITHDRAWN:
        return tell_gone(asked)
    if status == _PROVISIONAL:
        return Telling(facts=frozenset({"provisional"}))
    subject, data = f"customer:{customer.id}", customer_data(customer)
    state = f"{customer.update_date.isoformat()}/{digest(data)}"
    if state in asked.told:  # what it registered with, looked at again
        return Telling()
    is_new = asked.notice.action == "created" or "provisional" in asked.told
    if is_new and "registered" not in asked.told:
        place = f"customer/{customer.id}/registered"
        event = asked.event("customer.registered", place, customer.update_date, data, subject)
        return Telling([event], frozenset({"registered", state}))
    place = f"customer/{customer.id}/{state}"
    return Telling([asked.event("customer.updated", place, customer.update_date, data, subject)])


def tell_gone(asked: Asked) -> Telling:
    """Withdrawn or deleted."""
    if "deleted" in asked.told:
        return Telling()
    person = asked.notice.entity_id
    event = asked.event("customer.deleted", f"customer/{person}/deleted", asked.received_at, {}, f"customer:{person}")
    return Telling([event], frozenset({"deleted"}))


def customer_data(customer: Customer) -> dict[str, object]:
    """The attributes that we keep of a customer: address and number only as hashes."""
    name = " ".join(part for part in (customer.name01, customer.name02) if part)
    return {
        "name": name or None,
        "email_sha256": email_sha256(customer.email) if customer.email else None,
        "phone_sha256": phone_sha256(customer.phone_number) if customer.phone_number else None,
        "birthday": customer.birth.astimezone(_JAPAN).date().isoformat() if customer.birth else None,
        "gender": _GENDERS.get(customer.sex.id, "other") if customer.sex else None,
        "prefecture": customer.prefecture.name or None if customer.prefecture else None,
        "city": customer.addr01 or None,
        "points": None if customer.point is None else int(customer.point),
        "registered_at": customer.create_date.isoformat(),
    }
