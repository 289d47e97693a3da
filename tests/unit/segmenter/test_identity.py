"""Who is who: the same answer for every order in which logins are told, and no device ever joins two members."""

from datetime import datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.identity_oracle import Told, owner, who_is
from tests.unit.segmenter.happenings import at
from todoke_segmenter.domain.identity import MAX_LINKS, Birth, Effect, Identities, Identity, Key, Merge, Move
from todoke_shared.ids import event_key, person_id

MEMBERS = ("a", "b", "c")
TABLET, PHONE = "visitor:tablet", "visitor:phone"
LINE, SECOND, OTHER_LINE = "line:main:U" + "1" * 32, "line:second:U" + "2" * 32, "line:main:U" + "3" * 32
DEVICES = (TABLET, PHONE, LINE)


class World:
    """The identifiers of a shop, as a segmenter sees them that has all of them in hand."""

    def __init__(self) -> None:
        names = [*(f"customer:{member}" for member in MEMBERS), TABLET, PHONE, LINE, SECOND, OTHER_LINE]
        self.identities = Identities({_key(name): Identity(person_id("main", name)) for name in names}, {})
        self.effects: list[Effect] = []
        self.rows = {_key(name): person_id("main", name) for name in names}

    def login(self, seconds: float, *names: str) -> None:
        """The names are one person."""
        self._carry_out(self.identities.link(map(_key, names), at(seconds), _event(seconds, *names)))

    def logout(self, seconds: float, subject: str, *names: str) -> None:
        """The names are the subject no more."""
        event = _event(seconds, "out", subject, *names)
        self._carry_out(self.identities.unlink(_key(subject), map(_key, names), at(seconds), event))

    def _carry_out(self, effects: list[Effect]) -> None:
        """As the database does, which knows whose an identifier is by what it is told alone."""
        self.effects += effects
        for effect in effects:
            match effect:
                case Merge(loser, survivor):
                    self.rows = {key: survivor if whose == loser else whose for key, whose in self.rows.items()}
                case Move(key, giver, taker):
                    assert self.rows[key] == giver
                    self.rows[key] = taker

    def tell(self, told: Told) -> None:
        """What the oracle is told, as events of ours."""
        match told.kind:
            case "login":
                self.login(told.at, f"customer:{told.member}", told.device)
            case "logout":
                self.logout(told.at, f"customer:{told.member}", told.device)
            case "same":
                self.login(told.at, f"customer:{told.member}", f"customer:{told.other}")

    def who(self, name: str, when: datetime | None = None) -> UUID:
        """The person behind a name."""
        return self.identities.owner(_key(name), when)

    def members(self, device: str, when: datetime | None = None) -> frozenset[str]:
        """The members whose the device is, as the oracle speaks of them."""
        return frozenset(m for m in MEMBERS if self.who(f"customer:{m}") == self.who(device, when))


def _key(name: str) -> Key:
    return "main", name


def _event(seconds: float, *names: str) -> UUID:
    return event_key("main", "test", f"{seconds}{names}")


def _order(kind: str, seconds: float, member: str, device: str) -> str:
    names = (f"customer:{member}", device) if kind == "login" else ("out", f"customer:{member}", device)
    return _event(seconds, *names).hex


def _device_story(kind: Any, seconds: float, member: str, device: str) -> Told:
    return Told(kind, seconds, _order(kind, seconds, member, device), member, device)


members = st.sampled_from(MEMBERS)
stories = st.lists(
    st.one_of(
        st.builds(
            _device_story,
            st.sampled_from(["login", "login", "logout"]),
            st.integers(0, 6),
            members,
            st.sampled_from(DEVICES),
        ),
        st.builds(lambda one, other: Told("same", 3, "", one, other=other), members, members),
    ),
    max_size=10,
    unique=True,
)


@given(stories, st.randoms(use_true_random=False))
def test_whose_a_device_is_does_not_depend_on_the_order_of_telling(story: list[Told], chance: Any) -> None:
    """Logins, logouts and mergers of accounts in any order: who logged in last, by the shop's time, has it."""
    told = list(story)
    chance.shuffle(told)
    world = World()
    for one in told:
        world.tell(one)
    for device in DEVICES:
        assert world.members(device) == owner(story, device)
    assert world.rows == {key: world.identities.owner(key) for key in world.rows}


@given(stories)
def test_members_are_one_only_where_the_shop_says_so(story: list[Told]) -> None:
    """However many of them use one device."""
    world = World()
    for one in story:
        world.tell(one)
    for member in MEMBERS:
        same = frozenset(m for m in MEMBERS if world.who(f"customer:{m}") == world.who(f"customer:{member}"))
        assert same == who_is(story, member)


@given(stories)
def test_what_happened_then_is_of_who_had_the_device_then(story: list[Told]) -> None:
    """An event that comes late goes to whoever was logged in at its time; while nobody was, to who logged in next."""
    world = World()
    for one in sorted(story, key=lambda told: (told.at, told.order)):
        world.tell(one)
    for device in DEVICES:
        for seconds in range(8):
            if then := owner(story, device, seconds):
                assert world.members(device, at(seconds)) == then


def test_a_shared_tablet_joins_nobody() -> None:
    """The first login takes the visitor's past along; the second takes the tablet, and no past."""
    world = World()
    world.login(1, "customer:a", TABLET)
    assert [type(effect) for effect in world.effects] == [Merge]
    world.effects.clear()
    world.login(5, "customer:b", TABLET)
    assert world.effects == [Move(_key(TABLET), world.who("customer:a"), world.who("customer:b"))]
    assert world.who("customer:a") != world.who("customer:b")
    assert world.who(TABLET, at(4)) == world.who("customer:a")
    assert world.who(TABLET, at(5)) == world.who(TABLET) == world.who("customer:b")


def test_a_login_that_is_told_late_takes_nothing_from_a_later_one() -> None:
    """It counts for its own time alone."""
    world = World()
    world.login(5, "customer:b", TABLET)
    world.login(1, "customer:a", TABLET)
    assert world.who(TABLET) == world.who("customer:b")
    assert world.who(TABLET, at(3)) == world.who("customer:a") != world.who("customer:b")


def test_one_person_may_have_line_accounts() -> None:
    """A LINE user of each of the shop's accounts, by one login or several; what they did is the member's."""
    world = World()
    world.login(1, "customer:a", LINE)
    world.login(2, "customer:a", SECOND, PHONE)
    assert len({world.who(name) for name in ("customer:a", LINE, SECOND, PHONE)}) == 1


def test_who_is_linked_brings_along_who_was_linked_before() -> None:
    """A LINE user on a visitor's phone, who then logs in: one person, in whatever order it is told."""
    steps = [(1, LINE, PHONE), (2, "customer:a", PHONE)]
    for order in permutations(steps):
        world = World()
        for seconds, *names in order:
            world.login(seconds, *names)
        assert world.who(LINE) == world.who(PHONE) == world.who("customer:a")


def test_two_line_users_of_one_account_are_two_people() -> None:
    """Seen on one tablet they take turns; their messages must not go to one of them."""
    world = World()
    world.login(1, LINE, TABLET)
    world.login(2, OTHER_LINE, TABLET)
    assert world.who(LINE) != world.who(OTHER_LINE)
    assert world.who(TABLET) == world.who(OTHER_LINE)
    world.login(3, "customer:a", LINE)
    world.login(4, "customer:a", TABLET)
    assert world.who(OTHER_LINE) != world.who("customer:a") == world.who(TABLET)


def test_a_device_alone_never_joins_two_members() -> None:
    """Neither by a link of a LINE user to a visitor, nor of two visitors."""
    world = World()
    world.login(1, "customer:a", LINE)
    world.login(2, "customer:b", PHONE)
    world.login(3, "customer:c", TABLET)
    world.login(4, LINE, PHONE)
    world.login(5, TABLET, PHONE)
    assert len({world.who(f"customer:{member}") for member in MEMBERS}) == 3
    assert world.who(PHONE) == world.who("customer:a")
    assert world.who(TABLET) == world.who("customer:c")


@pytest.mark.parametrize("shared", [LINE, TABLET])
def test_who_is_let_go_is_a_person_of_its_own(shared: str) -> None:
    """From then on; what was before stays, and a later login takes it again."""
    world = World()
    world.login(1, "customer:a", shared, PHONE)
    world.logout(3, "customer:a", shared)
    assert world.members(shared) == frozenset()
    assert world.members(shared, at(2)) == {"a"}
    assert world.members(PHONE) == {"a"}
    assert [effect for effect in world.effects if isinstance(effect, Birth)] == [Birth(world.who(shared), "main")]
    world.login(4, "customer:b", shared)
    assert world.members(shared) == {"b"}


def test_a_line_user_may_leave_the_member() -> None:
    """The subject may be the LINE user and not the customer; a customer's own id is never taken away."""
    world = World()
    world.login(1, "customer:a", LINE)
    world.logout(2, LINE, "customer:a")
    assert world.members(LINE) == frozenset()
    world.login(3, "customer:a", "customer:b")
    world.logout(4, "customer:a", "customer:b")
    assert world.who("customer:a") == world.who("customer:b")


def test_nobody_is_let_go_by_somebody_else() -> None:
    """A logout of the member before says nothing of the one who has logged in since."""
    world = World()
    world.login(1, "customer:a", TABLET)
    world.login(2, "customer:b", TABLET)
    world.logout(3, "customer:a", TABLET)
    assert world.members(TABLET) == {"b"}


def test_a_tablet_of_a_shop_has_a_bounded_past() -> None:
    """A thousand logins of three members: the newest are told apart, the last one has it, late ones change nothing."""
    world = World()
    for seconds in range(1000):
        world.login(seconds, f"customer:{MEMBERS[seconds % 3]}", TABLET)
    identity = world.identities.identity(_key(TABLET))
    assert len(identity.links) == MAX_LINKS
    assert len(msgspec.json.encode(identity)) < 3000
    assert world.members(TABLET) == {MEMBERS[999 % 3]}
    assert world.members(TABLET, at(990)) == {MEMBERS[990 % 3]}
    world.login(17.5, "customer:a", TABLET)
    assert world.members(TABLET) == {MEMBERS[999 % 3]}


def test_a_member_who_logs_in_often_leaves_two_logins() -> None:
    """The first and the last: all that can ever matter."""
    world = World()
    for seconds in range(50):
        world.login(seconds, "customer:a", PHONE)
    assert [link.at for link in world.identities.identity(_key(PHONE)).links] == [at(0), at(49)]
    world.login(20, "customer:b", PHONE)
    assert world.members(PHONE) == {"a"}


def test_an_identity_survives_being_stored() -> None:
    """PostgreSQL gives back what it was given."""
    world = World()
    world.login(1, "customer:a", TABLET)
    world.logout(2, "customer:a", TABLET)
    identity = world.identities.identity(_key(TABLET))
    assert msgspec.json.decode(msgspec.json.encode(identity), type=Identity) == identity
