"""Yen, as conditions have it -> 1/100 yen, as the state has it."""

from decimal import Decimal
from typing import Any

from todoke_shared.conditions.model import Operand


def in_sen(yen: Operand) -> Any:
    """An operand, or each of several, times 100, exactly as its digits say: 19.9 yen are 1990."""
    if isinstance(yen, tuple):
        return tuple(map(in_sen, yen))
    if not isinstance(yen, float):
        return int(yen) * 100
    exact = Decimal(repr(yen)) * 100
    return int(exact) if exact == exact.to_integral_value() else exact
