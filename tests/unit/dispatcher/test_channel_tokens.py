"""Channel access tokens that end: fetched ahead, shared, renewed once when refused, and never shown."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.assertion_keys import assertion_key
from todoke_dispatcher.adapters import tokens
from todoke_dispatcher.adapters.token_sources import Issued, TokenRefusedError, check_keys
from todoke_dispatcher.adapters.tokens import ChannelTokens
from todoke_dispatcher.domain.tokens import EARLIEST, LATEST, keep
from todoke_dispatcher.ports import NotSentError
from todoke_shared.accounts import Account
from todoke_shared.config_errors import ConfigError

LIFE = 900.0


@dataclass
class Source:
    """Issues token-1, token-2, …, or fails with what stands in `errors` next."""

    errors: list[Exception] = field(default_factory=list)
    issued: int = 0

    async def issue(self) -> Issued:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.issued += 1
        return Issued(access_token=f"token-{self.issued}", expires_in=LIFE)


@dataclass
class Stage:
    """Tokens of `main` from one source, at a time that tests move."""

    source: Source = field(default_factory=Source)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = ChannelTokens({"old": "long-lived"}, {"main": self.source}, now=lambda: self.now, jitter=_middle)

    async def look(self) -> None:
        """A round of the loop."""
        await self.tokens.keep()


def _middle() -> float:
    return 0.5


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A round of the loop waits for nothing."""
    monkeypatch.setattr(tokens, "_LOOK_SECONDS", 0)
    return Stage()


async def test_without_a_token_nothing_is_sent_and_nothing_waits(stage: Stage) -> None:
    """Whoever asks is told so at once; the long-lived token of another account is there from the start."""
    assert not stage.tokens.has("main")
    with pytest.raises(NotSentError):
        stage.tokens.token("main")
    assert stage.tokens.token("old") == "long-lived"
    await stage.look()
    assert (stage.tokens.has("main"), stage.tokens.token("main")) == (True, "token-1")


async def test_a_token_is_renewed_ahead_of_its_end(stage: Stage) -> None:
    """By a share of its life, once; the new one is everybody's from then on."""
    await stage.look()
    stage.now = LIFE * 0.69
    await stage.look()
    assert stage.source.issued == 1
    stage.now = LIFE * 0.71
    await asyncio.gather(stage.look(), stage.look())
    await stage.look()
    assert stage.tokens.token("main") == f"token-{stage.source.issued}"
    assert stage.source.issued in (2, 3), "two rounds at a time are not what a loop does, and do no harm"


@given(jitter=st.floats(0, 1, exclude_max=True), lives=st.floats(1, 3e6))
def test_each_process_renews_at_an_instant_of_its_own(jitter: float, lives: float) -> None:
    """Between 60 and 80% of the token's life."""
    token = keep("token", lives=lives, now=0.0, jitter=jitter, second_try=False)
    assert EARLIEST * lives <= token.renew_at <= LATEST * lives < token.ends_at


async def test_while_line_issues_none_the_old_one_serves_until_its_end(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Then messages wait; each fetch comes 2 s after the one before it, and the log tells once a minute."""
    await stage.look()
    stage.source.errors = [OSError(), TimeoutError(), ValueError("LINE 503")]
    stage.now = LIFE * 0.75
    await stage.look()
    await stage.look()
    assert (len(stage.source.errors), stage.tokens.token("main")) == (2, "token-1")
    stage.now = LIFE
    await stage.look()
    assert not stage.tokens.has("main")
    stage.now += 2
    await stage.look()
    assert not stage.source.errors
    stage.now += 2
    await stage.look()
    assert stage.tokens.token("main") == "token-2"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "account main (OSError); goes on with the one it has" in told[0]


async def test_a_refusal_to_issue_is_told_and_asked_again_seldom(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody has to mend the configuration; until then messages wait."""
    stage.source.errors = [TokenRefusedError("LINE 400 invalid_client")]
    await stage.look()
    stage.now = 29
    await stage.look()
    assert stage.source.issued == 0
    assert "(LINE 400 invalid_client); its messages wait" in caplog.text
    stage.now = 30
    await stage.look()
    assert stage.tokens.has("main")


async def test_a_refused_token_is_renewed_once_before_the_refusal_stands(stage: Stage) -> None:
    """The first 401 sends for another; a 401 with that one is the channel's. What LINE has taken begins anew."""
    await stage.look()
    with pytest.raises(NotSentError):
        stage.tokens.check("main", "token-1", 401)
    assert not stage.tokens.has("main")
    await stage.look()
    stage.tokens.check("main", "token-2", 401)
    assert not stage.tokens.has("main"), "who resumes the channel gets a new one, without a restart"
    await stage.look()
    stage.tokens.check("main", "token-3", 200)
    with pytest.raises(NotSentError):
        stage.tokens.check("main", "token-3", 401)


async def test_a_renewed_token_that_line_took_may_be_refused_again(stage: Stage) -> None:
    """It was good, so that a later refusal is news and not the same trouble."""
    await stage.look()
    with pytest.raises(NotSentError):
        stage.tokens.check("main", "token-1", 401)
    await stage.look()
    stage.tokens.check("main", "token-2", 200)
    with pytest.raises(NotSentError):
        stage.tokens.check("main", "token-2", 401)


async def test_many_refusals_of_one_token_are_one_renewal(stage: Stage) -> None:
    """Two hundred were on their way with it: all go out again, with the one new token."""
    await stage.look()
    for _ in range(200):
        with pytest.raises(NotSentError):
            stage.tokens.check("main", "token-1", 401)
    await stage.look()
    with pytest.raises(NotSentError):
        stage.tokens.check("main", "token-1", 401)
    assert stage.tokens.token("main") == "token-2"
    assert stage.source.issued == 2


def test_the_refusal_of_a_long_lived_token_stands() -> None:
    """There is no other."""
    kept = ChannelTokens({"main": "long-lived"}, {})
    kept.check("main", "long-lived", 401)
    assert kept.has("main")


async def test_no_token_is_shown(stage: Stage) -> None:
    """Not by what holds it, and not by LINE's answer."""
    await stage.look()
    assert "token-1" not in f"{stage.tokens._held!r} {Issued(access_token='token-1', expires_in=1)!r}"


def _account(**fields: str) -> Account:
    return Account.model_validate({"channel_secrets": ["s"], "channel_id": "1234567890", **fields})


@pytest.mark.parametrize("form", [lambda: assertion_key().private_jwk, lambda: assertion_key().private_pem])
def test_a_key_may_be_jwk_or_pem(form: Callable[[], str]) -> None:
    """As LINE's page makes it, or as openssl does."""
    check_keys({"main": _account(assertion_key=form(), assertion_key_id="kid")})


@pytest.mark.parametrize("wrong", ["nonsense", "{}", "{", "-----BEGIN PRIVATE KEY-----"])
def test_a_key_that_cannot_sign_is_told_at_the_start(wrong: str) -> None:
    """By its place in the file, and without a word of it."""
    with pytest.raises(ConfigError, match=r"accounts\.main\.assertion_key must be an RSA private key") as told:
        check_keys({"main": _account(assertion_key=wrong, assertion_key_id="kid")})
    assert wrong == "{" or wrong not in str(told.value)


def test_a_public_key_cannot_sign() -> None:
    """Whoever gives the wrong one of the two is told so."""
    with pytest.raises(ConfigError):
        check_keys({"main": _account(assertion_key=assertion_key().public_jwk, assertion_key_id="kid")})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"access_token": "t", "channel_id": "1"},
        {"channel_id": "1"},
        {"channel_secret": "s"},
        {"channel_id": "1", "channel_secret": "s", "assertion_key": "k", "assertion_key_id": "i"},
        {"channel_id": "1", "assertion_key": "k"},
        {"channel_id": "1", "channel_secret": "s", "assertion_key_id": "i"},
    ],
)
def test_there_is_one_way_to_a_token(fields: dict[str, str]) -> None:
    """None, two, or half of one are a mistake, and the text says what to give."""
    with pytest.raises(ValueError, match=r"give access_token, or channel_id .*see docs/line\.md"):
        Account.model_validate({"channel_secrets": ["s"], **fields})
