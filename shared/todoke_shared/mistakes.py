"""What is wrong in files that people write. By itself: whoever only tells it need not be able to read them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a file, and where. `line` counts from 1."""

    file: Path
    line: int
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where}: {self.what}"


class FileMistakesError(ValueError):
    """Files that cannot be published, with all their mistakes."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes
