"""Rate limits: one token bucket per account and endpoint."""

from todoke_line_simulator.settings import RateLimit


class TokenBucket:
    """Holds at most ``limit.requests`` tokens and refills evenly, all of them in ``limit.per_seconds``.

    Law: in any stretch of w seconds at most ``requests + requests * w / per_seconds`` requests pass,
    and a sender that spaces its requests evenly at the limit is never refused.
    """

    __slots__ = ("_capacity", "_filled_at", "_per_second", "_tokens")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._capacity = float(limit.requests)
        self._per_second = limit.requests / limit.per_seconds
        self._tokens = self._capacity
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take one token at ``now`` (Unix seconds); False = over the limit, nothing taken."""
        elapsed = now - self._filled_at
        if elapsed > 0:  # a clock that steps back neither refills nor drains
            self._tokens = min(self._capacity, self._tokens + elapsed * self._per_second)
            self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
