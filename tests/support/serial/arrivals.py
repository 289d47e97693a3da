"""An order of arrival that does its worst within a minute."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.support.serial.load import WITHIN_SECONDS
from tests.support.serial.told import Told


def arrivals(load: Sequence[Told], seed: int, *, most: int = 5) -> list[tuple[datetime, Told]]:
    """When each copy comes: an event is told one to `most` times, each copy up to a minute late; in order of arrival.

    An unfollow comes before the follow that it followed.
    """
    chance = random.Random(seed)
    schedule: list[tuple[datetime, Told]] = []
    follows: dict[str, Told] = {}
    for told in sorted(load, key=lambda told: told.sent_at or told.at):
        sent_at = told.sent_at or told.at
        late = [chance.uniform(0, WITHIN_SECONDS) for _ in range(chance.randint(1, most))]
        if told.type == "line.follow":
            follows[told.subject] = told
            late = [WITHIN_SECONDS]
        elif told.type == "line.unfollow" and told.subject in follows:
            late[0] = 0.0
        schedule += [(sent_at + timedelta(seconds=seconds), told) for seconds in late]
    return sorted(schedule, key=lambda arrival: arrival[0])
