"""A real Apache Kafka 4 broker for tests: `jars` fetches it from Maven Central (`pom.xml`), `prepared` spares each the
start from nothing, `broker` runs it."""

from tests.support.apache_kafka.broker import ApacheKafka
from tests.support.apache_kafka.jars import can_run_apache_kafka, kafka_version
from tests.support.apache_kafka.settings import single_node_settings

__all__ = ["ApacheKafka", "can_run_apache_kafka", "kafka_version", "single_node_settings"]
