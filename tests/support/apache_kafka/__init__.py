"""A real Apache Kafka 4 broker for tests: `jars` fetches it from Maven Central (`pom.xml`), `broker` runs it."""

from tests.support.apache_kafka.broker import ApacheKafka, single_node_settings
from tests.support.apache_kafka.jars import can_run_apache_kafka, kafka_version

__all__ = ["ApacheKafka", "can_run_apache_kafka", "kafka_version", "single_node_settings"]
