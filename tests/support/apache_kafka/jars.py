"""Apache Kafka's jars from Maven Central, fetched once into a cache folder."""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

RECIPE = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
"""Kafka 4's brokers need Java 17: https://kafka.apache.org/40/documentation/compatibility.html"""


@functools.cache
def can_run_apache_kafka() -> bool:
    """Whether this machine has what it takes: Java 17 or newer, and Maven."""
    return shutil.which("mvn") is not None and java_version() >= OLDEST_JAVA


def java_version() -> int:
    """The feature release of `java` on the PATH, such as 17; 0 where there is none."""
    found = re.search(r'version "(\d+)', java_words())
    return int(found[1]) if found else 0


@functools.cache
def java_words() -> str:
    """What `java` on the PATH says of its version; empty where there is none."""
    if shutil.which("java") is None:
        return ""
    return subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr


def kafka_version() -> str:
    """The release that the recipe (pom.xml) names."""
    [version] = re.findall(r"<kafka\.version>(.+)</kafka\.version>", RECIPE.read_text(encoding="utf-8"))
    return str(version)


def kafka_jars() -> Path:
    """The folder with Kafka's jars; fetched on the first call, in some ten seconds.

    Processes that ask at the same time wait for one another. A marker, written last, tells a complete folder, and holds
    the recipe's hash, so that a changed recipe fetches anew. RuntimeError, with Maven's words, where that fails.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "todoke"
    cache.mkdir(parents=True, exist_ok=True)
    jars = cache / f"apache-kafka-{kafka_version()}"
    recipe = hashlib.sha256(RECIPE.read_bytes()).hexdigest()
    with (cache / f"{jars.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        marker = jars / "complete"
        if not marker.exists() or marker.read_text(encoding="utf-8") != recipe:
            shutil.rmtree(jars, ignore_errors=True)
            _fetch(jars)
            marker.write_text(recipe, encoding="utf-8")
    return jars


def _fetch(jars: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # A copy: Maven writes a `target` folder beside the recipe.
        recipe = shutil.copy(RECIPE, scratch)
        # -C: refuse a jar whose checksum is wrong.
        options = ["-q", "-B", "-C", "-f", recipe, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        fetching = subprocess.run(
            ["mvn", *options, "dependency:copy-dependencies"], capture_output=True, text=True, check=False
        )
    if fetching.returncode != 0:
        raise RuntimeError(
            "Maven could not fetch Apache Kafka. Check the network, or set TODOKE_TEST_KAFKA=embedded to do without.\n"
            + fetching.stdout[-2000:]
        )
