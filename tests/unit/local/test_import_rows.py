"""Rows of CSV files as tools write them, and as they should not have."""

from pathlib import Path

import pytest

from tests.unit.local.imports import opened, reasons, write
from todoke_local.importing import rows as rows_module
from todoke_local.importing.customers import CUSTOMERS
from todoke_local.importing.orders import ORDERS
from todoke_local.importing.rows import MAX_ROW_BYTES, Place
from todoke_local.importing.source import Source

HEADING = "会員ID,氏名,都道府県"


def names(source: Source) -> list[str]:
    """The second cell of every row that can be read."""
    return [row.cells[1] for row in source.rows() if not row.reason]


@pytest.mark.parametrize(("encoding", "found"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp932", "cp932")])
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_encoding_and_delimiter_are_found(tmp_path: Path, encoding: str, found: str, delimiter: str) -> None:
    """UTF-8 with and without its mark, and CP932 with the letters that Shift_JIS lacks; commas and tabs."""
    lines = [HEADING, "1,髙橋①,東京", "2,山﨑　ソ能,大阪"]  # ソ and 能 hold a backslash in CP932
    source = opened(write(tmp_path, *(line.replace(",", delimiter) for line in lines), encoding=encoding), CUSTOMERS)
    assert source.survey.encoding == found
    assert names(source) == ["髙橋①", "山﨑　ソ能"]


def test_ascii_far_into_a_file_does_not_hide_its_encoding(tmp_path: Path) -> None:
    """The first letter beyond ASCII comes after more than a chunk of the survey."""
    lines = ["customer_id,name", *(f"{number},{'x' * 100}" for number in range(12_000)), "12001,山田"]
    assert opened(write(tmp_path, *lines, encoding="cp932"), CUSTOMERS).survey.encoding == "cp932"


def test_one_bad_byte_does_not_change_a_files_encoding(tmp_path: Path) -> None:
    """That row alone is refused, with what is wrong."""
    file = write(tmp_path, HEADING, "1,山田,東京", "2,鈴木,大阪", "3,佐藤,福岡")
    file.write_bytes(file.read_bytes().replace("鈴木".encode(), "鈴木".encode("cp932")))
    source = opened(file, CUSTOMERS)
    assert names(source) == ["山田", "佐藤"]
    assert reasons(source, CUSTOMERS) == [(3, "is not utf-8 as the rest of the file is")]


def test_utf_16_is_told_and_not_guessed_at(tmp_path: Path) -> None:
    """Excel's "Unicode text": the message says what to save it as."""
    with pytest.raises(ValueError, match=r"UTF-16.*save it as"):
        opened(write(tmp_path, HEADING, "1,山田,東京", encoding="utf-16"), CUSTOMERS)


def test_quotes_hold_commas_lines_and_quotes(tmp_path: Path) -> None:
    """As RFC 4180 has it; the next row's line number counts the lines within."""
    source = opened(write(tmp_path, HEADING, '1,"山田, ""花子""\r\n様",東京', "2,鈴木,大阪"), CUSTOMERS)
    assert names(source) == ['山田, "花子"\r\n様', "鈴木"]
    assert [row.line for row in source.rows()] == [2, 4]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('2,"鈴木,大阪', "is no CSV"),
        ('2,"鈴"木,大阪', "is no CSV"),
        ("2,鈴木\x00,大阪", "U+0000"),
        (f"2,{'木' * MAX_ROW_BYTES},大阪", "larger than 128 KiB"),
        ("2,鈴木", "has 2 columns; the heading has 3"),
        ("2,鈴木,大阪,x", "has 4 columns; the heading has 3"),
    ],
    ids=["open quote", "text after a quote", "NUL", "huge field", "too few", "too many"],
)
def test_a_row_that_is_none_is_refused_by_itself(tmp_path: Path, line: str, reason: str) -> None:
    """An open quote swallows nothing: the rows before and after are read, and the line is told."""
    source = opened(write(tmp_path, HEADING, "1,山田,東京", line, "3,佐藤,福岡", "4,田中,福岡"), CUSTOMERS)
    [(number, told)] = reasons(source, CUSTOMERS)
    assert number == 3
    assert reason in told
    assert [row.cells[0] for row in source.rows() if len(row.cells) == 3] == ["1", "3", "4"]


def test_an_open_quote_far_from_the_end_costs_one_row(tmp_path: Path) -> None:
    """A field never closed ends where no row is that large, and the rows that it had swallowed are read."""
    lines = [f"{number},{'x' * 90},東京" for number in range(4000)]
    lines[10] = '10,"x,東京'
    source = opened(write(tmp_path, HEADING, *lines), CUSTOMERS)
    assert [line for line, _ in reasons(source, CUSTOMERS)] == [12]
    assert len(names(source)) == 3999


def test_empty_lines_and_empty_columns_at_the_end_are_nothing(tmp_path: Path) -> None:
    """Spreadsheets leave them behind."""
    source = opened(write(tmp_path, HEADING, "1,山田,東京,,", "", ",,", "2,鈴木,大阪"), CUSTOMERS)
    assert reasons(source, CUSTOMERS) == []
    assert names(source) == ["山田", "鈴木"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_reading_goes_on_wherever_it_stopped(tmp_path: Path, encoding: str) -> None:
    """From the place after any row the rest is read, byte for byte, with its line numbers."""
    lines = ["1,山田,東京", '2,"鈴\r\n木",大阪', '3,"佐藤,福岡', "", "4,田中,能登"]
    source = opened(write(tmp_path, HEADING, *lines, encoding=encoding), CUSTOMERS)
    whole = list(source.rows())
    assert len(whole) == 4
    for done in range(len(whole)):
        assert list(source.rows(whole[done].after)) == whole[done + 1 :]
    assert whole[-1].after == Place(source.survey.size, 8)


def test_the_heading_may_stand_below_a_title(tmp_path: Path) -> None:
    """The first of the top rows that names what is needed is the heading."""
    source = opened(write(tmp_path, "会員一覧,,", "2026年4月,,", HEADING, "1,山田,東京"), CUSTOMERS)
    assert names(source) == ["山田"]
    assert source.begin.line == 4


@pytest.mark.parametrize("lines", [[], [""], ['"会員ID']], ids=["no byte", "no cell", "an open quote"])
def test_a_file_without_a_heading_is_told(tmp_path: Path, lines: list[str]) -> None:
    """Before any row, with the file's name."""
    with pytest.raises(ValueError, match=r"file\.csv: (the file is empty|the heading)"):
        opened(write(tmp_path, *lines), CUSTOMERS)


def test_a_missing_column_stops_before_the_first_row_and_says_what_to_do(tmp_path: Path) -> None:
    """It names what is needed, what there is, and how to say which is which."""
    with pytest.raises(ValueError, match=r"no column is customer_id or email.*お客様コード.*--map") as error:
        opened(write(tmp_path, "注文番号,受注日,お客様コード", "1,2024/1/5,77"), ORDERS)
    assert "file.csv" in str(error.value)


def test_columns_are_named_by_hand_where_nobody_knows_them(tmp_path: Path) -> None:
    """--map overrules what would have been guessed; what nothing is read from is known."""
    file = write(tmp_path, "番号,会員ID,好きなお茶", "1,77,煎茶")
    source = opened(file, CUSTOMERS, mapped={"番号": "customer_id"})
    assert source.columns.places == {"customer_id": 0}
    assert source.columns.unread == ("会員ID", "好きなお茶")


@pytest.mark.parametrize(
    ("mapped", "words"), [({"番号": "customer"}, "there is no field"), ({"No": "customer_id"}, "no column of that")]
)
def test_a_mapping_of_nothing_is_refused(tmp_path: Path, mapped: dict[str, str], words: str) -> None:
    """Of a field that is none, or a heading that is none."""
    with pytest.raises(ValueError, match=words):
        opened(write(tmp_path, "番号", "1"), CUSTOMERS, mapped=mapped)


def test_marks_that_tell_a_spreadsheet_it_is_text_are_no_text(tmp_path: Path) -> None:
    """`="00123"` and `'00123` are 00123; any other formula is a text like any other."""
    lines = ["customer_id,name", '"=""00123""",\'+81', "'00124,=1+1", "00125,it's"]
    source = opened(write(tmp_path, *lines), CUSTOMERS)
    found = [source.columns.fields(row.cells) for row in source.rows()]
    assert [row["customer_id"] for row in found] == ["00123", "00124", "00125"]
    assert [row["name"] for row in found] == ["+81", "=1+1", "it's"]


def test_a_line_without_end_needs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is, no more than a row's most bytes are held at once."""
    monkeypatch.setattr(rows_module, "MAX_ROW_BYTES", 100)
    source = opened(write(tmp_path, "customer_id,name", f"1,{'x' * 5000}", "2,b"), CUSTOMERS)
    refused, good = source.rows()
    assert len(refused.cells[0]) <= 100
    assert good.cells == ["2", "b"]
