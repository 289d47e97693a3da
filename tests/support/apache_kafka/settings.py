"""The settings of a test broker."""

from pathlib import Path


def single_node_settings(*, listen: str, advertised: str, controller: str) -> dict[str, str]:
    """The settings of a broker that is its own controller (KRaft combined mode); each address is `host:port`."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{listen},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        # As in production: a topic that nobody created must fail, not appear with the wrong partition count.
        "auto.create.topics.enable": "false",
        # After kill -9 the controller takes no new registration until the dead broker's session ends: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # There is one broker to hold the replicas.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # 50 by default, each with files to create and, after kill -9, to check.
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.num.partitions": "1",
        # Waiting 3 seconds for more members before the first assignment only slows tests.
        "group.initial.rebalance.delay.ms": "0",
    }


def write_settings(file: Path, *, broker: str, controller: str, data: Path) -> None:
    """Write `server.properties` for a broker that listens where it says and keeps what it has in `data`."""
    settings = single_node_settings(listen=broker, advertised=broker, controller=controller) | {"log.dirs": str(data)}
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
