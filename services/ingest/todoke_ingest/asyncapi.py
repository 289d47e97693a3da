"""What ingest writes, told to FastStream for docs/asyncapi: nothing is sent through this broker."""

from faststream.kafka import KafkaBroker

from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, OUTCOMES


def declare(broker: KafkaBroker) -> None:
    """Declare ingest's topics as publishers of `broker`."""
    for topic in (EC_EVENTS, LINE_EVENTS, OUTCOMES):
        broker.publisher(topic.name, schema=topic.payload, title=topic.name, description=topic.purpose)
