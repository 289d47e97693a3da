"""Segment files: the shipped ones, and every mistake of an author at once, each with its place."""

from pathlib import Path

import pytest

from todoke_shared.mistakes import FileMistakesError
from todoke_shared.segments.model import CLASS_NAMES, Segment
from todoke_shared.segments.source import load_segments, readable_segments

LIBRARY = Path(__file__).parents[3] / "segments"
CLASSES = """\
classes:
  - class: best
    when: {orders: {at_least: 5}}
  - {class: good, when: {orders: {at_least: 2}}}
  - class: problem
    when:
      returns: {at_least: 3}
  - {class: sleeping, when: {last_order: {before: 180d}}}
  - class: general
"""


def mistakes(folder: Path, **files: str) -> list[str]:
    """What an author is told about these files, the folder left out."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(FileMistakesError) as error:
        load_segments(folder)
    return [str(mistake).removeprefix(f"{folder}/") for mistake in error.value.mistakes]


def test_the_shipped_segments_can_be_published() -> None:
    """Each reads the same once published."""
    segments = load_segments(LIBRARY)
    assert {"sleepers", *(f"class-{name}" for name in CLASS_NAMES)} == {segment.segment for segment in segments}
    for segment in segments:
        assert Segment.model_validate(segment.to_document()) == segment


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    """In all files at once."""
    assert mistakes(
        tmp_path,
        a="segment: A\nnmae: x\nwhen:\n  ordrs: 1\n",
        b="segment: b\nwhen:\n  event.amount: 1\n",
        c="- 1\n",
    ) == [
        "a.yaml:1: segment: use lower-case letters, digits, - and _, and begin with a letter or digit",
        "a.yaml:4: when.ordrs: unknown attribute `ordrs`; did you mean `orders`?",
        "a.yaml:2: nmae: nobody reads this key; check its spelling",
        "b.yaml:3: when.event.amount: `event.amount` is an event's, and there is none here; ask about the person",
        "c.yaml:1: the file: write a segment as a mapping that starts with `segment: its-name`",
    ]


def test_unknown_segments_are_told_where_they_are_named(tmp_path: Path) -> None:
    """In a segment and in a class, with the nearest that there is."""
    assert mistakes(
        tmp_path,
        a="segment: vip\nwhen: {orders: 1}\n",
        b="segment: b\nwhen:\n  all:\n    - friend: true\n    - segment: vp\n",
        c=CLASSES.replace("returns: {at_least: 3}", "segment: vipp"),
    ) == [
        "b.yaml:5: when.all[1].segment: unknown segment `vp`; did you mean `vip`?",
        "c.yaml:7: classes[2].when.segment: unknown segment `vipp`; did you mean `vip`?",
    ]


def test_circles_are_told_of_each_segment_in_them(tmp_path: Path) -> None:
    """With the way round; through a class, too."""
    assert mistakes(tmp_path, a="segment: a\nwhen: {segment: b}\n", b="segment: b\nwhen: {not: {segment: a}}\n") == [
        "a.yaml:2: when: segments ask for one another in a circle: a → b → a; take one of them out",
        "b.yaml:2: when: segments ask for one another in a circle: b → a → b; take one of them out",
    ]


def test_one_name_is_one_segment(tmp_path: Path) -> None:
    """A class is a segment too."""
    assert mistakes(tmp_path, a=CLASSES, b="segment: class-good\nwhen: {orders: 1}\n") == [
        "b.yaml:1: segment: `class-good` is the name of two segments"
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "class: good",
            "class: goood",
            "4: classes[1].class: a class is one of best, good, problem, sleeping, general",
        ),
        ("class: good", "class: best", "1: the file: list each of the five classes once: best, good, problem, "),
        ("    when: {orders: {at_least: 5}}\n", "", "1: the file: `best` needs a `when`; only the last class may be "),
        ("at_least: 5", "atleast: 5", "3: classes[0].when.orders.atleast: unknown operator `atleast`"),
        ("{orders: {at_least: 5}}", "often", "3: classes[0].when: write a condition as a mapping, for example `{fr"),
    ],
)
def test_mistakes_in_classes(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Each class once, with what it asks for."""
    [mistake] = mistakes(tmp_path, classes=CLASSES.replace(old, new, 1))
    assert mistake.startswith(f"classes.yaml:{told}")


def test_a_file_may_name_the_segments_of_the_folder(tmp_path: Path) -> None:
    """Also one with mistakes elsewhere in it; a missing folder has none."""
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "vip.yaml").write_text("segment: vip\nwhen: {orders: 1}\n")
    (tmp_path / "segments" / "bad.yaml").write_text("segment: bad\n")
    (tmp_path / "one.yaml").write_text("segment: one\nwhen: {segment: vip}\n")
    known = readable_segments(tmp_path / "segments")
    assert set(known) == {"vip"}
    assert [segment.segment for segment in load_segments(tmp_path / "one.yaml", known)] == ["one"]
    assert readable_segments(tmp_path / "nowhere") == {}
