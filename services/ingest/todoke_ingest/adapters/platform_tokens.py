"""OAuth access tokens that an hour ends, and the refresh tokens that bring the next: one use each, by PostgreSQL.

EC-CUBE 4: https://doc4.ec-cube.net/eccube-api4/authZ_refresh_token_grant. Its refresh tokens are replaced by each use
and last a month (the defaults of league/oauth2-server, which the plugin does not change). Should a new pair be lost
between the shop and us, nobody can ask for another: the shop must be authorised again (docs/eccube.md).
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
import asyncpg
from pydantic import BaseModel, Field, ValidationError

from todoke_ingest.adapters.graphql import TIMEOUT_SECONDS, ShopError, post
from todoke_shared.postgres.queries import load_queries
from todoke_shared.shops import EcCube

_SQL = load_queries("todoke_ingest.adapters", "platform_tokens.sql")
_LEASE = timedelta(seconds=TIMEOUT_SECONDS + 10)
_BEFORE_THE_END = timedelta(minutes=1)


class _Pair(BaseModel):
    """The token endpoint's answer (RFC 6749, 5.1). A shop that sends no new refresh token means the old one."""

    access_token: str = Field(min_length=1, repr=False)
    expires_in: int = Field(default=3600, gt=0, le=10 * 366 * 86_400)
    refresh_token: str | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class EcCubeTokens:
    """One shop's tokens. `access_token` in the configuration is taken as it is and lasts as long as it lasts."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    shop: str
    config: EcCube
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Within a process one asks and the others wait for what it gets; other processes are told to come again."""

    async def current(self, session: aiohttp.ClientSession, now: datetime) -> str:
        """A token that is good for a minute at least. Raises ShopError, asyncpg.PostgresError, OSError."""
        if self.config.access_token:
            return self.config.access_token
        configured = self.config.refresh_token or ""
        began_with = hashlib.sha256(configured.encode()).hexdigest()
        await self.pool.execute(_SQL["begin"], "eccube", self.shop, began_with, configured)
        async with self.lock:
            return await self._good_one(now) or await self._refresh(session, now)

    async def expire(self, token: str) -> None:
        """The shop denied this token: the next question asks for another first."""
        await self.pool.execute(_SQL["expire"], "eccube", self.shop, token)

    async def _good_one(self, now: datetime) -> str | None:
        until = now + _BEFORE_THE_END
        token: str | None = await self.pool.fetchval(_SQL["access_token"], "eccube", self.shop, until)
        return token

    async def _refresh(self, session: aiohttp.ClientSession, now: datetime) -> str:
        old: str | None = await self.pool.fetchval(
            _SQL["claim_refresh"], "eccube", self.shop, now, now + _LEASE, now + _BEFORE_THE_END
        )
        if old is None:
            if token := await self._good_one(now):
                return token
            raise ShopError("busy", "another ingest is asking for a new access token")
        try:
            pair = await self._ask(session, old)
        except ShopError:
            await self.pool.execute(_SQL["give_up_refresh"], "eccube", self.shop)
            raise
        expires_at = now + timedelta(seconds=pair.expires_in)
        new = pair.refresh_token or old
        await self.pool.execute(_SQL["keep"], "eccube", self.shop, old, pair.access_token, expires_at, new)
        return pair.access_token

    async def _ask(self, session: aiohttp.ClientSession, refresh_token: str) -> _Pair:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.config.client_id or "",
            "client_secret": self.config.client_secret or "",
            "refresh_token": refresh_token,
        }
        try:
            return _Pair.model_validate(await post(session, f"{self.config.home}token", headers={}, form=form))
        except ValidationError:
            raise ShopError("garbage", "the shop's token endpoint answered without an access_token") from None
        except ShopError as error:
            if error.outcome == "failed":
                # RFC 6749, 5.2: 400 invalid_grant. The text is for the operator, who alone can put it right.
                text = f"{error}, asked for a new access token; should it stay so, authorise again (docs/eccube.md)"
                raise ShopError("denied", text) from None
            raise
