"""A campaign that could never send, or never give its coupon, is told of before it is in force."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from todoke_local.campaign_needs import pool_remarks, pools_of
from todoke_local.cli import app
from todoke_shared.campaigns.source import load_campaign

CONFIG = """\
accounts:
  tea-shop: {channel_secrets: [env:A], access_token: env:B}
  coffee: {channel_secrets: [env:A], access_token: env:B}
"""
CAMPAIGN = """\
campaign: care
class: marketing
{account}enter: {{on: order.placed}}
steps:
  - coupon: spring
  - if: {{friend: true}}
    then: [coupon: autumn, send: hello]
messages:
  hello: [{{type: text, text: "{{{{ coupon.code }}}}"}}]
"""


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ("account: tea-shp\n", "3: account: there is no account `tea-shp` in TODOKE_CONFIG; it has coffee, tea-shop; "
         "did you mean `tea-shop`?"),
        ("", "1: account: there is no account `main` (that of campaigns that name none) in TODOKE_CONFIG; it has "
         "coffee, tea-shop"),
        ("account: coffee\n", None),
    ],
)  # fmt: skip
def test_an_account_that_there_is_not_is_told_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str, told: str | None
) -> None:
    """Where the file of accounts is; its secrets need not be."""
    (tmp_path / "todoke.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "care.yaml").write_text(CAMPAIGN.format(account=account), encoding="utf-8")
    check = ["campaigns", "check", str(tmp_path / "care.yaml")]
    assert CliRunner().invoke(app, check, catch_exceptions=False).exit_code == 0  # nobody can tell without the file
    monkeypatch.setenv("TODOKE_CONFIG", str(tmp_path / "todoke.yaml"))
    result = CliRunner().invoke(app, check)
    assert (result.exit_code == 0) is (told is None)
    if told is not None:
        assert str(result.exception) == f"{tmp_path / 'care.yaml'}:{told}"


def test_a_pool_without_codes_is_told_with_the_command_that_fills_it(tmp_path: Path) -> None:
    """In whatever branch it stands."""
    (tmp_path / "care.yaml").write_text(CAMPAIGN.format(account=""), encoding="utf-8")
    campaign = load_campaign(tmp_path / "care.yaml")
    assert pools_of([campaign, campaign]) == ["autumn", "spring"]
    assert list(pool_remarks(campaign, {"spring", "summer"})) == [
        "the coupon pool `autumn` has no codes; add some: `todoke coupons create autumn 1000`, or import"
    ]
