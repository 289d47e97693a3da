"""EC-CUBE 4: a webhook's notices, and what became of a customer, an order or a product, as CloudEvents.

The webhook: https://doc4.ec-cube.net/eccube-api4/webhook (a JSON array of entity, id and action, as the plugin's
Service/WebHookService.php sends it; the page's example leaves the brackets out). An event's id comes from what it
tells, so that a state fetched twice is told once.
"""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError

from todoke_ingest.domain import eccube_customers, eccube_orders, eccube_products
from todoke_ingest.domain.eccube_models import Customer, Entity, Order, Product
from todoke_ingest.domain.json_values import read_json
from todoke_ingest.domain.notices import Action, Asked, Notice, Telling, merge
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_shared.contracts.envelope import bad_message
from todoke_shared.shops import EcCube

ENTITIES = frozenset({"customer", "order", "product"})
_ACTIONS: dict[str, Action] = {"created": "created", "updated": "updated", "deleted": "deleted"}
_LONGEST_ID = 20

AnyEntity = TypeVar("AnyEntity", bound=Entity)


def read_notices(body: bytes) -> list[Notice]:
    """The entities of a delivery whose signature has been verified, each once.

    A plugin may give notice of entities of its own; what is none of ours is passed over. RequestRefusedError (400)
    when the body is no list.
    """
    raws = read_json(body)
    if not isinstance(raws, list):
        raise RequestRefusedError(400, "must be a JSON array, as EC-CUBE's Web API plugin sends it")
    return merge(notice for raw in raws if (notice := _notice(raw)))


def tell(asked: Asked, payload: Mapping[str, object] | None, shop: EcCube) -> Telling:
    """What there is to tell of an entity that was fetched; `payload` is None when the shop has none of that id.

    BadMessageError when the answer lacks what every such entity has.
    """
    if payload is None:
        return _gone(asked) if asked.is_settled else Telling()
    if asked.notice.entity == "customer":
        return eccube_customers.tell(asked, _read(Customer, payload))
    if asked.notice.entity == "order":
        return eccube_orders.tell(asked, _read(Order, payload), shop)
    return eccube_products.tell(asked, _read(Product, payload), shop)


def _gone(asked: Asked) -> Telling:
    if asked.notice.entity == "customer":
        return eccube_customers.tell_gone(asked)
    if asked.notice.entity == "product":
        return eccube_products.tell_gone(asked)
    return Telling()  # a deleted order was a mistake of somebody's; 注文取消し is a status


def _notice(raw: object) -> Notice | None:
    if not isinstance(raw, dict):
        return None
    entity, action = raw.get("entity"), raw.get("action")
    entity_id = _id(raw.get("id"))
    if not isinstance(entity, str) or not isinstance(action, str) or entity_id is None:
        return None
    return Notice(entity, entity_id, _ACTIONS[action]) if entity in ENTITIES and action in _ACTIONS else None


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**_LONGEST_ID:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_ID:
        return value
    return None


def _read(model: type[AnyEntity], payload: Mapping[str, object]) -> AnyEntity:
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise bad_message(error) from None
