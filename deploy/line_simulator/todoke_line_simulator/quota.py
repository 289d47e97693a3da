"""The monthly quota: LINE counts recipients, and its month ends at midnight in Asia/Tokyo."""

from datetime import datetime, timedelta, timezone

# Asia/Tokyo has no summer time; a fixed offset needs no time zone database in a slim image.
TOKYO = timezone(timedelta(hours=9))


class MonthlyQuota:
    """Counts billed recipients of one account against its limit (None = no limit)."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._usage = 0
        self._month: tuple[int, int] = (0, 0)

    def usage(self, now: float) -> int:
        """Recipients billed in the month of ``now`` (Unix seconds)."""
        self._turn_month(now)
        return self._usage

    def take(self, recipients: int, now: float) -> bool:
        """Bill that many recipients, all or none; False = they do not fit, nothing billed."""
        self._turn_month(now)
        if self.limit is not None and self._usage + recipients > self.limit:
            return False
        self._usage += recipients
        return True

    def _turn_month(self, now: float) -> None:
        local = datetime.fromtimestamp(now, TOKYO)
        month = (local.year, local.month)
        if month != self._month:
            self._month = month
            self._usage = 0
