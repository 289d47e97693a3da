"""The words of exports: yes and no, genders, prefectures, what became of an order."""

YES = frozenset({"yes", "y", "true", "t", "1", "on", "はい", "有", "有効", "希望する", "受け取る", "許可", "○"})
NO = frozenset({"no", "n", "false", "f", "0", "off", "いいえ", "無", "無効", "希望しない", "受け取らない", "拒否", "×"})

FRIENDLY = frozenset({"友だち", "友達", "フォロー中", "未ブロック", "friend", "followed", "following", "active"})
BLOCKED = frozenset(
    {"ブロック", "ブロック中", "ブロック済み", "被ブロック", "友だちではない", "blocked", "block", "unfollowed"}
)

GENDERS = {
    **dict.fromkeys(("female", "f", "女性", "女", "2"), "female"),
    **dict.fromkeys(("male", "m", "男性", "男", "1"), "male"),
    **dict.fromkeys(("other", "その他", "3"), "other"),
}
"""The numbers are EC-CUBE's (mtb_sex)."""

_NAMES = """
北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 東京都 神奈川県 新潟県 富山県
石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県
岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県
"""
_PREFECTURES = _NAMES.split()
PREFECTURES = {
    **{name: name for name in _PREFECTURES},
    **{name[:-1]: name for name in _PREFECTURES if name != "北海道"},
    **{str(number): name for number, name in enumerate(_PREFECTURES, start=1)},
    **{f"JP-{number:02}": name for number, name in enumerate(_PREFECTURES, start=1)},
}
"""By name, short name, number and ISO 3166-2 code (https://www.iso.org/obp/ui/#iso:code:3166:JP)."""

CANCELLED = frozenset(
    {"cancelled", "canceled", "voided", "キャンセル", "キャンセル済み", "注文取消し", "注文取り消し", "取消"}
)
REFUNDED = frozenset({"refunded", "returned", "返品", "返金", "返金済み"})
UNFINISHED = frozenset({"購入処理中", "決済処理中", "draft", "expired", "下書き"})
"""EC-CUBE keeps orders whose payment was never finished (mtb_order_status); nobody has bought anything."""
