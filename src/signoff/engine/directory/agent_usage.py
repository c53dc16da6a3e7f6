"""Counts the work that agents with limits are given, and keeps what agents report of themselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from signoff.core.directory.agent_limits import Report, Usage, day_of, limit_reached
from signoff.core.directory.model import Account
from signoff.core.plan.plan import AgentStep, Plan
from signoff.engine.clock import Clock
from signoff.engine.directory.snapshot import Snapshot
from signoff.store.store import Store

DAYS: Final = {"day": 1, "week": 7, "month": 31}


class Counted:
    """The agents that a request was counted for, and when."""

    __slots__ = ("agents", "at")

    def __init__(self, agents: Sequence[Account], at: datetime) -> None:
        self.agents = agents
        self.at = at


class AgentUsage:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._table = store.usage
        self._clock = clock

    async def count(self, agents: Sequence[Account]) -> Counted:
        """Count a new request for each of these agents; raises TooMany, and counts nothing, if one has reached a
        limit. On every server together, no more are counted than the limits allow.
        """
        now = self._clock.now()
        taken: list[Account] = []
        for agent in agents:
            limits = agent.limits
            if limits is None:
                continue
            if not await self._table.take(agent.workspace, agent.address, limits, day_of(now), now.hour):
                await self.give_back(Counted(taken, now))
                used = (await self._table.of(agent.workspace, day_of(now), 1, agent.address)).get(
                    agent.address
                )
                raise limit_reached(agent.address, limits, used or Usage(), now)
            taken.append(agent)
        return Counted(taken, now)

    async def give_back(self, counted: Counted) -> None:
        """Take back what was counted for a request that was not created."""
        for agent in counted.agents:
            await self._table.give_back(agent.workspace, agent.address, day_of(counted.at), counted.at.hour)

    async def report(self, workspace: str, agent: str, report: Report) -> None:
        now = self._clock.now()
        await self._table.report(workspace, agent, day_of(now), report, now)

    async def of(self, workspace: str, days: int = 1, agent: str = "") -> Mapping[str, Usage]:
        """What was counted and reported in the last days, today included, by agent."""
        return await self._table.of(workspace, day_of(self._clock.now()), days, agent)


def limited_agents(plan: Plan, directory: Snapshot) -> tuple[Account, ...]:
    """The agents with limits that a plan has work for, in a fixed order."""
    found = {
        account.address: account
        for step in plan.steps
        if isinstance(step, AgentStep)
        and (account := directory.by_address.get(step.agent)) is not None
        and account.limits is not None
    }
    return tuple(found[address] for address in sorted(found))
