"""The words of exports: yes and no, genders, what became of an order."""

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

CANCELLED = frozenset(
    {"cancelled", "canceled", "voided", "キャンセル", "キャンセル済み", "注文取消し", "注文取り消し", "取消"}
)
REFUNDED = frozenset({"refunded", "returned", "返品", "返金", "返金済み"})
UNFINISHED = frozenset({"購入処理中", "決済処理中", "draft", "expired", "下書き"})
"""EC-CUBE keeps orders whose payment was never finished (mtb_order_status); nobody has bought anything."""
