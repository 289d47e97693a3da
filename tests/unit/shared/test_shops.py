"""Shops in the configuration file: which platforms they have, and secrets that stay elsewhere."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from todoke_shared.accounts import Config, load_config, read_config
from todoke_shared.shops import EcCube

DOCS = Path(__file__).parents[3] / "docs"
SECRET = "k7Jq-hush-9XbT"
ECCUBE = """
accounts: {}
shops:
  main:
    eccube:
      webhook_secrets: [env:SHOP_SECRET]
      url: https://tea.example/shop
      client_id: abc
      client_secret: env:SHOP_SECRET
      refresh_token: env:SHOP_SECRET
    makeshop:
      webhook_secrets: [env:SHOP_SECRET]
      endpoint: https://api.example/v1/graphql
      access_token: env:SHOP_SECRET
      api_key: env:SHOP_SECRET
      paid_statuses: ["0002"]
"""


def write(folder: Path, text: str) -> Path:
    """A configuration file of this text."""
    file = folder / "todoke.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_platforms_secrets_are_read_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of them is a reference in the file, and none stands in what a log could print."""
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    shop = load_config(write(tmp_path, ECCUBE)).shops["main"]
    assert shop.eccube
    assert shop.makeshop
    assert (shop.eccube.client_secret, shop.eccube.refresh_token, shop.eccube.access_token) == (SECRET, SECRET, None)
    assert (shop.makeshop.access_token, shop.makeshop.api_key) == (SECRET, SECRET)
    assert (shop.eccube.home, set(shop.makeshop.paid_statuses)) == ("https://tea.example/shop/", {"0002"})
    assert SECRET not in repr(shop)


def test_a_missing_secret_is_told_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place in the file, and what to set."""
    monkeypatch.delenv("SHOP_SECRET", raising=False)
    with pytest.raises(ValueError, match=r"shops\.main: set the environment variable SHOP_SECRET"):
        load_config(write(tmp_path, ECCUBE))


@pytest.mark.parametrize("missing", ["client_id", "client_secret", "refresh_token"])
def test_an_eccube_that_could_not_be_asked_is_refused(missing: str) -> None:
    """A client needs all three, or an access token instead."""
    given = {"client_id": "a", "client_secret": "env:B", "refresh_token": "env:C"}
    del given[missing]
    with pytest.raises(ValueError, match="access_token"):
        EcCube.model_validate({"webhook_secrets": ["env:S"], "url": "https://tea.example/", **given})
    with_token = {"webhook_secrets": ["env:S"], "url": "https://tea.example/", "access_token": "env:T", **given}
    assert EcCube.model_validate(with_token).access_token == "env:T"


@pytest.mark.parametrize(
    "url", ["tea.example", "ftp://tea.example/", "https://tea.example/?x=1", "https://a@b.example/", "https://a b/", ""]
)
def test_a_token_is_sent_to_plain_addresses_only(url: str) -> None:
    """Nothing hides in them that would send it elsewhere."""
    with pytest.raises(ValueError, match="plain address"):
        EcCube.model_validate({"webhook_secrets": ["env:S"], "url": url, "access_token": "env:T"})


@pytest.mark.parametrize("page", ["eccube.md", "makeshop.md", "ja/eccube.md", "ja/makeshop.md"])
def test_the_configuration_that_a_page_shows_is_one(page: str) -> None:
    """Whoever copies it and fills it in has a file that ingest starts with."""
    shown = re.findall(r"^```yaml config\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(shown) == 1
    config = Config.model_validate({"accounts": {}, **YAML(typ="safe", pure=True).load(shown[0])})
    assert getattr(config.shops["main"], Path(page).stem)


def test_a_service_without_business_with_shops_needs_none_of_their_secrets(tmp_path: Path) -> None:
    """The dispatcher starts where only ingest is given the platforms' secrets."""
    assert load_config(write(tmp_path, ECCUBE), shops=False).shops == {}


def test_no_file_can_say_that_it_is_a_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doors stand open in a trial, and a trial has no file."""
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    file = write(tmp_path, ECCUBE + "trial: true\n")
    assert (load_config(file).trial, read_config(file).trial) == (False, False)
    assert load_config(None).trial
