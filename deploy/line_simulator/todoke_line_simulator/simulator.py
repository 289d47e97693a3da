"""The whole platform in memory: accounts, users, accepted messages, faults, clock, webhooks."""

from todoke_line_simulator.accounts import Account
from todoke_line_simulator.clock import AdvancingClock
from todoke_line_simulator.faults import Faults
from todoke_line_simulator.message_log import MessageLog
from todoke_line_simulator.settings import SimulatorSettings
from todoke_line_simulator.users import ProviderUsers
from todoke_line_simulator.webhooks import Webhooks, WebhookSender


class Simulator:
    """One LINE platform."""

    def __init__(self, settings: SimulatorSettings, clock: AdvancingClock, webhook_sender: WebhookSender) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = Faults()
        self.webhooks = Webhooks(settings, clock, webhook_sender)
        self.log = MessageLog(settings.keep_messages)
        self._start_empty()

    def _start_empty(self) -> None:
        providers: dict[str, ProviderUsers] = {}
        self.accounts = {
            account.name: Account(account, self.settings, providers.setdefault(account.provider, ProviderUsers()))
            for account in self.settings.accounts
        }
        self._by_authorization = {
            f"Bearer {account.settings.channel_access_token}".encode(): account for account in self.accounts.values()
        }
        self.log = MessageLog(self.settings.keep_messages)

    async def reset(self) -> None:
        """Forget users, messages, quotas, keys, faults and queued webhooks; the clock returns to its source."""
        await self.webhooks.cancel()
        self.faults.clear()
        self.clock.restart()
        self._start_empty()

    def authorized(self, authorization: bytes | None) -> Account | None:
        """The account whose channel access token the header carries."""
        known = self._by_authorization.get(authorization or b"")
        if known is not None or authorization is None:
            return known
        value, now = authorization.removeprefix(b"Bearer ").decode("latin-1"), self.clock.now()
        return next((each for each in self.accounts.values() if each.access_tokens.find(value, now)), None)

    def channel(self, channel_id: str | None) -> Account | None:
        """The account of that channel id."""
        return next((each for each in self.accounts.values() if each.settings.channel_id == channel_id), None)

    def account(self, name: str | None) -> Account | None:
        """The account of that name; the first one when no name is given."""
        if name is None:
            return next(iter(self.accounts.values()))
        return self.accounts.get(name)
