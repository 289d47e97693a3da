"""What is kept of a page's address and of where its visitor came from: nothing that may be a secret."""

import pytest

from todoke_ingest.domain.page_urls import MAX_URL, page_url, referrer


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/?q=茶&utm_source=line&page=2", "https://shop.example/?q=茶&utm_source=line&page=2"),
        ("https://shop.example/?keyword=hotpot&monkey=1", "https://shop.example/?keyword=hotpot&monkey=1"),
        ("https://shop.example/?user%5Bpassword%5D=1", "https://shop.example/"),
        ("https://shop.example/?reset-key=1&sid=2&a=3", "https://shop.example/?a=3"),
        ("https://shop.example/a?" + "q" * MAX_URL, "https://shop.example/a"),
        ("https://shop.example/" + "a" * MAX_URL, ("https://shop.example/" + "a" * MAX_URL)[:MAX_URL]),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("https://[::1/", None),
        ("/tea", None),
        ("", None),
    ],
)
def test_an_address_is_kept_in_its_harmless_part(url: str, kept: str | None) -> None:
    """Of addresses of the web: no secret parameter, at most MAX_URL characters; of others nothing."""
    assert page_url(url) == kept


def test_a_referrer_is_site_and_path() -> None:
    """What somebody searched for elsewhere is none of the shop's business."""
    assert referrer("https://user:pw@search.example:8443/find;x?q=1#f") == "https://search.example:8443/find;x"
