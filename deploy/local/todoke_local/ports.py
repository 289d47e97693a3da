"""Ports for servers that are started beside others."""

import random
import socket
from collections.abc import Mapping

LOWEST, HIGHEST = 20_000, 32_767
"""Below the range from which Linux (32768 up) and macOS (49152 up) take the ports of outgoing connections:
while a server of ours is down, no connection may be given its port."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now. OSError where a hundred tries find none."""
    for _ in range(100):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311 - not a secret
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"No free port between {LOWEST} and {HIGHEST} on 127.0.0.1.")


def check_free(ports: Mapping[str, int]) -> None:
    """ValueError names the first port, by its program, that somebody else listens on."""
    for name, port in ports.items():
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                raise ValueError(
                    f"port {port} is in use; is another `todoke up` running? "
                    f"Stop what listens there, or set TODOKE_{name.upper()}_PORT"
                ) from None
