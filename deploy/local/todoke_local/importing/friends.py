"""friends: a row is a LINE user and whether they are a friend of the account."""

from collections.abc import Sequence

from todoke_local.importing.columns import Column
from todoke_local.importing.kinds import Choices, Draft, Kind, member
from todoke_local.importing.values import Fields, RowError, present, read_line_user, read_time
from todoke_local.importing.words import BLOCKED, FRIENDLY, NO, YES

COLUMNS = (
    Column(
        "line_user_id", ("LINE user ID", "LINEユーザーID", "LINE UID", "UID", "user_id", "ユーザーID", "LINE ID", "ID")
    ),
    Column("friend", ("友だち状態", "友だちステータス", "友だち", "友達", "ステータス", "Status")),
    Column("blocked", ("ユーザーブロック", "ブロック", "ブロック状態", "被ブロック")),
    Column(
        "followed_at",
        ("友だち追加日時", "友だち追加日", "友達追加日時", "友達追加日", "友だち登録日時", "登録日時", "登録日"),
    ),
    Column("blocked_at", ("ブロック日時", "ブロック日", "unfollowed_at", "被ブロック日時")),
    Column("customer_id", ("会員ID", "会員番号", "顧客ID", "顧客番号", "Customer ID")),
)


def read_friend(rows: Sequence[Fields], choices: Choices) -> list[Draft]:
    """A friend since `followed_at`; nobody's friend since `blocked_at`. Without a time: when the file was exported."""
    [row] = rows
    user = read_line_user(row, "line_user_id")
    friend = _is_friend(row)
    at = read_time(row, "followed_at" if friend else "blocked_at", choices.zone)
    number = row.get("customer_id")
    data = present(friend=friend, customer_id=number and member(number))
    return [Draft("friend.imported", user, data, f"line:{choices.account}:{user}", at)]


def _is_friend(row: Fields) -> bool:
    """As `blocked` or `friend` says; whoever stands in a list of friends without a word about it is one."""
    if word := row.get("blocked", "").lower():
        return not _says(word, YES | BLOCKED, NO | FRIENDLY, "blocked")
    if word := row.get("friend", "").lower():
        return _says(word, YES | FRIENDLY, NO | BLOCKED, "friend")
    return True


def _says(word: str, yes: frozenset[str], no: frozenset[str], field: str) -> bool:
    if word not in yes | no:
        raise RowError(f"{field} is neither yes nor no; write true or false")
    return word in yes


FRIENDS = Kind("friends", COLUMNS, (("line_user_id",),), read_friend)
