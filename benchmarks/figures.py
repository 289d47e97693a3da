"""A figure and its floor, how both are timed, and the table at the end."""

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
from rich.progress import Progress
from rich.table import Table

CpuClock = Callable[[], float]
"""CPU seconds (user and system, all threads) that somebody has used so far."""


def cpu_of(*process_ids: int) -> CpuClock:
    """The CPU clock of other processes of this machine, together; it ticks in 10 ms on Linux."""
    processes = [psutil.Process(process_id) for process_id in process_ids]

    def clock() -> float:
        return sum(float(times.user + times.system) for times in (process.cpu_times() for process in processes))

    return clock


def all_of_postgres(backend: int) -> CpuClock:
    """Everything the server does, vacuum included. The clocks of processes that have ended are kept."""
    postmaster = psutil.Process(psutil.Process(backend).ppid())
    seen: dict[int, float] = {}

    def clock() -> float:
        for process in postmaster.children():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seen[process.pid] = float(times.user + times.system)
        return sum(seen.values())

    return clock


@dataclass
class Stopwatch:
    """Adds up items, seconds and CPU seconds over laps. `cpu`: whose CPU; by default this process's own."""

    cpu: CpuClock = time.process_time
    items: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Time what happens inside; count its items by `items +=`."""
        started, cpu = time.perf_counter(), self.cpu()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started
            self.cpu_seconds += self.cpu() - cpu

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """CPU microseconds an item."""
        return self.cpu_seconds / self.items * 1e6 if self.items else 0.0


@dataclass(frozen=True)
class Figure:
    """One line of the table. `cpu_us` and `floor_cpu_us`: CPU microseconds an item, where they were measured."""

    benchmark: str
    what: str
    unit: str
    measured: float
    floor: float
    cpu_us: float | None = None
    floor_cpu_us: float | None = None
    remark: str = ""

    @property
    def ratio(self) -> float:
        """Measured to floor: of rates the nearer to 1 from below the better, of times from above."""
        return self.measured / self.floor if self.floor else 0.0


@dataclass
class Bench:
    """A benchmark's surroundings: `seconds` is the longest time that one measurement may take, `pending` how many
    timers wait while others fire, `people` how many a broadcast is for."""

    name: str
    seconds: float
    progress: Progress
    pending: int = 0
    people: int = 0

    @contextmanager
    def shown(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; call what is given with how many are done since."""
        task = self.progress.add_task(f"{self.name}: {what}", total=total)
        yield lambda done: self.progress.advance(task, done)
        self.progress.stop_task(task)

    def rates(self, what: str, unit: str, ours: Stopwatch, floor: Stopwatch, remark: str = "") -> Figure:
        """The figure of two stopwatches: items a second, and CPU an item."""
        return Figure(self.name, what, unit, ours.rate, floor.rate, ours.cpu_us, floor.cpu_us, remark)


async def alternate(
    bench: Bench, what: str, rounds: int, contestants: Sequence[tuple[Stopwatch, Callable[[int], Awaitable[int]]]]
) -> None:
    """Let contestants take turns, so that a busy minute of the machine hurts all alike.

    Each is called with the number of the round and gives how many items it did; 0 from any of them ends it, as does
    the time limit of the benchmark, once for each contestant.
    """
    with bench.shown(what, rounds) as done:
        for number in range(rounds):
            for watch, contestant in contestants:
                with watch.lap():
                    items = await contestant(number)
                watch.items += items
                if not items:
                    return
            done(1)
            if sum(watch.seconds for watch, _ in contestants) > bench.seconds * len(contestants):
                return


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie; the nearest there is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def table(figures: Iterable[Figure], *, title: str) -> Table:
    """All figures, ratios first."""
    shown = Table("benchmark", "what", title=f"Ratios to floors of the same run ({title})")
    for heading in ("ratio", "measured", "floor"):
        shown.add_column(heading, justify="right")
    shown.add_column("unit")
    shown.add_column("CPU an item (floor's), µs", justify="right")
    shown.add_column("remark", overflow="fold")
    for figure in figures:
        cpu = f"{figure.cpu_us:,.0f}" if figure.cpu_us is not None else ""
        cpu += f" ({figure.floor_cpu_us:,.0f})" if figure.floor_cpu_us is not None else ""
        numbers = (f"{figure.ratio:.2f}", _number(figure.measured), _number(figure.floor))
        shown.add_row(figure.benchmark, figure.what, *numbers, figure.unit, cpu, figure.remark)
    return shown


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
