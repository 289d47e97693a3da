"""What `todoke up` says once everything is up."""

import shutil
from pathlib import Path

import pytest

from todoke_local.commands.up import missing_path, told_when_ready
from todoke_local.fleet import Fleet
from todoke_local.machine import links_on_this_machine
from todoke_local.parts import Parts
from todoke_local.settings import LocalSettings


def told(**settings: object) -> list[str]:
    """The lines, for these settings."""
    local = LocalSettings.model_validate(settings)
    ports = dict.fromkeys(local.ports, 1)
    fleet = Fleet("dsn", "127.0.0.1:9", Path(), ports, simulator=local.line_api_url is None)
    return told_when_ready(local, Parts("dsn", "127.0.0.1:9", ("Kafka: embedded",)), fleet, Path("home"))


def test_a_real_account_at_the_simulator_is_warned_of() -> None:
    """Only where there is a configuration, and LINE is not named."""
    warning = "LINE is simulated although TODOKE_CONFIG is set; TODOKE_LINE_API_URL=https://api.line.me sends to LINE"
    assert warning in told(config="todoke.yaml")
    assert warning not in told()
    assert warning not in told(config="todoke.yaml", line_api_url="https://api.line.me")


def test_a_real_account_without_a_public_address_is_told_that_clicks_are_not_seen() -> None:
    """At the simulator this machine's address stands in."""
    line = {"line_api_url": "https://api.line.me"}
    assert [words for words in told(**line) if "TODOKE_PUBLIC_URL" in words] != []
    for settings in ({}, {**line, "public_url": "https://go.shop.example"}):
        assert [words for words in told(**settings) if "TODOKE_PUBLIC_URL" in words] == []


def test_what_other_terminals_need_can_be_pasted() -> None:
    """PostgreSQL for commands, Kafka for producers."""
    assert {"  export TODOKE_POSTGRES_DSN='dsn'", "  export KAFKA=127.0.0.1:9"} <= set(told())


def test_a_todoke_that_is_not_on_path_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of this very Python, absolute; nothing where the command is found."""
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/todoke")
    assert missing_path() is None
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr("sys.executable", "/home/shop/.venv/bin/python")
    assert missing_path() == "/home/shop/.venv/bin"


def test_links_lead_through_this_machine_as_long_as_line_is_simulated() -> None:
    """A customer's phone reaches no 127.0.0.1; and an address that was given is kept."""
    ports = {"ingest": 8123}
    told = {"TODOKE_PUBLIC_URL": "http://127.0.0.1:8123"}
    assert links_on_this_machine(LocalSettings(), ports) == told
    assert links_on_this_machine(LocalSettings(line_api_url="https://api.line.me"), ports) == {}
    assert links_on_this_machine(LocalSettings(public_url="https://go.shop.example"), ports) == {}
