"""A campaign's report in tables and sentences, and as JSON."""

from collections.abc import Iterable, Iterator
from typing import Any

from todoke_local.listing import shop_time
from todoke_scheduler.domain.intervals import Interval
from todoke_scheduler.domain.report import Comparison, Group, Report

OVERVIEW = (
    "campaign",
    "name",
    "version",
    "entered",
    "accepted",
    "clicked",
    "clicks",
    "people",
    "converted",
    "yen",
    "lift",
)
_OF_STEPS = ("accepted", "clicked", "clicks")
RUNS = ("entered", "active", "done", "ended early", "holdout")
STEPS = (
    "step",
    "asked for",
    "accepted",
    "clicked",
    "by",
    "clicks",
    "failed",
    "dropped",
    "held",
    "unknown",
    "under way",
)
GROUPS = ("of", "group", "people", "converted", "share", "95% interval", "yen", "yen a person")
_REASONS = {"exit": "exit", "goal": "goal", "restarted": "entered again", "over": "the campaign's end"}


def overview(report: Report) -> tuple[str, ...]:
    """A line for a campaign among others."""
    converted, bought = report.messaged, report.lift
    return (
        report.campaign,
        report.name,
        str(report.version),
        *_numbers(report.runs.entered, *(sum(getattr(s, of) for s in report.steps) for of in _OF_STEPS)),
        *(_numbers(converted.people, converted.converted, converted.revenue) if converted else ("0", "0", "0")),
        "" if bought is None else f"{_points(bought.rate)} ({_between(bought.rate_interval)})",
    )


def title(report: Report) -> str:
    """Whose report it is, and of when."""
    since = "all runs" if report.since is None else f"runs that began since {shop_time(report.since)}"
    return f"{report.campaign} {report.name}".rstrip() + f", version {report.version} in force: {since}"


def runs(report: Report) -> tuple[str, ...]:
    """The line under RUNS."""
    counted = report.runs
    ended = ", ".join(f"{number:,} {_REASONS.get(why, why)}" for why, number in sorted(counted.ended.items()))
    early = f"{sum(counted.ended.values()):,}" + (f" ({ended})" if ended else "")
    return (*_numbers(counted.entered, counted.active, counted.done), early, f"{counted.holdout:,}")


def steps(report: Report) -> Iterator[tuple[str, ...]]:
    """The lines under STEPS."""
    for one in report.steps:
        sent, clicks = (one.asked, one.accepted), (one.clicked, one.clickers, one.clicks)
        unsent = one.failed, one.dropped, one.held, one.unknown, one.under_way
        yield (one.step or "(no step)", *_numbers(*sent, *clicks, *unsent))


def groups(report: Report) -> Iterator[tuple[str, ...]]:
    """The lines under GROUPS: the campaign and its holdout, then the ways of each split."""
    compared = [("all", [group for group in (report.messaged, report.holdout) if group is not None])]
    compared += [(f"split {split.name}", list(split.arms)) for split in report.splits]
    for what, those in compared:
        for group in those:
            yield what, *_group(group)


def sentences(report: Report, within: str) -> Iterator[str]:
    """What the numbers say. `within`: the goal's window in words, empty where the campaign has no goal."""
    if free := sum(step.free for step in report.steps):
        accepted = sum(step.accepted for step in report.steps)
        yield f"{free:,} of {accepted:,} messages that LINE accepted went out as free replies."
    if not within:
        yield "The campaign has no `goal`: nobody can convert. Write one to learn what it earns."
        return
    if report.runs.open:
        yield f"For {report.runs.open:,} of the runs the goal may still be reached ({within}): shares may rise."
    if (lift := report.lift) is not None:
        yield from _told(lift, "the campaign", "the holdout", report.messaged)
    elif report.messaged is not None:
        yield "Nobody is in the holdout: what these people would have bought without the campaign is unknown."
    for split in report.splits:
        for comparison in split.comparisons:
            yield from _told(comparison, f"{split.name} {comparison.group}", f"{split.name} {comparison.against}", None)


def as_json(report: Report) -> dict[str, Any]:
    """Everything, for programs. Shares are between 0 and 1, differences of them too; money is yen."""
    return {
        "campaign": report.campaign,
        "name": report.name,
        "version": report.version,
        "since": report.since and report.since.isoformat(),
        "runs": {name: getattr(report.runs, name) for name in report.runs.__slots__},
        "steps": [{name: getattr(step, name) for name in step.__slots__} for step in report.steps],
        "groups": [_group_json(group) for group in (report.messaged, report.holdout) if group is not None],
        "lift": report.lift and _comparison_json(report.lift),
        "splits": [
            {
                "split": split.name,
                "arms": [_group_json(arm) for arm in split.arms],
                "comparisons": [_comparison_json(comparison) for comparison in split.comparisons],
            }
            for split in report.splits
        ],
    }


def _told(comparison: Comparison, this: str, that: str, gained: Group | None) -> Iterator[str]:
    rate, sure = comparison.rate, comparison.rate_interval
    if sure.tells:
        yield (
            f"People in {this} converted {abs(100 * rate):.1f} points {'more' if rate > 0 else 'less'} often than in "
            f"{that} ({_between(sure)})."
        )
    else:
        yield f"Too few people to tell whether {this} converts more than {that} ({_between(sure)})."
    money = comparison.revenue_interval
    if money is None:
        return
    if not money.tells:
        yield f"Too few people to tell whether {this} brings more than {that} ({_yen_between(money)} a person)."
        return
    in_all = f", some {comparison.revenue * gained.people:+,.0f} yen in all" if gained else ""
    brings = f"{this[0].upper()}{this[1:]} brings {comparison.revenue:+,.0f} yen a person against {that}"
    yield f"{brings} ({_yen_between(money)}){in_all}."


def _group(group: Group) -> tuple[str, ...]:
    sure = group.rate_interval
    return (
        group.name,
        *_numbers(group.people, group.converted),
        f"{group.rate:.1%}",
        f"{sure.low:.1%} to {sure.high:.1%}",
        *_numbers(group.revenue, group.mean),
    )


def _numbers(*numbers: float) -> Iterable[str]:
    return (f"{number:,.0f}" for number in numbers)


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def _between(sure: Interval) -> str:
    return f"between {100 * sure.low:+.1f} and {100 * sure.high:+.1f} points"


def _yen_between(sure: Interval) -> str:
    return f"between {sure.low:+,.0f} and {sure.high:+,.0f} yen"


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "people": group.people,
        "converted": group.converted,
        "rate": group.rate,
        "rate_interval": _ends(group.rate_interval),
        "revenue": group.revenue,
        "revenue_per_person": group.mean,
    }


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "group": comparison.group,
        "against": comparison.against,
        "rate": comparison.rate,
        "rate_interval": _ends(comparison.rate_interval),
        "revenue_per_person": comparison.revenue,
        "revenue_interval": comparison.revenue_interval and _ends(comparison.revenue_interval),
    }


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
