"""Segments as values. `segments.source` reads them from YAML; a published version is one as JSON.

A shop's customer classes are five segments of which everybody is in exactly one: each asks that those before it in the
list do not hold.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from todoke_shared.conditions import Condition, ConditionError, parse_condition
from todoke_shared.contracts.envelope import Name

ClassName = Literal["best", "good", "problem", "sleeping", "general"]
CLASS_NAMES: tuple[ClassName, ...] = get_args(ClassName)
CLASS_PREFIX = "class-"
"""A class is the segment of its name with this before it."""


def _when(condition: dict[str, Any]) -> dict[str, Any]:
    parse_condition(condition, events=False)
    return condition


def _when_of_class(condition: dict[str, Any]) -> dict[str, Any]:
    # As deep as it will stand in its segment.
    above = ("all", 0, "not", "any", 0)
    try:
        parse_condition(condition, above, events=False)
    except ConditionError as error:
        raise ConditionError(error.path[len(above) :], str(error)) from None
    return condition


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Segment(_Part):
    """Everybody of whom `when` holds, now."""

    segment: Name
    name: str = ""
    when: Annotated[dict[str, Any], AfterValidator(_when)]

    @property
    def condition(self) -> Condition:
        """`when`, parsed; other segments in it are not looked up."""
        return parse_condition(self.when, events=False)

    def to_document(self) -> dict[str, Any]:
        """The segment as JSON values, as it is published."""
        return self.model_dump(mode="json")


class CustomerClass(_Part):
    """One of the five. Without `when`: everybody else."""

    class_: ClassName = Field(alias="class")
    name: str = ""
    when: Annotated[dict[str, Any], AfterValidator(_when_of_class)] | None = None


class Classes(_Part):
    """The five classes; the first whose `when` holds is the person's."""

    classes: tuple[CustomerClass, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [class_.class_ for class_ in self.classes]
        if sorted(names) != sorted(CLASS_NAMES):
            raise ValueError(f"list each of the five classes once: {', '.join(CLASS_NAMES)}")
        for class_ in self.classes[:-1]:
            if class_.when is None:
                raise ValueError(f"`{class_.class_}` needs a `when`; only the last class may be everybody else")
        return self

    def segments(self) -> tuple[Segment, ...]:
        """The classes as segments, exclusive by construction."""
        made = []
        before: list[dict[str, Any]] = []
        for class_ in self.classes:
            own = [] if class_.when is None else [class_.when]
            others = [{"not": {"any": list(before)}}] if before else []
            parts = [*others, *own]
            when = parts[0] if len(parts) == 1 else {"all": parts}
            made.append(Segment(segment=f"{CLASS_PREFIX}{class_.class_}", name=class_.name, when=when))
            before += own
        return tuple(made)
