"""Japan's 47 prefectures and 8 regions, however people and platforms write them: 東京都, 東京, Tokyo-to, JP-13, 13."""

import re
import unicodedata
from difflib import get_close_matches

_IN_ORDER = """
北海道 hokkaido 青森県 aomori 岩手県 iwate 宮城県 miyagi 秋田県 akita 山形県 yamagata 福島県 fukushima
茨城県 ibaraki 栃木県 tochigi 群馬県 gunma 埼玉県 saitama 千葉県 chiba 東京都 tokyo 神奈川県 kanagawa
新潟県 niigata 富山県 toyama 石川県 ishikawa 福井県 fukui 山梨県 yamanashi 長野県 nagano 岐阜県 gifu
静岡県 shizuoka 愛知県 aichi 三重県 mie 滋賀県 shiga 京都府 kyoto 大阪府 osaka 兵庫県 hyogo 奈良県 nara
和歌山県 wakayama 鳥取県 tottori 島根県 shimane 岡山県 okayama 広島県 hiroshima 山口県 yamaguchi
徳島県 tokushima 香川県 kagawa 愛媛県 ehime 高知県 kochi 福岡県 fukuoka 佐賀県 saga 長崎県 nagasaki
熊本県 kumamoto 大分県 oita 宮崎県 miyazaki 鹿児島県 kagoshima 沖縄県 okinawa
"""
"""The order of JIS X 0401, which is also that of ISO 3166-2:JP, so that a place in it is a code."""

_WORDS = _IN_ORDER.split()
_ROMAJI = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))

PREFECTURES: tuple[str, ...] = tuple(_ROMAJI)
"""In full, in the order of their codes."""

_FIRST_CODES = {"北海道": 1, "東北": 2, "関東": 8, "中部": 15, "近畿": 24, "中国": 31, "四国": 36, "九州": 40}
"""The 8 regions of Japanese schoolbooks. Each is a run of codes; 三重県 (24) is of 近畿, 沖縄県 (47) of 九州."""

REGIONS: dict[str, tuple[str, ...]] = {
    name: PREFECTURES[first - 1 : end - 1]
    for (name, first), end in zip(_FIRST_CODES.items(), [*list(_FIRST_CODES.values())[1:], 48], strict=True)
}
"""The prefectures of each region."""

_REGION_WORDS = {
    "北海道": ("hokkaido",),
    "東北": ("tohoku",),
    "関東": ("kanto",),
    "中部": ("chubu",),
    "近畿": ("kinki", "kansai", "関西"),
    "中国": ("chugoku",),
    "四国": ("shikoku",),
    "九州": ("kyushu", "九州・沖縄", "九州沖縄", "kyushu-okinawa"),
}
_MACRONS = str.maketrans("āīūēōâîûêô", "aiueoaiueo")
_LONGEST = 100
"""Characters; normalising takes time with the square of a run of combining marks."""
_ENDING = re.compile(r"[ -](to|do|fu|ken|prefecture|metropolis)$")
_REGION_ENDING = re.compile(r"地方$|[ -](chiho|region)$")


def prefecture(text: str) -> str | None:
    """A prefecture in full (`東京都`), or None when the text names none."""
    if len(text) > _LONGEST:
        return None
    plain = _plain(text)
    return _PREFECTURE_OF.get(plain) or _PREFECTURE_OF.get(_ENDING.sub("", plain))


def region(text: str) -> str | None:
    """A region as REGIONS has it (`関東`), or None when the text names none."""
    return _REGION_OF.get(_REGION_ENDING.sub("", _plain(text)))


def spellings(name: str) -> tuple[str, ...]:
    """How a shop's system may have stored a prefecture given in full: 東京都, 東京, Tokyo, tokyo."""
    romaji = _ROMAJI[name]
    return tuple(dict.fromkeys((name, _short(name), romaji.title(), romaji)))


def nearest_prefecture(text: str) -> str | None:
    """The prefecture that a text was probably meant to name."""
    return _nearest(text, _PREFECTURE_OF)


def nearest_region(text: str) -> str | None:
    """The region that a text was probably meant to name."""
    return _nearest(text, _REGION_OF)


def _nearest(text: str, known: dict[str, str]) -> str | None:
    matches = get_close_matches(_plain(text), known, n=1, cutoff=0.5)
    return known[matches[0]] if matches else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower().translate(_MACRONS)


def _short(name: str) -> str:
    return name if name == "北海道" else name[:-1]


def _prefecture_spellings() -> dict[str, str]:
    found = {}
    for code, (name, romaji) in enumerate(_ROMAJI.items(), start=1):
        for spelling in (name, _short(name), romaji, f"jp-{code:02}", f"{code:02}", str(code)):
            found[spelling] = name
    return found


_PREFECTURE_OF = _prefecture_spellings()
_REGION_OF = {word: name for name, words in _REGION_WORDS.items() for word in (name, *words)}
