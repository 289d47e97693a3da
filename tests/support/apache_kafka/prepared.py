"""What every test broker begins with, made once and kept beside the jars: with it a broker starts for half of the CPU.

It is a formatted data directory, and an archive of the classes that a broker loads, the JVM's own dynamic one
(https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html). Another release of Java makes its own.
"""

import fcntl
import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from tests.support.apache_kafka.jars import java_words, kafka_jars
from tests.support.apache_kafka.settings import write_settings
from todoke_local.ports import free_port

LOGGING = Path(__file__).with_name("log4j2.xml")
CLUSTER_ID = urlsafe_b64encode(b"Todoke-tests-001").decode().rstrip("=")
"""16 bytes as Kafka writes them. Fixed: a random one may begin with a dash, which StorageTool takes for an option."""
_PATIENCE = 120.0


@dataclass(frozen=True)
class Prepared:
    """`data`: a formatted directory, to be copied; `classes`: the archive."""

    jars: Path
    data: Path
    classes: Path


def java(jars: Path, main_class: str, *arguments: str, classes: Path | None = None) -> list[str]:
    """The command that runs one of Kafka's programs, with an archive of classes where it is there and fits."""
    # The serial collector and the quick compiler alone: a test broker lives for seconds, on few cores.
    options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={LOGGING}"]
    options += [f"-XX:SharedArchiveFile={classes}"] if classes else []
    return ["java", *options, "-cp", f"{jars}/*", main_class, *arguments]


def prepare() -> Prepared:
    """What this Java needs; made on the first call, in some ten seconds. Those who ask meanwhile wait.

    RuntimeError, with Kafka's words, where it cannot be made.
    """
    jars = kafka_jars()
    home = jars / f"prepared-{hashlib.sha256(java_words().encode()).hexdigest()[:16]}"
    with (jars / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=jars) as scratch:
                _make(jars, Path(scratch))
                (Path(scratch) / "made").rename(home)
    return Prepared(jars, home / "data", home / "classes.jsa")


def _make(jars: Path, scratch: Path) -> None:
    made, data, port, properties = scratch / "made", scratch / "data", free_port(), scratch / "server.properties"
    made.mkdir()
    write_settings(properties, broker=f"127.0.0.1:{port}", controller=f"127.0.0.1:{free_port()}", data=data)
    command = java(jars, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties))
    formatting = subprocess.run(command, capture_output=True, text=True, check=False)
    if formatting.returncode != 0:
        raise RuntimeError(f"Kafka could not format {data}:\n{(formatting.stdout + formatting.stderr)[-2000:]}")
    shutil.copytree(data, made / "data")
    command = java(jars, "kafka.Kafka", str(properties))
    command.insert(1, f"-XX:ArchiveClassesAtExit={made / 'classes.jsa'}")
    with (scratch / "log").open("w+") as log, subprocess.Popen(command, stdout=log, stderr=log) as broker:
        try:
            _until_it_listens(broker, port)
            broker.terminate()
            broker.wait(_PATIENCE)  # it writes the archive
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            broker.kill()
            log.seek(0)
            raise RuntimeError(f"{error} The end of its log:\n{log.read()[-2000:]}") from error


def _until_it_listens(broker: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        if broker.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError("A Kafka broker for an archive of its classes did not start.")
        time.sleep(0.1)
