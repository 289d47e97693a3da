"""An import from its first row to its last: batches, progress, refused rows, and what happens when it is cut short."""

import csv
import stat
from pathlib import Path

import psutil
import pytest

from tests.unit.local.imports import AS_OF, Taken, fresh, opened, write
from todoke_local.importing import entries as entries_module
from todoke_local.importing.batches import MAX_BYTES, MAX_EVENTS
from todoke_local.importing.customers import CUSTOMERS
from todoke_local.importing.importer import Import
from todoke_local.importing.kinds import Kind
from todoke_local.importing.orders import ORDERS
from todoke_local.importing.progress import Progress, progress_file

HEADING = "order_id,ordered_at,customer_id,product_id"


def quiet(_: Progress) -> None:
    """Nobody watches."""


def names_in(folder: Path) -> list[str]:
    """What a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def orders(number: int, *, rows: int = 2) -> list[str]:
    """So many orders of so many rows."""
    return [f"{order},2024/1/5 10:00,{order % 7},tea-{row}" for order in range(number) for row in range(rows)]


def resumed(whole: Import) -> Import:
    """What the command makes when it is started again."""
    kept = Progress.read(progress_file(whole.source.file))
    assert kept is not None
    kept.check(whole.source.survey, {})
    return Import(whole.source, whole.kind, whole.choices, kept)


async def run_to_the_end(whole: Import, taken: Taken) -> int:
    """Run, and start again as often as it fails; how often."""
    for failures in range(100):
        try:
            await whole.run(taken.post, quiet)
        except ConnectionError:
            kept = progress_file(whole.source.file).exists()
            whole = resumed(whole) if kept else fresh(whole.source, whole.kind)
        else:
            return failures
    raise AssertionError("it never came to its end")


async def test_batches_hold_what_the_door_takes(tmp_path: Path) -> None:
    """At most 1,000 events and 1 MiB, no order in two, every order once, in the file's order."""
    taken = Taken()
    await fresh(opened(write(tmp_path, HEADING, *orders(2500)), ORDERS), ORDERS).run(taken.post, quiet)
    assert [len(batch) for batch in taken.batches] == [MAX_EVENTS, MAX_EVENTS, 500]
    assert [event["data"]["order_id"] for event in taken.events] == [str(order) for order in range(2500)]
    large = [f"{number},{'茶' * 20_000}" for number in range(100)]
    taken = Taken()
    await fresh(opened(write(tmp_path, "customer_id,name", *large), CUSTOMERS), CUSTOMERS).run(taken.post, quiet)
    assert len(taken.events) == 100
    assert MAX_BYTES // 2 < max(taken.sizes) <= MAX_BYTES


@pytest.mark.parametrize("fail_after", [0, 1, 2])
async def test_what_was_cut_short_goes_on_where_it_was(tmp_path: Path, fail_after: int) -> None:
    """Each batch but the one in flight is posted once; the repeated events have the same ids."""
    source = opened(write(tmp_path, HEADING, *orders(2500)), ORDERS)
    whole, taken = Taken(), Taken(fail_after=fail_after)
    await fresh(source, ORDERS).run(whole.post, quiet)
    progress_file(source.file).unlink()
    assert await run_to_the_end(fresh(source, ORDERS), taken) == 1
    assert taken.batches[fail_after] == taken.batches[fail_after + 1], "the batch in flight comes again, and only it"
    assert [batch for index, batch in enumerate(taken.batches) if index != fail_after] == whole.batches


async def test_a_row_that_stands_apart_is_known_after_a_stop_too(tmp_path: Path) -> None:
    """What came before the stop is remembered, so that the order is not told a second time, in part."""
    lines = [*orders(1500), "3,2024/1/5 10:00,3,late", "9999,2024/1/5,1,x"]
    source = opened(write(tmp_path, HEADING, *lines), ORDERS)
    taken = Taken(fail_after=1)
    await run_to_the_end(fresh(source, ORDERS), taken)
    kept = Progress.read(progress_file(source.file))
    assert kept is not None
    assert (kept.counts.refused, kept.counts.rows) == (1, 3002)
    assert {event["data"]["order_id"] for event in taken.events} == {*map(str, range(1500)), "9999"}


async def test_a_second_import_sends_the_same_events(tmp_path: Path) -> None:
    """From the start again: id for id, so that their readers know every one of them."""
    source = opened(write(tmp_path, HEADING, *orders(50)), ORDERS)
    first, second = Taken(), Taken()
    await fresh(source, ORDERS).run(first.post, quiet)
    await fresh(source, ORDERS).run(second.post, quiet)
    assert first.events == second.events
    assert len({event["id"] for event in first.events}) == 50


def read_refused(file: Path, encoding: str) -> list[dict[str, str]]:
    """The file of refused rows."""
    with file.open(encoding=encoding, newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
async def test_refused_rows_are_kept_as_they_were_with_the_reason(tmp_path: Path, encoding: str) -> None:
    """Ours and ingest's, in the file's own encoding, readable by its owner alone; mended, that file can be imported."""
    lines = ["会員ID,氏名,誕生日", '1,"山田, 花子",1990/5/12', ",名無し,", "3,佐藤,いつか", "4,田中"]
    source = opened(write(tmp_path, *lines, encoding=encoding), CUSTOMERS)
    taken = Taken(refuse=["customer.updated"])
    refused = await fresh(source, CUSTOMERS).run(taken.post, quiet)
    rows = read_refused(refused.file, encoding)
    assert [(row["会員ID"], row["氏名"], row["todoke_line"]) for row in rows] == [
        ("1", "山田, 花子", "2"),
        ("", "名無し", "3"),
        ("3", "佐藤", "4"),
        ("4", "田中", "5"),
    ]
    reasons = [row["todoke_reason"] for row in rows]
    assert reasons[0] == "ingest refused it: data.x: is wrong"
    assert reasons[1:] == [
        "customer_id is empty",
        "birthday is not a date; write 1990-05-12",
        "has 2 columns; the heading has 3",
    ]
    assert stat.S_IMODE(refused.file.stat().st_mode) == 0o600
    again = opened(refused.file, CUSTOMERS)
    assert again.columns.unread == ()


async def test_refused_rows_are_taken_once_they_are_put_right(tmp_path: Path) -> None:
    """An order of which one row still has its reason stays behind, whole; the file keeps its name and columns."""
    heading = f"{HEADING},todoke_line,todoke_reason"
    lines = ["1,2024/1/5,7,tea,2,", "2,2024/1/5,7,tea,3,", "2,2024/1/5,7,cup,4,is wrong", "3,never,7,tea,5,"]
    file = write(tmp_path, heading, *lines, name="file.csv.refused.csv")
    for known in ("", "; put it right and empty its todoke_reason"):
        taken = Taken()
        refused = await fresh(opened(file, ORDERS), ORDERS).run(taken.post, quiet)
        assert [event["data"]["order_id"] for event in taken.events] == ([] if known else ["1"])
        assert refused.file == file
        assert names_in(tmp_path) == ["file.csv.refused.csv"]
        rows = read_refused(file, "utf-8")
        assert list(rows[0]) == heading.split(",")
        assert [(row["order_id"], row["product_id"]) for row in rows] == [("2", "tea"), ("2", "cup"), ("3", "tea")]
        assert {row["todoke_reason"] for row in rows[:2]} == {"is wrong; put it right and empty its todoke_reason"}
    text = file.read_text(encoding="utf-8")
    assert text.startswith(f"{heading}\n")


async def test_a_refused_file_cut_short_is_whole_until_its_end(tmp_path: Path) -> None:
    """What is still refused is written beside it meanwhile; nothing is lost when the import stops."""
    lines = [f"{order},{'2024/1/5' if order % 500 else 'never'},7,tea,1," for order in range(2500)]
    file = write(tmp_path, f"{HEADING},todoke_line,todoke_reason", *lines, name="file.csv.refused.csv")
    before = file.read_bytes()
    whole = fresh(opened(file, ORDERS), ORDERS)
    with pytest.raises(ConnectionError):
        await whole.run(Taken(fail_after=1).post, quiet)
    assert file.read_bytes() == before
    await resumed(whole).run(Taken().post, quiet)
    assert [row["order_id"] for row in read_refused(file, "utf-8")] == ["0", "500", "1000", "1500", "2000"]


async def test_refused_rows_are_told_once_however_often_it_stops(tmp_path: Path) -> None:
    """What an earlier run wrote and no progress knows of is written anew, not twice."""
    lines = [f"{order},{'2024/1/5' if order % 500 else 'never'},7,tea" for order in range(3000)]
    source = opened(write(tmp_path, HEADING, *lines), ORDERS)
    await run_to_the_end(fresh(source, ORDERS), Taken(fail_after=1))
    file = source.file.with_name("file.csv.refused.csv")
    assert [row["order_id"] for row in read_refused(file, "utf-8")] == ["0", "500", "1000", "1500", "2000", "2500"]
    kept = resumed(fresh(source, ORDERS))
    with file.open("a", encoding="utf-8") as cut_short:
        cut_short.write("3000,never")
    kept.progress.offset = source.survey.size
    await kept.run(Taken().post, quiet)
    assert len(read_refused(file, "utf-8")) == 6


async def test_nothing_refused_leaves_no_file(tmp_path: Path) -> None:
    """One of an earlier import is gone with it."""
    source = opened(write(tmp_path, HEADING, *orders(3)), ORDERS)
    left = source.file.with_name("file.csv.refused.csv")
    left.write_text("of an earlier import")
    refused = await fresh(source, ORDERS).run(Taken().post, quiet)
    assert (refused.size, left.exists()) == (0, False)


async def test_a_changed_file_or_choice_is_told(tmp_path: Path) -> None:
    """Neither is imported from the middle; the message says how to go on."""
    source = opened(write(tmp_path, HEADING, *orders(3)), ORDERS)
    await fresh(source, ORDERS).run(Taken().post, quiet)
    kept = Progress.read(progress_file(source.file))
    assert kept is not None
    assert kept.done
    with pytest.raises(ValueError, match=r"began with --shop \(none\), now it is second.*--restart"):
        kept.check(source.survey, {"--shop": "second"})
    changed = opened(write(tmp_path, HEADING, *orders(3), "3,2024/1/5,3,tea"), ORDERS)
    with pytest.raises(ValueError, match=r"has changed.*--restart"):
        kept.check(changed.survey, {})
    progress_file(source.file).write_text("{}")
    with pytest.raises(ValueError, match="--restart"):
        Progress.read(progress_file(source.file))


def test_a_rehearsal_tells_and_leaves_nothing(tmp_path: Path) -> None:
    """Counts, the first events, the first refused rows, ingest's own refusals among them; no file, no post."""
    lines = [*orders(20), "20,2024/1/5,7", f"21,2024/1/5,7,{'x' * 256}", "22,2027/1/5,7,tea"]
    source = opened(write(tmp_path, HEADING, *lines), ORDERS)
    whole = fresh(source, ORDERS)
    found = whole.rehearse(AS_OF, quiet)
    assert len(found.sample) == 3
    assert [(one.row.line, one.reason.split(":")[0]) for one in found.refused] == [
        (42, "has 3 columns; the heading has 4"),
        (43, "ingest would refuse it"),
        (44, "ingest would refuse it"),
    ]
    counts = whole.progress.counts
    assert (counts.rows, counts.events, counts.refused) == (43, 20, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["file.csv"]


@pytest.mark.parametrize(
    ("kind", "heading", "row"),
    [
        (ORDERS, HEADING, "{number},2024/1/5 10:00,{number},tea"),
        (ORDERS, HEADING, "{number},never,{number},tea"),
        (CUSTOMERS, "customer_id,name", "{number},山田"),
    ],
    ids=["orders", "refused orders", "customers"],
)
async def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: Kind, heading: str, row: str) -> None:
    """50,000 rows need no more than 5,000 did before them."""
    process, peaks = psutil.Process(), dict.fromkeys((5_000, 50_000), 0)

    async def post(body: bytes, count: int) -> dict[int, str]:
        return {}

    for number in (5_000, 50_000):
        lines = (row.format(number=line) for line in range(number))
        source = opened(write(tmp_path, heading, *lines, name=f"{number}.csv"), kind)

        def watch(_: Progress, number: int = number) -> None:
            peaks[number] = max(peaks[number], process.memory_info().rss)

        await fresh(source, kind).run(post, watch)
    assert peaks[50_000] - peaks[5_000] < 8 * 1024 * 1024, peaks


async def test_a_group_without_end_needs_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of more rows than any has: the first are one event, the rest is refused."""
    monkeypatch.setattr(entries_module, "MAX_GROUP", 10)
    taken = Taken()
    whole = fresh(opened(write(tmp_path, HEADING, *orders(1, rows=95)), ORDERS), ORDERS)
    await whole.run(taken.post, quiet)
    [event] = taken.events
    assert len(event["data"]["items"]) == 10
    assert whole.progress.counts.refused == 85


async def test_rows_that_become_nothing_are_progress_too(tmp_path: Path) -> None:
    """A file of unfinished orders is read to its end, and nothing is posted."""
    lines = [f"{order},2024/1/5,7,tea,購入処理中" for order in range(12_000)]
    seen: list[int] = []
    whole = fresh(opened(write(tmp_path, f"{HEADING},status", *lines), ORDERS), ORDERS)
    taken = Taken()
    await whole.run(taken.post, lambda progress: seen.append(progress.counts.left_out))
    assert taken.batches == []
    assert seen == [5000, 10_000, 12_000]


async def test_an_event_too_large_for_any_door_is_refused_here(tmp_path: Path) -> None:
    """Ingest would refuse the whole request for its size."""
    lines = [HEADING + ",product_name", *(f"1,2024/1/5,7,p{n},{'茶' * 300}" for n in range(400))]
    whole = fresh(opened(write(tmp_path, *lines), ORDERS), ORDERS)
    taken = Taken()
    await whole.run(taken.post, quiet)
    assert taken.events == []
    assert whole.progress.counts.refused == 400
