"""One LINE official account: all that the platform keeps about it."""

from todoke_line_simulator.access_tokens import AccessTokens
from todoke_line_simulator.buckets import TokenBucket
from todoke_line_simulator.link_tokens import LinkTokens
from todoke_line_simulator.problems import rate_limited
from todoke_line_simulator.quota import MonthlyQuota
from todoke_line_simulator.reply_tokens import ReplyTokens
from todoke_line_simulator.retry_keys import RetryKeys
from todoke_line_simulator.rich_menu_book import RichMenus
from todoke_line_simulator.settings import AccountSettings, SimulatorSettings
from todoke_line_simulator.stats import AccountStats
from todoke_line_simulator.units import Units
from todoke_line_simulator.users import Friends, ProviderUsers


class Account:
    """The state of one account. ``users`` is shared with the other accounts of its provider."""

    def __init__(self, account: AccountSettings, simulator: SimulatorSettings, users: ProviderUsers) -> None:
        self.settings = account
        self.name = account.name
        self.users = users
        self.friends = Friends()
        self.quota = MonthlyQuota(account.monthly_quota)
        self.retry_keys = RetryKeys()
        self.reply_tokens = ReplyTokens()
        self.link_tokens = LinkTokens()
        self.access_tokens = AccessTokens()
        self.rich_menus = RichMenus()
        self.stats = AccountStats()
        self.units = Units()
        self._simulator = simulator
        self._buckets: dict[str, TokenBucket] = {}

    def admit(self, endpoint: str, now: float) -> None:
        """Let one request to the endpoint pass; raises 429 when the account is over its rate limit."""
        bucket = self._buckets.get(endpoint)
        if bucket is None:
            bucket = self._buckets[endpoint] = TokenBucket(self._simulator.rate_limit(endpoint), now)
        if not bucket.take(now):
            raise rate_limited()

    def report(self, now: float, duplicates: int) -> dict[str, object]:
        """This account's part of ``GET /sim/stats``."""
        stats = self.stats
        return {
            "requests": {endpoint: dict(outcomes) for endpoint, outcomes in stats.requests.items()},
            "maxRequestsInOneSecond": {endpoint: busiest.most for endpoint, busiest in stats.busiest.items()},
            "accepted": stats.accepted,
            "billed": stats.billed,
            "conflicts": stats.conflicts,
            "duplicates": duplicates,
            "quota": self.quota.limit,
            "usage": self.quota.usage(now),
            "units": self.units.report(now),
            "friends": self.friends.friend_count,
            "blocked": self.friends.blocked_count,
            "retryKeys": len(self.retry_keys),
            "accessTokens": self.access_tokens.issued,
            "webhooks": stats.webhook_report(),
        }
