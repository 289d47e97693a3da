"""What a broadcast does by itself: it begins or is left out, rests for the night, ends with its campaign."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.random_campaigns import PERSON, written
from todoke_scheduler.domain.broadcasts import (
    FIRST,
    Broadcast,
    begin,
    kept_quiet,
    new_run,
    next_at,
    over,
    plain_message,
)
from todoke_scheduler.domain.calendar import at_local
from todoke_scheduler.domain.guards import PUNCTUAL, Standing
from todoke_scheduler.domain.sharing import in_holdout
from todoke_shared.campaigns.limits import Cap, QuietHours
from todoke_shared.campaigns.published import PublishedCampaign
from todoke_shared.ids import person_id
from todoke_shared.people import TOKYO

NOON = at_local(datetime.fromisoformat("2026-04-01 12:00"), TOKYO)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
HELLO: dict[str, Any] = {"send": "hello"}
NIGHT = QuietHours(start=time(21), end=time(9))
SHOP_CAP = (Cap.model_validate({"messages": 1, "within": "1d"}),)


def news(*steps: dict[str, Any], **keys: Any) -> PublishedCampaign:
    """The third version of a broadcast at noon; by default it is one message."""
    enter = {"schedule": {"at": "2026-04-01 12:00"}, **keys.pop("enter", {})}
    return PublishedCampaign(3, written(list(steps or [HELLO]), enter=enter, **keys))


def planned(**more: Any) -> Broadcast:
    """One that is due at noon."""
    return Broadcast(**{"id": FIRST, "campaign": "care", "due_at": NOON, "next_at": NOON, **more})


def begun(published: PublishedCampaign, lateness: timedelta, **standing: Any) -> Broadcast | str:
    """What becomes of it so long after noon."""
    return begin(planned(), published, Standing(published.campaign, **standing), NOON + lateness)


def test_what_begins_is_of_the_version_in_force_and_its_rate() -> None:
    """From the instant at which it begins, however late."""
    running = begun(news(enter={"rate": 50}), 5 * HOUR)
    assert isinstance(running, Broadcast)
    assert (running.state, running.version, running.rate) == ("running", 3, 50)
    assert running.started_at == running.next_at == NOON + 5 * HOUR


def test_a_late_one_is_left_out_where_the_campaign_says_so() -> None:
    """Later than it says, and later than a restart takes; under a simulated clock lateness is the machine's."""
    fresh = news(late={"after": "2h", "then": "skip"})
    assert isinstance(begun(fresh, 2 * HOUR), Broadcast)
    assert begun(fresh, 3 * HOUR) == "left out: 3h late, and the campaign does nothing more than 2h late"
    assert isinstance(begun(fresh, 3 * HOUR, rate=60.0), Broadcast)
    at_once = news(late={"after": "0s", "then": "skip"})
    assert isinstance(begun(at_once, PUNCTUAL), Broadcast)
    assert isinstance(begun(at_once, PUNCTUAL + SECOND), str)


def test_it_is_over_when_its_campaign_is() -> None:
    """At that very instant."""
    ending = news(ends="2026-04-01 13:00")
    assert over(ending, NOON + HOUR - SECOND) is None
    assert over(ending, NOON + HOUR) == "the campaign has ended"
    assert over(news(), NOON + 1000 * DAY) is None


def test_it_rests_in_quiet_hours_if_it_begins_with_a_message() -> None:
    """From where it stands; what first waits or tags wakes nobody, and its messages keep quiet by themselves."""
    stands, night, morning = planned(cursor=UUID(int=7)), NOON + 10 * HOUR, NOON + 21 * HOUR
    question: dict[str, Any] = {"ask": "skin", "message": "hello", "answers": ["dry"], "within": "1d"}
    for published in (news(), news(question)):
        rests = kept_quiet(stands, published, Standing(published.campaign, shop_quiet_hours=NIGHT), night)
        assert (rests.next_at, rests.opened_at, rests.opened_from) == (morning, morning, UUID(int=7))
    for published in (news({"tag": "told"}, HELLO), news({"wait": "1h"}, HELLO), news(quiet_hours="none")):
        assert kept_quiet(stands, published, Standing(published.campaign, shop_quiet_hours=NIGHT), night) == stands
    assert kept_quiet(stands, news(), Standing(news().campaign, shop_quiet_hours=NIGHT), NOON) == stands


def test_a_run_is_one_for_a_person_and_an_occurrence() -> None:
    """Whenever they are reached; it starts then, and ends with the campaign; the holdout is the campaign's."""
    published = news(ends="2026-04-02 00:00", holdout=50)
    one = new_run(planned(), published, PERSON, "main", NOON)
    later = new_run(planned(), published, PERSON, "main", NOON + HOUR)
    assert one.id == later.id != new_run(planned(due_at=NOON + 7 * DAY), published, PERSON, "main", NOON).id
    assert (later.started_at, later.due_at, later.version) == (NOON + HOUR, NOON + HOUR, 3)
    assert (later.ends_at, later.end_reason) == (NOON + 12 * HOUR, "over")
    people = [person_id("main", f"customer:{number}") for number in range(50)]
    held = [new_run(planned(), published, person, "main", NOON).holdout for person in people]
    assert held == [in_holdout("care", 50, person) for person in people] and len(set(held)) == 2


@pytest.mark.parametrize(
    ("published", "shop_caps"),
    [
        (news({"send": "hello", "if": {"profile.one": True}}), ()),
        (news(HELLO, {"send": "bye"}), ()),
        (news({"wait": "1h"}), ()),
        (news(caps=[{"messages": 1, "within": "1d"}]), ()),
        (news(), SHOP_CAP),
        (news(messages={"hello": [{"type": "text", "text": "{{ coupon.code }}"}]}), ()),
        (news(messages={"hello": [{"type": "text", "text": "{{ cart }}"}]}), ()),
    ],
)
def test_a_campaign_that_asks_more_is_carried_out_run_by_run(
    published: PublishedCampaign, shop_caps: tuple[Cap, ...]
) -> None:
    """A condition, another step, a cap, a variable that is not of the state: as a set, people would be told wrongly."""
    assert plain_message(published, Standing(published.campaign, shop_caps)) is None


def test_a_message_and_nothing_else_goes_out_as_one_set() -> None:
    """What it says of the person is of their state; caps of the shop are marketing's."""
    text = {"hello": [{"type": "text", "text": "{{ person.name }} {{ today }} {{ answers.skin }}"}]}
    notice = news(**{"class": "transactional"})
    for published, shop_caps in ((news(), ()), (news(messages=text), ()), (notice, SHOP_CAP)):
        assert plain_message(published, Standing(published.campaign, shop_caps)) == published.campaign.steps[0]


def test_a_rate_makes_up_for_a_little_lateness_and_for_no_stop() -> None:
    """Without one it goes on at once."""
    paced, late = planned(rate=10), SECOND / 10
    assert next_at(paced, 5, NOON + late) == NOON + SECOND / 2
    assert next_at(paced, 5, NOON + HOUR) == NOON + HOUR
    assert next_at(planned(), 4_000, NOON + HOUR) == NOON + HOUR
