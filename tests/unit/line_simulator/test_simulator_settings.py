"""Settings: what is derived, what is read from the environment, what is refused."""

import pytest
from pydantic import ValidationError

from todoke_line_simulator.settings import AccountSettings, SimulatorSettings


def test_the_default_is_one_account_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo needs no configuration at all."""
    settings = SimulatorSettings()
    [account] = settings.accounts
    assert (settings.host, settings.port) == ("127.0.0.1", 8090)
    assert (account.name, account.monthly_quota) == ("main", None)
    assert account.channel_access_token == "simulator-token-main"
    assert account.channel_secret == "simulator-secret-main"
    assert account.webhook_url == "http://127.0.0.1:8080/webhooks/line/main"
    assert account.destination[0] == "U"
    assert len(account.destination) == 33


def test_accounts_and_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON; what an account leaves out is derived from its name."""
    monkeypatch.setenv("TODOKE_SIMULATOR_PORT", "9000")
    monkeypatch.setenv("TODOKE_SIMULATOR_ACCOUNTS", '[{"name": "a", "monthly_quota": 5}, {"name": "b"}]')
    monkeypatch.setenv("TODOKE_SIMULATOR_RATE_LIMITS", '{"push": {"requests": 7}}')
    settings = SimulatorSettings()
    assert settings.port == 9000
    assert [account.channel_access_token for account in settings.accounts] == ["simulator-token-a", "simulator-token-b"]
    assert settings.accounts[0].monthly_quota == 5
    assert settings.rate_limit("push").requests == 7


@pytest.mark.parametrize("field", ["name", "channel_access_token", "destination"])
def test_two_accounts_that_cannot_be_told_apart_are_refused(field: str) -> None:
    """The error names the field."""
    first = AccountSettings(name="a")
    second = AccountSettings.model_validate({"name": "b", field: getattr(first, field)})
    with pytest.raises(ValidationError, match=f"same {field}"):
        SimulatorSettings(accounts=[first, second])


def test_secrets_are_not_shown() -> None:
    """Neither token nor secret appears when settings are printed or logged."""
    assert "simulator-" not in repr(SimulatorSettings())
