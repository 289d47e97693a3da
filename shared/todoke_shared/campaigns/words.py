"""The nearest known word to one that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that this one was probably meant to be, whatever its case."""
    by_lower = {one.casefold(): one for one in sorted(known)}
    close = get_close_matches(word.casefold(), by_lower, n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None
