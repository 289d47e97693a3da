"""The program behind EmbeddedKafka: `python -m todoke_local.embedded.kafka_process`."""

from confluent_kafka import Producer

from todoke_local.embedded.child import keep_for_parent, serve_until_parent_ends


def main() -> None:
    """Run librdkafka's mock cluster until the parent ends; print its address when it listens."""
    keep_for_parent()
    # log_level 0 (emergencies only) silences the MOCK line that librdkafka otherwise writes to stderr at each start.
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    brokers = owner.list_topics(timeout=10).brokers.values()
    serve_until_parent_ends(bootstrap_servers=",".join(f"{broker.host}:{broker.port}" for broker in brokers))


if __name__ == "__main__":
    main()
