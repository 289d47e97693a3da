"""Faults on request: what goes wrong, where, how often."""

from random import Random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator

from todoke_line_simulator.problems import LineError, monthly_limited, rate_limited, too_concurrent

FaultName = Literal[
    "delay",
    "rate_limit",
    "monthly_limit",
    "concurrency_limit",
    "server_error",
    "garbage",
    "accept_then_reset",
    "hang",
]
# LINE's own gateway answers HTML now and then; not UTF-8, because that is what breaks clients.
GARBAGE = b"<html><body>\xff\xfe\x93\xc7\x97\x9d Bad Gateway</body>"
DEFAULT_SECONDS: dict[FaultName, float] = {"delay": 1.0, "hang": 300.0}
DEFAULT_STATUS: dict[FaultName, int] = {"server_error": 500, "garbage": 502}


class FaultRule(BaseModel):
    """One rule of ``POST /sim/faults``."""

    model_config = ConfigDict(extra="forbid")

    fault: FaultName
    endpoint: str = "*"
    """Endpoint name as in ``GET /sim/stats`` (``push``, ``validate/push``, ...) or ``*`` for all."""
    account: str | None = None
    """None = every account."""
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    """Start of the rule's own random numbers: the same requests meet the same faults again."""
    count: PositiveInt | None = None
    """How many times the rule fires at most; None = until removed."""
    seconds: NonNegativeFloat | None = None
    """delay: how long the answer is held back (default 1). hang: how long nothing comes (default 300)."""
    status: int | None = Field(default=None, ge=200, le=599)
    """server_error: default 500; garbage: default 502."""
    accept: bool = False
    """server_error, garbage, hang: whether LINE accepts the message before it fails to say so."""

    @model_validator(mode="after")
    def _fields_fit_the_fault(self) -> Self:
        for field, users in (
            ("seconds", DEFAULT_SECONDS.keys()),
            ("status", DEFAULT_STATUS.keys()),
            ("accept", {"server_error", "garbage", "hang"}),
        ):
            if getattr(self, field) and self.fault not in users:
                raise ValueError(f"{field} means nothing for {self.fault}: leave it out")
        return self


class _ArmedRule:
    """A rule, its random numbers, and how often it fired."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.fired = 0
        self._random = Random(rule.seed)  # noqa: S311  (repeatable on purpose)

    def fires(self, account: str, endpoint: str) -> bool:
        rule = self.rule
        if rule.endpoint not in ("*", endpoint) or rule.account not in (None, account):
            return False
        if rule.count is not None and self.fired >= rule.count:
            return False
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """The rules in force, asked in the order in which they were added; the first that fires wins."""

    def __init__(self) -> None:
        self._armed: list[_ArmedRule] = []

    def add(self, rules: list[FaultRule]) -> None:
        """Put rules behind those already in force."""
        self._armed.extend(_ArmedRule(rule) for rule in rules)

    def clear(self) -> None:
        """Everything works again."""
        self._armed.clear()

    def listed(self) -> list[dict[str, object]]:
        """The rules in force, each with how often it fired."""
        return [armed.rule.model_dump() | {"fired": armed.fired} for armed in self._armed]

    def pick(self, account: str, endpoint: str) -> FaultRule | None:
        """The fault that this request meets, if any."""
        for armed in self._armed:
            if armed.fires(account, endpoint):
                return armed.rule
        return None


def seconds_of(rule: FaultRule) -> float:
    """How long a delay or a hang lasts."""
    return DEFAULT_SECONDS[rule.fault] if rule.seconds is None else rule.seconds


def status_of(rule: FaultRule) -> int:
    """The HTTP status of a server error or a garbage answer."""
    return DEFAULT_STATUS[rule.fault] if rule.status is None else rule.status


def refusal(rule: FaultRule) -> LineError | None:
    """The error with which the request is refused untouched, or None when the fault is of another kind."""
    match rule.fault:
        case "rate_limit":
            return rate_limited()
        case "monthly_limit":
            return monthly_limited()
        case "concurrency_limit":
            return too_concurrent()
        case _:
            return None
