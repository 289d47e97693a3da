"""Where a tracked link may lead: what browsers read as we do, and where the shop says that its links go."""

import string
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from todoke_dispatcher.domain.links import LinkRefusedError, check_destination, new_token, redirect_url

HOSTS = ("shop.example", "*.shop.example")


@pytest.mark.parametrize(
    ("url", "leads_to"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/cart?from=line#top", "https://shop.example/cart?from=line#top"),
        ("https://Shop.Example:443/@brand//x", "https://Shop.Example:443/@brand//x"),
        ("https://www.shop.example/商品?名=茶", "https://www.shop.example/%E5%95%86%E5%93%81?%E5%90%8D=%E8%8C%B6"),
        ("https://shop.example/%E5%95%86?a=%20", "https://shop.example/%E5%95%86?a=%20"),
    ],
)
def test_a_shops_own_address_is_taken(url: str, leads_to: str) -> None:
    """As it was written, and in ASCII, since it goes into a header."""
    assert check_destination(url, HOSTS) == leads_to


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//evil.example/",
        "/\\evil.example",
        "shop.example/cart",
        "http://shop.example/",
        "javascript:alert(1)",
        "https:shop.example",
        "https:///evil.example",
        "https://",
        "https://shop.example@evil.example/",
        "https://shop.example:pass@evil.example/",
        "https://evil.example\\@shop.example/",
        "https://shop.example\\.evil.example/",
        "https://evil.example#@shop.example/",
        "https://evil.example?.shop.example",
        "https://evilshop.example/",
        "https://shop.example.evil.example/",
        "https://shop.example./",
        "https://shop.example:99999/",
        "https://shop.example:port/",
        "https://shop。example/",
        "https://ｓhop.example/",
        "https://shop%2eexample/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/a b",
        "https://shop.example/a\\b",
        "\thttps://shop.example/",
        "https://shop.example/\x00",
        "https://shop.example/\u0085x",
        "https://shop.example/" + "x" * 2000,
        "https://shop.example/" + "茶" * 600,
    ],
)
def test_what_leads_elsewhere_or_is_read_otherwise_is_refused(url: str) -> None:
    """No scheme-relative address, user name, backslash, control character, foreign host or plain http."""
    with pytest.raises(LinkRefusedError):
        check_destination(url, HOSTS)


def test_a_user_name_is_refused_by_name() -> None:
    """Its author learns why: it makes one site look like another."""
    with pytest.raises(LinkRefusedError, match="user name"):
        check_destination("https://shop.example@evil.example/")


def test_without_a_list_any_public_host_is_taken_and_this_machine_is_not() -> None:
    """A shop that names no hosts trusts whoever writes its campaigns."""
    assert check_destination("https://anywhere.example/") == "https://anywhere.example/"
    with pytest.raises(LinkRefusedError):
        check_destination("http://localhost:8080/")


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/", "http://127.0.0.1/a", "https://localhost", "http://[::1]:80/"]
)
def test_a_trial_may_link_to_this_machine(url: str) -> None:
    """And only then, without TLS."""
    assert check_destination(url, HOSTS, trial=True) == url
    with pytest.raises(LinkRefusedError):
        check_destination(url, HOSTS)


_NASTY = st.text(alphabet=st.sampled_from("hts:/\\@.#?%[]-_ \t\nxevilshop.examp1e0。ｅ：／?"), max_size=40)


@given(before=_NASTY, between=_NASTY, after=_NASTY)
def test_whatever_is_taken_two_other_readers_find_the_shops_host_in(before: str, between: str, after: str) -> None:
    """However an address is put together, yarl's and httpx's reading of what we took agree with ours."""
    for url in (f"https://{before}shop.example{between}", f"{before}https://shop.example{between}{after}", before):
        try:
            taken = check_destination(url, HOSTS)
        except LinkRefusedError:
            continue
        hosts = {URL(taken, encoded=True).host, httpx.URL(taken).host, urlsplit(taken).hostname}
        assert all(host == "shop.example" or str(host).endswith(".shop.example") for host in hosts), (taken, hosts)
        assert taken.isascii()
        assert taken.isprintable()


def test_tokens_are_long_and_never_the_same() -> None:
    """22 letters and digits hold 131 bits; whoever sees a thousand knows nothing of the next."""
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {22}
    assert set("".join(tokens)) == set(string.ascii_letters + string.digits)


def test_the_redirect_is_below_the_public_address() -> None:
    """Whether or not somebody ended that with a slash."""
    assert redirect_url("https://go.shop.example/", "abc") == redirect_url("https://go.shop.example", "abc")
    assert redirect_url("https://go.shop.example", "abc") == "https://go.shop.example/r/abc"
