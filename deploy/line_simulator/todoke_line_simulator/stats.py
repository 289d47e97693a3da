"""Counters of one account, shown by ``GET /sim/stats``."""

from collections import Counter, deque


class BusiestSecond:
    """The largest number of requests that ever arrived within one second."""

    __slots__ = ("_recent", "most")

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self.most = 0

    def arrived(self, now: float) -> None:
        """Count one arrival at ``now`` (Unix seconds)."""
        recent = self._recent
        recent.append(now)
        while now - recent[0] >= 1.0:
            recent.popleft()
        self.most = max(self.most, len(recent))


class AccountStats:
    """What one account received and answered."""

    def __init__(self) -> None:
        self.requests: dict[str, Counter[str]] = {}
        self.busiest: dict[str, BusiestSecond] = {}
        self.accepted = 0
        self.billed = 0
        self.conflicts = 0
        self.webhooks: Counter[str] = Counter()

    def arrived(self, endpoint: str, now: float) -> None:
        """Count a request when it arrives, whatever becomes of it."""
        busiest = self.busiest.get(endpoint)
        if busiest is None:
            busiest = self.busiest[endpoint] = BusiestSecond()
        busiest.arrived(now)

    def answered(self, endpoint: str, outcome: str) -> None:
        """Count a request by its HTTP status, or by ``reset`` or ``hang`` when it got no answer."""
        by_outcome = self.requests.get(endpoint)
        if by_outcome is None:
            by_outcome = self.requests[endpoint] = Counter()
        by_outcome[outcome] += 1
        if outcome == "409":
            self.conflicts += 1

    def webhook_report(self) -> dict[str, int]:
        """Webhooks by what became of them; ``pending`` = queued, under way, or waiting for redelivery."""
        counts = {name: self.webhooks[name] for name in ("queued", "delivered", "redelivered", "givenUp")}
        return counts | {"pending": counts["queued"] - counts["delivered"] - counts["givenUp"]}
