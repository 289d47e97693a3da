"""customers: a row is what the shop knows of one member."""

from collections.abc import Sequence

from todoke_local.importing.columns import Column
from todoke_local.importing.kinds import Choices, Draft, Kind, guest, member
from todoke_local.importing.values import (
    Fields,
    need,
    present,
    read_birthday,
    read_gender,
    read_integer,
    read_line_user,
    read_list,
    read_prefecture,
    read_time,
    read_truth,
)
from todoke_shared.conditions.regions import prefecture
from todoke_shared.contracts.contacts import email_sha256, phone_sha256

COLUMNS = (
    Column(
        "customer_id",
        ("会員ID", "会員番号", "顧客ID", "顧客番号", "顧客コード", "お客様番号", "Customer ID", "会員コード"),
    ),
    Column("name", ("氏名", "お名前", "名前", "顧客名", "会員名", "Full Name")),
    Column("family_name", ("お名前(姓)", "姓", "氏名(姓)", "Last Name")),
    Column("given_name", ("お名前(名)", "名", "氏名(名)", "First Name")),
    Column("email", ("メールアドレス", "メール", "E-mail", "Email Address")),
    Column("phone", ("TEL", "電話番号", "電話", "携帯電話番号", "Phone Number", "Default Address Phone")),
    Column("birthday", ("誕生日", "生年月日", "Date of Birth")),
    Column("gender", ("性別(名称)", "性別", "性別(ID)", "Sex")),
    Column("prefecture", ("都道府県(名称)", "都道府県", "都道府県(ID)", "Default Address Province Code", "Province")),
    Column("city", ("市区町村", "住所1", "Default Address City")),
    Column("job", ("職業(名称)", "職業", "ご職業", "Occupation")),
    Column("interests", ("興味", "興味・関心", "趣味", "Interest")),
    Column("worries", ("お悩み", "悩み", "Worry")),
    Column("tier", ("会員ステージ", "会員グレード", "Membership Tier")),
    Column("tags", ("タグ", "Tag", "会員ランク", "顧客タグ")),
    Column(
        "accepts_marketing",
        ("メルマガ", "メルマガ購読", "メールマガジン", "Accepts Email Marketing", "Accepts Marketing"),
    ),
    Column("points", ("ポイント", "保有ポイント", "所持ポイント", "ポイント残高", "Point")),
    Column(
        "registered_at", ("登録日", "登録日時", "会員登録日", "会員登録日時", "入会日", "Created at", "create_date")
    ),
    Column("updated_at", ("更新日", "更新日時", "最終更新日時", "update_date")),
    Column("line_user_id", ("LINE user ID", "LINEユーザーID", "LINE UID", "LINE ID", "UID")),
)


def read_customer(rows: Sequence[Fields], choices: Choices) -> list[Draft]:
    """The member's record, and who else they are: a LINE user, and the guest of an e-mail address where asked for.

    Its time is when the shop last changed it, else when the member registered, else when the file was exported.
    """
    [row] = rows
    number = member(need(row, "customer_id"))
    subject = f"customer:{number}"
    registered_at = read_time(row, "registered_at", choices.zone)
    updated_at = read_time(row, "updated_at", choices.zone)
    email = email_sha256(row.get("email", ""))
    data = present(
        name=row.get("name") or " ".join(filter(None, (row.get("family_name"), row.get("given_name")))),
        email_sha256=email,
        phone_sha256=phone_sha256(row.get("phone", "")),
        birthday=read_birthday(row, "birthday"),
        gender=read_gender(row, "gender"),
        prefecture=read_prefecture(row, "prefecture"),
        city=row.get("city"),
        job=row.get("job"),
        interests=read_list(row, "interests"),
        worries=read_list(row, "worries"),
        tier=row.get("tier"),
        tags=read_list(row, "tags"),
        accepts_marketing=read_truth(row, "accepts_marketing"),
        points=read_integer(row, "points"),
        registered_at=registered_at and registered_at.isoformat(),
    )
    known = registered_at if updated_at is None else updated_at
    type_ = "customer.registered" if known is not None and updated_at is None else "customer.updated"
    drafts = [Draft(type_, number, data, subject, known)]
    also = [f"line:{choices.account}:{read_line_user(row, 'line_user_id')}"] if "line_user_id" in row else []
    also += [guest(email)] if choices.link_emails and email else []
    if also:
        drafts.append(Draft("customer.identified", number, {"identifiers": also}, subject, known))
    return drafts


CUSTOMERS = Kind(
    "customers",
    COLUMNS,
    (("customer_id",),),
    read_customer,
    checks={"prefecture": prefecture, "email": email_sha256, "phone": phone_sha256},
)
