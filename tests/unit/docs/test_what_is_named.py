"""What pages name by the way is there: metrics, tests, views, headings. A page that nobody runs goes stale."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "ja").glob("*.md")),
    *sorted((ROOT / "services").glob("*/README.md")),
]
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SUFFIXES = ("_bucket", "_sum", "_count")
"""What Prometheus adds to the name of a histogram."""


def metrics_in(text: str) -> set[str]:
    """Names of metrics: the modules of a service begin with its name, and a metric's ending says what it counts."""
    words = re.findall(r"\btodoke_[a-z_]+\b(?!/|\.)", text)
    return {word for word in words if word.endswith(("_total", "_seconds", "_bytes", *_SUFFIXES))}


def without_suffix(name: str) -> str:
    """As the list of metrics has it."""
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def headings(page: Path) -> set[str]:
    """As links name them: GitHub's way, letters and digits of any language, blanks as hyphens."""
    found = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {"".join(c for c in line.lower() if c.isalnum() or c in "-_ ").replace(" ", "-") for line in found}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_heading_that_is_linked_to_is_there(page: Path) -> None:
    """A heading that was renamed is renamed in the links that lead to it."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)", _BLOCK.sub("", page.read_text(encoding="utf-8")))
    places = [((page.parent / target).resolve() if target else page, heading) for target, heading in links]
    assert [heading for target, heading in places if heading not in headings(target)] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_metric_named_exists(page: Path) -> None:
    """An alarm on a metric that there is not never rings."""
    listed = set(re.findall(r"`(todoke_[a-z_]+)`", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
    named = {without_suffix(name) for name in metrics_in(page.read_text(encoding="utf-8"))}
    assert named - listed == set()


def test_every_test_that_shows_a_fault_exists() -> None:
    """By its file and, where it is named, by its function."""
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    files = re.findall(r"`(tests/[a-z0-9_/]+\.py)`", page)
    assert len(files) > 15
    assert [file for file in files if not (ROOT / file).is_file()] == []
    sources = "".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    functions = re.findall(r"`(test_[a-z0-9_]+)(…?)`", page)
    assert [name for name, more in functions if f"def {name}{'' if more else '('}" not in sources] == []


def test_every_view_that_others_may_read_is_named_where_one_looks_for_it() -> None:
    """By the architecture in full, and by the README of the room that publishes it."""
    grants = (ROOT / "shared" / "todoke_shared" / "postgres" / "grants.sql").read_text(encoding="utf-8")
    granted = re.findall(r"^GRANT SELECT ON ([^;]+) TO", grants, re.MULTILINE)
    views = [view.split(".") for views in granted for view in views.split(", ") if not view.startswith("platform.")]
    assert len(views) > 10
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [view for view in views if f"`{'.'.join(view)}`" not in architecture] == []
    for room, name in views:
        readme = (ROOT / "services" / room / "README.md").read_text(encoding="utf-8")
        assert f"`{name}`" in readme or f"`{room}.{name}`" in readme, f"{room}.{name}"
