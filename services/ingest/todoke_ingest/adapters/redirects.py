"""What the redirect needs of the outside world: where links lead, and a way for clicks to leave."""

from dataclasses import dataclass

import asyncpg

from todoke_ingest.adapters.clicks import Clicks
from todoke_ingest.adapters.links import Links, in_postgres
from todoke_shared.kafka.records import Publisher


@dataclass(frozen=True, slots=True)
class Redirects:
    """The links, and the clicks on them. `start` before use; `stop` before the publisher."""

    links: Links
    clicks: Clicks

    @classmethod
    def on(cls, pool: "asyncpg.Pool[asyncpg.Record]", publisher: Publisher) -> "Redirects":
        """On a pool that may read the dispatcher's view, and a publisher."""
        return cls(Links(in_postgres(pool)), Clicks(publisher))

    def start(self) -> None:
        """Let clicks leave from here on."""
        self.clicks.start()

    async def stop(self) -> None:
        """Let the clicks in hand leave, and look up no more links."""
        await self.clicks.stop()
        await self.links.close()
