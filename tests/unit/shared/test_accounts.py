"""The file of accounts: secrets are named in it, kept elsewhere, and never shown."""

from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

import todoke_dispatcher.main
import todoke_ingest.main
from todoke_shared.accounts import Config, load_config
from todoke_shared.config_errors import ConfigError

SECRET = "k7Jq-hush-9XbT"


def write(folder: Path, text: str) -> Path:
    """A configuration file of this text."""
    file = folder / "todoke.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def account(secrets: str = "[env:LINE_SECRET]", *, token: str | None = None, more: str = "") -> str:
    """One account, as a file has it."""
    return f"accounts:\n  main:\n    channel_secrets: {secrets}\n    access_token: {token or 'env:LINE_TOKEN'}\n{more}"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets of the run."""
    monkeypatch.setenv("LINE_SECRET", SECRET)
    monkeypatch.setenv("LINE_TOKEN", f"{SECRET}-token")
    monkeypatch.setenv("EMPTY", "")


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """Two channel secrets while one is being replaced; a file's last newline is not part of it."""
    (tmp_path / "token").write_text(f"{SECRET}-from-file\n", encoding="utf-8")
    config = load_config(write(tmp_path, account("[env:LINE_SECRET, env:LINE_TOKEN]", token=f"file:{tmp_path}/token")))
    assert config.accounts["main"].channel_secrets == (SECRET, f"{SECRET}-token")
    assert config.accounts["main"].access_token == f"{SECRET}-from-file"
    assert (config.accounts["main"].shop, config.accounts["main"].monthly_limit) == ("main", None)


def test_a_message_has_a_price_beyond_what_the_plan_covers(tmp_path: Path) -> None:
    """In yen and parts of them; without a word of it nobody has said."""
    told = "    monthly_limit: 40000\n    price_yen: 2.8\n    included: 30000\n"
    main = load_config(write(tmp_path, account(more=told))).accounts["main"]
    assert (main.monthly_limit, main.price_yen, main.included) == (40000, Decimal("2.8"), 30000)
    silent = load_config(write(tmp_path, account())).accounts["main"]
    assert (silent.price_yen, silent.included) == (None, 0)
    for wrong in ("price_yen: 0", "price_yen: cheap", "included: -1"):
        with pytest.raises(ConfigError, match=f"accounts.main.{wrong.partition(':')[0]}"):
            load_config(write(tmp_path, account(more=f"    {wrong}\n")))


def test_without_a_file_there_is_the_simulators_account() -> None:
    """`todoke demo` needs no configuration."""
    assert list(load_config(None).accounts) == ["main"]


def test_an_account_shows_no_secret(tmp_path: Path) -> None:
    """A configuration that lands in a log says only what may be said."""
    config = load_config(write(tmp_path, account()))
    assert SECRET not in f"{config!r} {config} {config.accounts['main']!r}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (account(f"[{SECRET}]"), "accounts.main: a secret in the configuration must be written env:NAME or file:PATH"),
        (account(token=SECRET), "accounts.main: a secret in the configuration must be written env:NAME or file:PATH"),
        (account("[env:GONE]"), "accounts.main: set the environment variable GONE"),
        (account(token="env:EMPTY"), "accounts.main: set the environment variable EMPTY"),
        (account(token="file:/nowhere/at/all"), "accounts.main: cannot read the secret file /nowhere/at/all: No such"),
        (account(f"[{SECRET}, {SECRET}, {SECRET}]"), "accounts.main.channel_secrets"),
        (account(more=f"    acces_token: {SECRET}\n"), "accounts.main.acces_token"),
        (account(f"{SECRET}"), "accounts.main.channel_secrets"),
        (account(token=f"[{SECRET}]"), "accounts.main.access_token"),
        (account(f"[{SECRET}: x: y"), ":3: this is not YAML"),
        (f"{SECRET}", "the file must hold names, each with its value below it; see docs/line.md"),
        (f"accounts: {{Main Shop: {{access_token: {SECRET}}}}}", "Main Shop"),
        ("accounts: {}\nother: 1", "other"),
    ],
)
def test_a_mistake_names_its_place_and_shows_no_secret(tmp_path: Path, text: str, told: str) -> None:
    """A secret written into the file by mistake does not get from there into a log."""
    with pytest.raises(ValueError, match=r".*") as error:
        load_config(write(tmp_path, text))
    assert told in str(error.value)
    assert SECRET not in f"{error.value} {error.value!r}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("shops: {main: {}}", "accounts is missing; see docs/line.md"),
        ("acounts: {}", "acounts is unknown; did you mean accounts?"),
        (
            "accounts: {main: {channel_secrets: [env:A]}}",
            "accounts.main: give access_token, or channel_id with channel",
        ),
        (
            "accounts: {}\nshops: {main: {shopify: {webhook_secret: [env:A]}}}",
            "shops.main.shopify.webhook_secret is unknown; did you mean webhook_secrets?",
        ),
        (
            "accounts: {}\nshops: {shop: {zzz: 1}}",
            "shops.shop.zzz is unknown; here can stand: identity_secrets, link_hosts, caps, quiet_hours, shopify, "
            "eccube, makeshop",
        ),
        ("accounts: {}\nshops: {main: {eccube: {webhook_secrets: [env:A]}}}", "url is missing; see docs/eccube.md"),
        ("accounts: {}\nshops: {main: {link_hosts: [x]}}", "shops.main.link_hosts.0: must be a host such as"),
        (
            "accounts: {}\nshops: {main: {quiet_hours: none}}",
            'shops.main.quiet_hours must be a mapping such as {from: "21:00", to: "09:00"}; without it there are none; '
            "see docs/campaigns.md",
        ),
        ("accounts: {}\nshops: {main: {caps: 3}}", "must be a list such as [{messages: 1, within: 1d}]; see docs/camp"),
        (
            "accounts: {main: {channel_secrets: [env:A], access_token: env:A, monthly_limit: }}",
            "accounts.main.monthly_limit: nothing stands here; write a value, or leave the key out",
        ),
        ("accounts: {Main: {access_token: env:A}}", "accounts.Main: use lower-case letters, digits, - and _"),
        (
            "accounts: {main: {channel_secrets: [env:A], access_token: env:A, monthly_limit: -3}}",
            "accounts.main.monthly_limit: write a number of at least 0",
        ),
        (
            "accounts: {main: {channel_secrets: [env:A], access_token: env:A, channel_id: x}}",
            "accounts.main.channel_id: write a text of the form ^[0-9]{1,20}$",
        ),
        ("accounts: {main: {channel_secrets: [env:GONE], access_token: env:GONE}}", "accounts.main: set the env"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_write(tmp_path: Path, text: str, told: str) -> None:
    """The file, the place in it, and the name that was meant; not pydantic's page of complaints."""
    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_config(file)
    assert str(error.value).startswith(f"{file}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("service", [todoke_ingest.main, todoke_dispatcher.main])
def test_a_service_ends_with_the_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: ModuleType) -> None:
    """Exit code 1 and no traceback: `SystemExit` with a text is just that."""
    monkeypatch.setenv("TODOKE_CONFIG", str(write(tmp_path, "shops: {}")))
    monkeypatch.setenv("TODOKE_POSTGRES_DSN", "postgresql://nobody@127.0.0.1/none")
    monkeypatch.setenv("TODOKE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setattr(service, "set_up_logs", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        service.run()
    assert ended.value.code == f"todoke: {tmp_path}/todoke.yaml: accounts is missing; see docs/line.md"


def test_an_empty_or_unreadable_secret_file_is_refused(tmp_path: Path) -> None:
    """An empty channel secret would let anybody sign."""
    for name, content, told in (("empty", b"\n", "is empty"), ("binary", b"\xff\xfe", "must be UTF-8")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=told):
            load_config(write(tmp_path, account(token=f"file:{tmp_path / name}")))


def test_a_configuration_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The path that TODOKE_CONFIG names is in the text."""
    with pytest.raises(ValueError, match=r"cannot read the configuration .*gone\.yaml: No such file"):
        load_config(tmp_path / "gone.yaml")


@pytest.mark.parametrize("limit", [0, 5000])
def test_a_monthly_limit_is_a_count(limit: int) -> None:
    """0 is a limit too: an account that sends nothing."""
    values = {"channel_secrets": ["env:A"], "access_token": "env:B", "monthly_limit": limit}
    assert Config.model_validate({"accounts": {"main": values}}).accounts["main"].monthly_limit == limit
    with pytest.raises(ValueError, match="monthly_limit"):
        Config.model_validate({"accounts": {"main": values | {"monthly_limit": -1}}})
