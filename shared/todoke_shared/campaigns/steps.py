"""The steps of a campaign, nested ones included."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic import Tag as Kind

from todoke_shared.campaigns.limits import NoneOr
from todoke_shared.campaigns.parts import Duration, Part
from todoke_shared.campaigns.waits import WaitFor
from todoke_shared.conditions import Condition, parse_condition
from todoke_shared.contracts.envelope import Name

MOST_STEPS = 100
"""In all branches together: more than a person can survey."""
DEEPEST = 10
"""Steps within steps."""
MOST_ANSWERS = 13
LONGEST_ANSWER = 20
"""LINE-API.md: quick replies; a label's length is in LINE's reference on action objects, in UTF-16 units."""

Place = tuple[str | int, ...]

Answer = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Share = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


def _plain(value: object) -> object:
    if isinstance(value, str | int | float | bool) or (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    ):
        return value
    raise ValueError("an attribute is a text, a number, true or false, or a list of texts; put a date in quotes")


Value = Annotated[str | int | float | bool | list[str], BeforeValidator(_plain)]
"""What an attribute of a person can be."""

_SPECIAL_ATTRIBUTES = {
    "tags": "write `tag: name` or `untag: name`, which leave the other tags as they are",
    "points": "the balance of points is the shop's to tell (`points.changed`)",
    "consents": "write `accepts_marketing: true` or `false`",
}


def utf16_length(text: str) -> int:
    """How long LINE finds a text."""
    return len(text.encode("utf-16-le")) // 2


def _readable(condition: dict[str, Any] | None) -> dict[str, Any] | None:
    if condition is not None:
        parse_condition(condition)
    return condition


class Wait(Part):
    """Let time pass: counted from when the step before was due, so that lateness does not add up."""

    wait: WaitFor


class Send(Part):
    """Owe the person one of the campaign's messages, if `condition` holds then."""

    send: str
    when: dict[str, Any] | None = Field(default=None, alias="if")

    _condition_is_readable = field_validator("when")(_readable)

    @cached_property
    def condition(self) -> Condition | None:
        """`if`, parsed."""
        return None if self.when is None else parse_condition(self.when)


class Ask(Part):
    """Send `message` with a button for each answer, and wait `within` for one: it becomes `answer.{ask}`."""

    ask: Name
    message: str
    answers: tuple[Answer, ...]
    within: Duration = timedelta(days=1)

    @field_validator("answers")
    @classmethod
    def _as_line_shows_them(cls, answers: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(answers) <= MOST_ANSWERS:
            raise ValueError(
                f"a question has 1 to {MOST_ANSWERS} answers, as LINE has quick replies; here are {len(answers)}"
            )
        if long := [answer for answer in answers if utf16_length(answer) > LONGEST_ANSWER]:
            raise ValueError(
                f"LINE shows at most {LONGEST_ANSWER} characters of an answer; shorten "
                + ", ".join(f"`{answer}` ({utf16_length(answer)})" for answer in long)
            )
        if twice := {answer for answer in answers if answers.count(answer) > 1}:
            raise ValueError(f"`{min(twice)}` stands here twice; a customer could not tell which to tap")
        return answers


class If(Part):
    """One way or the other, by whether `condition` holds."""

    when: dict[str, Any] = Field(alias="if")
    then: "tuple[Step, ...]"
    otherwise: "tuple[Step, ...]" = Field(default=(), alias="else")

    _condition_is_readable = field_validator("when")(_readable)

    @cached_property
    def condition(self) -> Condition:
        """`if`, parsed."""
        return parse_condition(self.when)


_SPLIT_KEYS = frozenset({"split", "name"})


class Split(Part):
    """A way for each name, people divided by `shares`: the same person always goes the same way.

    Written with a key for each name beside `split`; `branches` holds them by name.
    """

    shares: dict[Name, Annotated[int, Field(strict=True, ge=0, le=1_000_000)]] = Field(
        alias="split", min_length=2, max_length=20
    )
    name: Name | None = None
    branches: "dict[str, tuple[Step, ...]]"

    @model_validator(mode="before")
    @classmethod
    def _gather_branches(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "branches" in value:
            return value
        shares = value.get("split")
        names = shares if isinstance(shares, dict) else {}
        return {key: part for key, part in value.items() if key not in names or key in _SPLIT_KEYS} | {
            "branches": {key: value[key] for key in names if key in value and key not in _SPLIT_KEYS}
        }

    @field_validator("shares")
    @classmethod
    def _something_to_share(cls, shares: dict[str, int]) -> dict[str, int]:
        if taken := _SPLIT_KEYS & shares.keys():
            raise ValueError(f"`{min(taken)}` is a word of the language; give this way another name")
        if not sum(shares.values()):
            raise ValueError("the shares come to 0; write whole numbers, for example {a: 50, b: 50}")
        return shares

    @field_validator("branches")
    @classmethod
    def _a_branch_for_each(cls, branches: "dict[str, tuple[Step, ...]]", info: Any) -> "dict[str, tuple[Step, ...]]":
        missing = [name for name in info.data.get("shares", ()) if name not in branches]
        if missing:
            raise ValueError(f"write the steps of `{missing[0]}` beside `split`: `{missing[0]}: [...]`, or [] for none")
        return branches

    @model_serializer
    def _beside_split(self) -> dict[str, Any]:
        return {"split": self.shares, **({"name": self.name} if self.name else {}), **self.branches}


class Coupon(Part):
    """A code of this pool, once a run; `coupon.code` in templates."""

    coupon: Name


class Tag(Part):
    """Put a tag on the person, or (`on` false) take it off. Written `tag: name` or `untag: name`."""

    tag: TagName
    on: bool = True

    @model_validator(mode="before")
    @classmethod
    def _tag_or_untag(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "untag" in value and "tag" not in value:
            return {"tag": value["untag"], "on": False} | {key: part for key, part in value.items() if key != "untag"}
        return value

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {"tag" if self.on else "untag": self.tag}


class Set(Part):
    """Attributes of the person, as the shop itself could tell them."""

    values: dict[str, Value] = Field(alias="set", min_length=1, max_length=50)

    @field_validator("values")
    @classmethod
    def _plain_attributes(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in values:
            if name in _SPECIAL_ATTRIBUTES:
                raise ValueError(f"`{name}` cannot be set: {_SPECIAL_ATTRIBUTES[name]}")
        return values


class RichMenu(Part):
    """Link the rich menu of this alias to the person; None (`rich_menu: none`) unlinks."""

    menu: Annotated[Name | None, NoneOr] = Field(alias="rich_menu")

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {"rich_menu": self.menu or "none"}


class Emit(Part):
    """An event about the person to `ec.events.v1`."""

    type: str = Field(alias="emit", max_length=255)
    data: dict[str, Any] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _of_ones_own(cls, type_: str) -> str:
        if not type_.startswith("custom.") or type_ == "custom.":
            raise ValueError("a campaign tells events of your own: write `custom.` and a name")
        return type_


class Stop(Part):
    """The run ends here."""

    stop: Literal[True]


_STEPS: dict[str, type[Part]] = {
    "wait": Wait,
    "send": Send,
    "ask": Ask,
    "split": Split,
    "coupon": Coupon,
    "tag": Tag,
    "untag": Tag,
    "set": Set,
    "rich_menu": RichMenu,
    "emit": Emit,
    "stop": Stop,
    "if": If,
}
"""By the key that names a step. `if` comes last: beside `send` it is that step's condition."""
STEP_WORDS: tuple[str, ...] = tuple(_STEPS)


def _step_kind(value: Any) -> str:
    if isinstance(value, Part):
        return f"<{type(value).__name__}>"
    named = {_STEPS[word] for word in _STEPS if isinstance(value, dict) and word in value}
    if len(named) > 1:
        named.discard(If)
    return f"<{named.pop().__name__}>" if len(named) == 1 else "unknown"


Step = Annotated[
    Annotated[Wait, Kind("<Wait>")]
    | Annotated[Send, Kind("<Send>")]
    | Annotated[Ask, Kind("<Ask>")]
    | Annotated[If, Kind("<If>")]
    | Annotated[Split, Kind("<Split>")]
    | Annotated[Coupon, Kind("<Coupon>")]
    | Annotated[Tag, Kind("<Tag>")]
    | Annotated[Set, Kind("<Set>")]
    | Annotated[RichMenu, Kind("<RichMenu>")]
    | Annotated[Emit, Kind("<Emit>")]
    | Annotated[Stop, Kind("<Stop>")],
    Discriminator(_step_kind),
]

If.model_rebuild()
Split.model_rebuild()


def branches_of(step: Step) -> dict[str, tuple[Step, ...]]:
    """A step's own steps, by the key that they are written under."""
    match step:
        case If():
            return {"then": step.then, "else": step.otherwise}
        case Split():
            return step.branches
    return {}


def walk(steps: tuple[Step, ...], place: Place = ("steps",)) -> Iterator[tuple[Place, Step]]:
    """Every step in the order in which it is written, with its place: `("steps", 3, "then", 0)`."""
    for index, step in enumerate(steps):
        here = (*place, index)
        yield here, step
        for name, inner in branches_of(step).items():
            yield from walk(inner, (*here, name))
