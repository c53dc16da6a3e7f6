"""Says whether workers ask for an agent's work, because a step without a worker looks like any other
waiting step.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from signoff.core.text.durations import format_duration
from signoff.core.text.times import relative_time

PRESENT: Final = timedelta(minutes=3)  # a worker polls every half minute, and that is written once a minute


class Worker(msgspec.Struct, frozen=True):
    """When work was last requested for this agent, and by which program (its User-Agent)."""

    agent: str
    seen_at: datetime
    client: str = ""


def last_seen_text(seen_at: datetime | None, now: datetime) -> str:
    """When a worker last asked for an agent's work: ``never``, ``now``, ``3d ago``."""
    if seen_at is None:
        return "never"
    ago = now - seen_at
    return "now" if ago < PRESENT else f"{format_duration(_rounded(ago))} ago"


def missing_worker_text(agent: str, worker: Worker | None, now: datetime) -> str:
    """A sentence about an agent without an active worker; "" if it has one."""
    if worker is None:
        return f"No worker has ever asked for the work of {agent}."
    if now - worker.seen_at < PRESENT:
        return ""
    return (
        f"No worker has asked for the work of {agent} for {format_duration(_rounded(now - worker.seen_at))}."
    )


def killed_text(agent: str, killed_at: datetime, by: str, now: datetime) -> str:
    """A sentence about a killed agent. ``by``: the name of the person who killed it."""
    return f"{agent} was killed by {by}, {relative_time(killed_at, now, units=1)}. Its work waits until it is resumed."


def _rounded(ago: timedelta) -> timedelta:
    """The duration rounded to its largest unit: days, hours or minutes."""
    unit = next(
        (unit for unit in (timedelta(days=1), timedelta(hours=1)) if ago >= unit), timedelta(minutes=1)
    )
    return (ago // unit) * unit
