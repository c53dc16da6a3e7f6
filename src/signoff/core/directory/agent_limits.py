"""How much work an agent is given in an hour and a day, and what it has reported: AXP's cost policy and metrics. Days
and hours are those of UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from signoff.core.errors import TooMany

MICROS: Final = 1_000_000
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# AXP's clients sleep for the whole of Retry-After, so it is not the hours that may be left.
_AGAIN: Final = 60


class AgentLimits(Struct, frozen=True, omit_defaults=True):
    """The most new requests with work for an agent in an hour and a day, and the cost in a millionth of a dollar that
    it may report in a day before it is given no more. 0: no limit.
    """

    per_hour: int = 0
    per_day: int = 0
    cost_per_day: int = 0


class Usage(Struct, frozen=True):
    """What an agent has been given and has reported in a time. ``given``: requests counted while it had limits;
    ``this_hour``: those of the hour ``hour``; ``latency``: milliseconds, summed over the reported requests.
    """

    given: int = 0
    hour: int = 0
    this_hour: int = 0
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    latency: float = 0.0
    cost: int = 0
    reported_at: datetime | None = None

    @property
    def average_latency(self) -> float | None:
        return round(self.latency / self.total, 3) if self.total else None

    @property
    def dollars(self) -> float:
        return self.cost / MICROS


class Report(Struct, frozen=True):
    """What an agent reports in a heartbeat about the time since its last one. ``id``: the same for a repeat."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    latency: float = 0.0
    cost: int = 0
    id: str = ""


def day_of(now: datetime) -> int:
    """The number of the day in UTC."""
    return (now - _EPOCH) // _DAY


def limit_reached(agent: str, limits: AgentLimits, used: Usage, now: datetime) -> TooMany:
    """The refusal of a request with work for an agent that has reached a limit."""
    tomorrow, hour = _EPOCH + (day_of(now) + 1) * _DAY, _EPOCH + ((now - _EPOCH) // _HOUR + 1) * _HOUR
    again = tomorrow
    if limits.cost_per_day and used.cost >= limits.cost_per_day:
        most = limits.cost_per_day / MICROS
        reached = f"has reported a cost of {used.dollars:.2f} USD today; its limit is {most:.2f} USD"
    elif limits.per_day and used.given >= limits.per_day:
        reached = f"has been given {_requests(used.given)} today; its limit is {limits.per_day}"
    else:
        reached = f"has been given {_requests(used.this_hour)} this hour; its limit is {limits.per_hour}"
        again = hour
    left = max(1, min(_AGAIN, round((again - now).total_seconds())))
    return TooMany(
        "agent_limit_reached",
        f"{agent} {reached}. It is given work again from {again:%Y-%m-%d %H:%M} UTC.",
        retry_after=left,
        hint=f"An owner or an admin can change its limits: signoff agents set-limits {agent}",
    )


def _requests(number: int) -> str:
    return "1 request" if number == 1 else f"{number} requests"
