"""The 47 prefectures of Japan, however a platform writes them: 東京都, 東京, Tokyo, Tokyo-to, JP-13, 13."""

import re
import unicodedata

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

_MACRONS = str.maketrans("āīūēōâîûêô", "aiueoaiueo")
_LONGEST = 100
"""Characters; normalising takes time with the square of a run of combining marks."""
_ENDING = re.compile(r"[ -](to|do|fu|ken|prefecture|metropolis)$")


def prefecture(text: str) -> str | None:
    """A prefecture in full (`東京都`), or None when the text names none."""
    if len(text) > _LONGEST:
        return None
    plain = unicodedata.normalize("NFKC", text).strip().lower().translate(_MACRONS)
    return _BY_SPELLING.get(plain) or _BY_SPELLING.get(_ENDING.sub("", plain))


def _spellings() -> dict[str, str]:
    found = {}
    words = _IN_ORDER.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    for code, (name, romaji) in enumerate(pairs, start=1):
        short = name if name == "北海道" else name[:-1]
        for spelling in (name, short, romaji, f"jp-{code:02}", f"{code:02}", str(code)):
            found[spelling] = name
    return found


_BY_SPELLING = _spellings()
