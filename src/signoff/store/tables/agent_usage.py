"""What each agent has been given and has reported: one row per agent and day."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from signoff.core.directory.agent_limits import AgentLimits, Report, Usage
from signoff.store.database import Database
from signoff.store.rows import Row, maybe_moment, micros

# A server whose hour has just passed counts into the current one.
_TAKE: Final = """
insert into agent_usage (workspace, agent, day, hour, given, this_hour)
values (:workspace, :agent, :day, :hour, 1, 1)
on conflict (workspace, agent, day) do update set
    given = agent_usage.given + 1,
    this_hour = case when agent_usage.hour < excluded.hour then 1 else agent_usage.this_hour + 1 end,
    hour = case when agent_usage.hour < excluded.hour then excluded.hour else agent_usage.hour end
where (cast(:per_day as bigint) = 0 or agent_usage.given < :per_day)
    and (cast(:per_hour as bigint) = 0 or agent_usage.hour < excluded.hour or agent_usage.this_hour < :per_hour)
    and (cast(:cost_per_day as bigint) = 0 or agent_usage.cost < :cost_per_day)
returning given
"""
_GIVE_BACK: Final = """
update agent_usage set given = given - 1, this_hour = case when hour = :hour then this_hour - 1 else this_hour end
where workspace = :workspace and agent = :agent and day = :day
"""
_REPORT: Final = """
insert into agent_usage (workspace, agent, day, total, succeeded, failed, latency, cost, report, reported_at)
values (:workspace, :agent, :day, :total, :succeeded, :failed, :latency, :cost, :report, :reported_at)
on conflict (workspace, agent, day) do update set
    total = agent_usage.total + excluded.total, succeeded = agent_usage.succeeded + excluded.succeeded,
    failed = agent_usage.failed + excluded.failed, latency = agent_usage.latency + excluded.latency,
    cost = agent_usage.cost + excluded.cost, report = excluded.report, reported_at = excluded.reported_at
where excluded.report = '' or agent_usage.report <> excluded.report
"""
_SUMS: Final = """
select agent, sum(given), max(hour), max(case when day = :today then this_hour else 0 end), sum(total), sum(succeeded),
    sum(failed), sum(latency), sum(cost), max(reported_at)
from agent_usage where workspace = :workspace and day > :after and day <= :today {one} group by agent
"""


class AgentUsageTable:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def take(self, workspace: str, agent: str, limits: AgentLimits, day: int, hour: int) -> bool:
        """Count one more request with work for the agent; False if a limit is reached."""
        values = {"workspace": workspace, "agent": agent, "day": day, "hour": hour}
        limited = {
            "per_day": limits.per_day,
            "per_hour": limits.per_hour,
            "cost_per_day": limits.cost_per_day,
        }
        [rows] = await self._db.write((_TAKE, values | limited))
        return bool(rows)

    async def give_back(self, workspace: str, agent: str, day: int, hour: int) -> None:
        """Count one request less, which was not created."""
        await self._db.write((_GIVE_BACK, {"workspace": workspace, "agent": agent, "day": day, "hour": hour}))

    async def report(self, workspace: str, agent: str, day: int, report: Report, now: datetime) -> None:
        """Add a report, unless it is a repeat of the agent's last one."""
        values = {
            "workspace": workspace,
            "agent": agent,
            "day": day,
            "total": report.total,
            "succeeded": report.succeeded,
            "failed": report.failed,
            "latency": report.latency,
            "cost": report.cost,
            "report": report.id,
            "reported_at": micros(now),
        }
        await self._db.write((_REPORT, values))

    async def of(self, workspace: str, today: int, days: int, agent: str = "") -> Mapping[str, Usage]:
        """The sums of the last ``days`` days up to today, by agent."""
        query = _SUMS.format(one="and agent = :agent" if agent else "")
        values = {"workspace": workspace, "today": today, "after": today - days}
        rows = await self._db.read(query, **values, **({"agent": agent} if agent else {}))
        return {str(row[0]): _usage(row) for row in rows}


def _usage(row: Row) -> Usage:
    given, hour, this_hour, total, succeeded, failed = (int(value) for value in row[1:7])
    latency, cost = float(row[7]), int(row[8])
    return Usage(given, hour, this_hour, total, succeeded, failed, latency, cost, maybe_moment(row[9]))
