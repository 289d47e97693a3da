"""The few pages that a shop's customer may see, in Japanese and English, with nothing from elsewhere in them."""

from collections.abc import Mapping
from dataclasses import dataclass

from todoke_ingest.answers import Answer

_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_HTML = """<!doctype html>
<html lang="ja"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>body{{font-family:sans-serif;margin:20vh auto 0;max-width:30em;padding:0 1em}}</style>
<h1>{title}</h1><p>{japanese}</p><p lang="en">{english}</p></html>
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What a page says."""

    title: str
    japanese: str
    english: str


EXPIRED_OR_UNKNOWN = Words(
    "リンクが見つかりません",
    "このリンクは期限が切れているか、正しくありません。お店のトーク画面やホームページからもう一度お試しください。",
    "This link has expired or is not complete. Please open the shop's page or its LINE chat again.",
)
OUT_OF_ORDER = Words(
    "ただいまつながりません",
    "しばらくしてから、もう一度リンクを開いてください。",
    "We cannot open this link just now. Please try it again in a moment.",
)


def page(status: int, words: Words, headers: Mapping[str, str]) -> Answer:
    """A page as an answer."""
    html = _HTML.format(title=words.title, japanese=words.japanese, english=words.english)
    return Answer(status, html.encode(), {**headers, **_HEADERS}, media="text/html; charset=utf-8")
