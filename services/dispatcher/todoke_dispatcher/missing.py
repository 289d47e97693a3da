"""What a claim cannot render without: it is brought or made outside of its transaction, and the claim done again."""

from collections.abc import Collection
from dataclasses import dataclass, field

from todoke_dispatcher.adapters.links import SharedLink
from todoke_dispatcher.adapters.units import Unit

Version = tuple[str, int]
"""A campaign and its version."""


class MissingError(LookupError):
    """A message cannot be rendered before these are in memory."""

    def __init__(
        self,
        *,
        version: Version | None = None,
        links: Collection[SharedLink] = (),
        unit: Unit | None = None,
    ) -> None:
        super().__init__()
        self.version = version
        self.links = links
        self.unit = unit


@dataclass(slots=True)
class Missing:
    """What the messages of one claim are missing, together."""

    versions: set[Version] = field(default_factory=set)
    links: set[SharedLink] = field(default_factory=set)
    units: set[Unit] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.versions or self.links or self.units)

    def note(self, error: MissingError) -> None:
        """One message's."""
        self.links.update(error.links)
        if error.version is not None:
            self.versions.add(error.version)
        if error.unit is not None:
            self.units.add(error.unit)
