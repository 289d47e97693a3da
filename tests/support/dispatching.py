"""A dispatcher on a real database, with a clock that tests move."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

import asyncpg

from tests.support.deliveries import NOON, record, user_named
from todoke_dispatcher.adapters import channels
from todoke_dispatcher.adapters.channels import Endpoint
from todoke_dispatcher.adapters.memory import MemoryLine
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.ports import LinePort
from todoke_dispatcher.settings import DispatcherSettings
from todoke_scheduler.adapters.publishing import publish
from todoke_shared.accounts import Account, Config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.clock import Clock, FakeClock
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.outcomes import Outcome
from todoke_shared.contracts.requests import CrowdRequest, Lane, MessageRequest
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool


@dataclass
class Bench:
    """A database with the ledger, and any number of dispatchers on it."""

    dsn: str
    pool: "asyncpg.Pool[asyncpg.Record]"
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    offset: int = 0

    def dispatcher(
        self,
        line: LinePort,
        *,
        clock: Clock | None = None,
        accounts: Sequence[str] = ("main",),
        monthly_limit: int | None = None,
        price_yen: Decimal | None = None,
        **settings: object,
    ) -> Dispatcher:
        """A dispatcher as its own process would wire it."""
        account = Account(
            channel_secrets=("secret",), access_token="token", monthly_limit=monthly_limit, price_yen=price_yen
        )
        given = {"postgres_dsn": self.dsn, "kafka_bootstrap_servers": "nowhere:1", **settings}
        return Dispatcher(
            self.pool,
            clock or self.clock,
            cluster="test",
            catalogue=CampaignCatalogue(self.pool),
            line=line,
            config=Config(accounts=dict.fromkeys(accounts, account)),
            settings=DispatcherSettings.model_validate(given),
            wake_relay=lambda: None,
        )

    async def take(
        self, dispatcher: Dispatcher, *requests: MessageRequest | CrowdRequest, lane: Lane = "marketing"
    ) -> list[Record]:
        """Hand the requests to the dispatcher as the next records of the lane's topic."""
        records = [record(each, self.offset + index, lane=lane) for index, each in enumerate(requests)]
        self.offset += len(records)
        await dispatcher.take_requests(lane)(records)
        return records

    async def give_token(self, dispatcher: Dispatcher, line: MemoryLine, name: str, **event: object) -> str:
        """Somebody does something on LINE that may be answered; gives the token of it."""
        token = f"token-{self.offset}"
        line.tokens["main", token] = user_named(name)
        received_at = self.clock.wall()
        raw = {
            "type": "message",
            "mode": "active",
            "source": {"type": "user", "userId": user_named(name)},
            "deliveryContext": {"isRedelivery": False},
            "replyToken": token,
            **event,
        }
        written = LineEvent(
            account="main",
            webhook_event_id=f"event-{raw['replyToken']}",
            received_at=received_at,
            occurred_at=received_at,
            event=raw,
        )
        await dispatcher.take_line_events([Record("line.events.v1", 0, self.offset, b"key", written.to_json())])
        self.offset += 1
        return token

    async def use_up(self, endpoint: str) -> None:
        """Another dispatcher takes every time slot that there is now."""
        async with self.pool.acquire() as connection:
            await channels.add(connection, ["main"])
            await channels.take_slots(connection, Endpoint("main", endpoint, 200), self.clock.wall(), 10_000)

    async def row(self, message: UUID) -> asyncpg.Record:
        """A delivery as the ledger has it."""
        row = await self.pool.fetchrow("SELECT * FROM deliveries WHERE message_id = $1", message)
        assert row is not None
        return row

    async def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        rows = await self.pool.fetch("SELECT state, count(*) AS n FROM published_deliveries GROUP BY state")
        return {row["state"]: row["n"] for row in rows}

    async def outcomes(self) -> list[Outcome]:
        """The outcomes put into the outbox so far, in order."""
        rows = await self.pool.fetch("SELECT value FROM outbox WHERE topic = 'message.outcomes.v1' ORDER BY id")
        return [Outcome.from_json(row["value"]) for row in rows]

    async def publish(self, *campaigns: Campaign) -> None:
        """Put campaigns in force, as the scheduler does."""
        async with await open_pool(self.dsn, application="test", schema="scheduler", size=1) as pool:
            await publish(pool, campaigns)

    async def owed(self) -> dict[str, int]:
        """How many messages the ledger has counted by campaign, over all months."""
        rows = await self.pool.fetch("SELECT campaign, sum(messages)::int AS n FROM campaign_quotas GROUP BY campaign")
        return {row["campaign"]: row["n"] for row in rows}

    async def reserved(self) -> int:
        """How many messages the ledger has counted, over all months."""
        total: int = await self.pool.fetchval("SELECT coalesce(sum(transactional + marketing), 0)::int FROM quotas")
        return total


@asynccontextmanager
async def open_bench(dsn: str) -> AsyncIterator[Bench]:
    """On a database of its own."""
    async with await open_pool(dsn, application="dispatcher", schema="dispatcher") as pool:
        yield Bench(dsn, pool)
