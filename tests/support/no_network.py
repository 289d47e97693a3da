"""Keeps tests that must not need a network from using one without anybody noticing."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

REFUSED = ("connect", "connect_ex", "bind", "sendto")
"""What reaches out or lets others in. asyncio's own wake-up pipe is a `socketpair` and needs none of them."""


class NetworkUsedError(BaseException):
    """A test that must not open sockets did. A BaseException, so that no `except Exception` in tested code hides it."""


@contextmanager
def no_network(*, unix_sockets: bool) -> Iterator[None]:
    """Refuse sockets with NetworkUsedError; `unix_sockets` lets through those of the embedded PostgreSQL."""
    with ExitStack() as patches:
        for method in REFUSED:
            original: Callable[..., object] = getattr(socket.socket, method)
            patches.enter_context(patch.object(socket.socket, method, _guarded(original, unix_sockets=unix_sockets)))
        yield


def _guarded(original: Callable[..., object], *, unix_sockets: bool) -> Callable[..., object]:
    def guarded(self: socket.socket, *arguments: object) -> object:
        if unix_sockets and self.family == socket.AF_UNIX:
            return original(self, *arguments)
        raise NetworkUsedError(
            f"socket.{original.__name__}{arguments}: tests in this folder use no network. "
            "Give the code under test a fake, or move the test to tests/connected."
        )

    return guarded
