"""Two people for whom a message is tried: one of whom all is known, at length, and one of whom hardly anything is.

Both are made of the vocabulary and of what the message reads: a field that only this shop's events have is made up by
how the template uses it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from todoke_local.messages.reads import ITEM, Path, Use
from todoke_local.messages.vocabulary import Known

LONG_PRODUCT = (
    "【送料無料】京都宇治 老舗茶舗の石臼挽き 一番茶 有機抹茶 製菓・お点前用 チャック付き袋 "
    "100g×3個セット ギフト対応（のし・メッセージカード付き）🍵"
)
"""78 characters: as long as many a shop's names of products are."""
LONG_PERSON = "勅使河原 アレクサンドラ・マリア・フェルナンデス"
LONG_LIST = 20
"""Items: more than a list of LINE's takes, so that `most` has to hold them."""
_NAMED = {"name": LONG_PRODUCT, "title": LONG_PRODUCT[:40]}
_KINDS: dict[Use, str] = {"number": "number", "date": "date", "instant": "instant", "url": "url", "list": "list"}
_PRIORITY: tuple[Use, ...] = ("list", "instant", "date", "number", "url")
_LONG: dict[str, Any] = {
    "number": 1_234_567,
    "date": "2026-12-31",
    "instant": "2026-12-31T18:30:00+09:00",
    "flag": True,
    "month": 11,
    "url": "https://shop.example/" + "products/" * 10 + "tea-001",
    "text": "京都宇治の老舗がお届けする、石臼挽きの一番茶だけを使った抹茶です。",
}
_SHORT: dict[str, Any] = {**_LONG, "number": 1, "url": "https://shop.example/", "text": "茶"}


def long_sample(known: Mapping[str, Known], uses: Mapping[Path, set[Use]]) -> dict[str, Any]:
    """All is known, texts and lists are long."""
    return {name: _long(one, name) for name, one in _widened(known, uses).items()}


def short_sample(known: Mapping[str, Known], uses: Mapping[Path, set[Use]], sure: Iterable[Path]) -> dict[str, Any]:
    """Only what everybody has who comes in, and what `sure` names besides; texts are short, other lists are empty."""
    certain = {path[:length] for path in sure for length in range(1, len(path) + 1)}
    return {name: _short(one, (name,), certain) for name, one in _widened(known, uses).items()}


def _widened(known: Mapping[str, Known], uses: Mapping[Path, set[Use]]) -> dict[str, Known]:
    """The vocabulary with what the message reads of open values."""
    found = dict(known)
    for path in sorted(uses, key=len):
        if path[0] in found:
            found[path[0]] = _with(found[path[0]], path[1:], uses[path])
    return found


def _with(known: Known, path: Path, uses: set[Use]) -> Known:
    if not path:
        return _used(known, uses)
    first, *rest = path
    if first == ITEM:
        item = known.item or Known(sure=True)
        return replace(known, kind="list", item=_with(item, tuple(rest), uses))
    if known.kind != "map":
        if known.examples or known.kind == "list":
            return known  # a field of what has none: told by another check
        known = replace(known, kind="map", open=True)
    if first not in known.fields and not known.open:
        return known
    inner = _with(known.fields.get(first, Known()), tuple(rest), uses)
    return replace(known, fields={**known.fields, first: inner})


def _used(known: Known, uses: set[Use]) -> Known:
    if known.kind != "text" or known.examples or known.fields:
        return known
    kind = next((_KINDS[use] for use in _PRIORITY if use in uses), known.kind)
    return replace(known, kind=kind, item=Known(sure=True) if kind == "list" and known.item is None else known.item)


def _long(known: Known, name: str) -> Any:
    match known.kind:
        case "map":
            inner = {key: _long(one, key) for key, one in known.fields.items()}
            return {**inner, "name": LONG_PERSON} if name == "person" else inner
        case "list":
            item = known.item or Known()
            return [_long(item, name) for _ in range(LONG_LIST)]
        case "text" if name in _NAMED:
            return _NAMED[name]
        case "number":
            return _LONG["number"]
    return known.examples[0] if known.examples else _LONG[known.kind]


def _short(known: Known, path: Path, certain: set[Path]) -> Any:
    match known.kind:
        case "map":
            return {
                key: _short(one, (*path, key), certain)
                for key, one in known.fields.items()
                if one.sure or (*path, key) in certain
            }
        case "list":
            item = (*path, ITEM)
            return [_short(known.item or Known(), item, certain)] if item in certain else []
    return _SHORT[known.kind]
