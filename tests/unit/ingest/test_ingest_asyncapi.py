"""What ingest writes can be read off its AsyncAPI document."""

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from todoke_ingest.asyncapi import declare
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, OUTCOMES


def test_the_document_names_topics_and_schemas() -> None:
    """Each topic out is a channel with its purpose and the model of its value."""
    broker = KafkaBroker()
    declare(broker)
    document = AsyncAPI(broker, title="ingest").to_specification().to_jsonable()
    purposes = {name: channel["description"] for name, channel in document["channels"].items()}
    assert purposes == {topic.name: topic.purpose for topic in (EC_EVENTS, LINE_EVENTS, OUTCOMES)}
    assert set(document["components"]["schemas"]) == {"EcEvent", "LineEvent", "Outcome"}
    assert {operation["action"] for operation in document["operations"].values()} == {"send"}
