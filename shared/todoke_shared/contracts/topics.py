"""The topic map: one record a topic. Topic creation, AsyncAPI and docs/topics.md come from here."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from todoke_shared.contracts.ec_events import EcEvent
from todoke_shared.contracts.envelope import Contract
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import CrowdRequest, Lane, MessageRequest
from todoke_shared.contracts.triggers import TriggerRecord

_DAY = 24 * 3600
PARTITIONS = 12
"""Fixed for life: a person's records keep their partition, so their order, only while this stays as it is."""


@dataclass(frozen=True)
class Topic:
    """What a topic is called, its key, who writes and reads it, the model of its value; `retention` in seconds.

    `also`: another model that a value may be of.
    """

    name: str
    key: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    model: type[Contract]
    retention: int
    purpose: str
    also: type[Contract] | None = None

    @property
    def models(self) -> tuple[type[Contract], ...]:
        """All that a value may be of."""
        return (self.model,) if self.also is None else (self.model, self.also)

    @property
    def payload(self) -> Any:
        """The same as one type, as AsyncAPI shows it."""
        return reduce(or_, self.models)

    @property
    def dead_letters(self) -> str:
        """Where a record goes that can never be handled: untouched, its reason in the headers."""
        return f"{self.name}.dlq"


EC_EVENTS = Topic(
    name="ec.events.v1",
    key="subject",
    producers=("ingest", "scheduler", "EC systems"),
    consumers=("segmenter",),
    model=EcEvent,
    retention=30 * _DAY,  # below the inbox's 35 days, so that a full re-read is still recognised
    purpose="What happens in the shop: visits, carts, purchases, people, products.",
)
LINE_EVENTS = Topic(
    name="line.events.v1",
    key="line:{account}:{userId}",
    producers=("ingest",),
    consumers=("segmenter",),
    model=LineEvent,
    retention=30 * _DAY,
    purpose="LINE's webhook events, one a record, as they came.",
)
CUSTOMER_TRIGGERS = Topic(
    name="customer.triggers.v1",
    key="person",
    producers=("segmenter", "other systems"),
    consumers=("scheduler",),
    model=TriggerRecord,
    retention=7 * _DAY,
    purpose="What just became true of a person, for a campaign.",
)
REQUESTS_TRANSACTIONAL = Topic(
    name="message.requests.transactional.v1",
    key="person",
    producers=("scheduler", "other systems"),
    consumers=("dispatcher",),
    model=MessageRequest,
    retention=7 * _DAY,
    purpose="Messages that a customer waits for; they overtake all marketing.",
)
REQUESTS_MARKETING = Topic(
    name="message.requests.marketing.v1",
    key="person; of a crowd its id",
    producers=("scheduler", "other systems"),
    consumers=("dispatcher",),
    model=MessageRequest,
    also=CrowdRequest,
    retention=7 * _DAY,
    purpose="Messages that the shop wishes to send, one or many in a record.",
)
OUTCOMES = Topic(
    name="message.outcomes.v1",
    key="person",
    producers=("dispatcher", "ingest"),
    consumers=("segmenter", "scheduler", "other systems"),
    model=Outcome,
    retention=30 * _DAY,
    purpose="What became of each message, and clicks on its links.",
)

TOPICS = (EC_EVENTS, LINE_EVENTS, CUSTOMER_TRIGGERS, REQUESTS_TRANSACTIONAL, REQUESTS_MARKETING, OUTCOMES)
LANES: dict[Lane, Topic] = {"transactional": REQUESTS_TRANSACTIONAL, "marketing": REQUESTS_MARKETING}
