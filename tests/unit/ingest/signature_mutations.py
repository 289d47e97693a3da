"""Signatures that are almost right, for every signed door's test."""

import base64
import random
from collections.abc import Iterator

_TEXTS = ("", " ", "=", "署名", "caf\xe9", "\udcff", "\x00", "null", "A" * 44, "A" * 10_000)


def mutated_signatures(true: str, count: int, seed: int = 20260131) -> Iterator[str | None]:
    """`count` header values, none of them `true`; the first is a missing header, some are no ASCII."""
    chance = random.Random(seed)
    yield None
    for number in range(1, count):
        mutated = _TEXTS[number] if number < len(_TEXTS) else _mutate(true, chance)
        yield mutated if mutated != true else true + "A"


def _mutate(true: str, chance: random.Random) -> str:
    place = chance.randrange(len(true))
    whole = (true.swapcase(), true.rstrip("="), f" {true}", f"{true}\n", f"sha256={true}", true * 2)
    kinds = (
        true[:place] + chr(chance.randrange(128)) + true[place + 1 :],
        true[:place],
        true[:place] + true[place + 1 :],
        true[:place] + chr(chance.randrange(0x80, 0x250)) + true[place:],
        base64.b64encode(chance.randbytes(32)).decode(),
        "".join(chance.sample(true, len(true))),
        chance.choice(whole),
    )
    return chance.choice(kinds)
