"""What every adapter's harness provides: an agent of the real framework, with a scripted model and tools that record
their arguments.
"""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CARD = "4929-1234"
REFUND = "intent.payments.refund.v1"
CLOSE = "intent.shops.close.v1"
TYPES = {"refund": REFUND, "close_shop": CLOSE}


@dataclass(frozen=True)
class Call:
    """A tool call by the model, with the framework's id of the call."""

    tool: str
    arguments: dict[str, Any]
    id: str


@dataclass
class Outcome:
    """ran: the arguments of the tools' calls, in order; told: what the model got for each call, by its id."""

    ran: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)


class Tools:
    """The functions behind the tools. ``refund`` and ``close_shop`` are gated, ``look_up`` is not."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, dict[str, Any]]] = []
        self.fails = False

    def refund(self, order: str, amount: int, lines: list[str] | None = None, card: str = "") -> str:
        """Pay the money of an order back."""
        given: dict[str, Any] = {"order": order, "amount": amount}
        self.ran.append(
            ("refund", given | ({"lines": lines} if lines else {}) | ({"card": card} if card else {}))
        )
        if self.fails:
            raise RuntimeError("the bank is closed")
        return f"paid {amount}"

    def close_shop(self) -> str:
        """Close the shop."""
        self.ran.append(("close_shop", {}))
        return "closed"

    def look_up(self, order: str) -> str:
        """Look an order up."""
        self.ran.append(("look_up", {"order": order}))
        return "found"


class Script:
    """The model: it makes the calls of each turn in order, and obeys a tool's response that asks for another call."""

    def __init__(self, *turns: Sequence[Call]) -> None:
        self.turns = turns

    def next(self, answered: dict[str, str]) -> list[Call]:
        """The calls of the next turn, given the responses so far; none at the end."""
        for turn in self.turns:
            again = [_again(call, answered[call.id]) for call in turn if call.id in answered]
            redone = [call for call in again if call is not None]
            if waiting := [call for call in [*turn, *redone] if call.id not in answered]:
                return waiting
        return []


def _again(call: Call, answer: str) -> Call | None:
    found = re.search(r"with exactly these: (\{.*\})", answer)
    return Call(call.tool, json.loads(found[1]), f"{call.id}-again") if found else None


class Harness(ABC):
    """One adapter. options: those of the adapter's gate."""

    title = ""
    lacks: Sequence[str] = ()  # cases that the framework decides by itself

    def __init__(self) -> None:
        self.tools = Tools()

    @abstractmethod
    async def run(self, script: Script, thread: str, **options: Any) -> Outcome:
        """Run a new agent to its end while people decide."""

    async def begin(self, script: Script, thread: str, server: Any, **options: Any) -> Any:
        """Run until people are asked, then stop as if the process had been killed; returns what survives."""
        before = len(server.asked)
        running = asyncio.ensure_future(self.run(script, thread, **options))
        await until(lambda: len(server.asked) > before, running)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return None

    async def go_on(self, saved: Any, script: Script, thread: str, **options: Any) -> Outcome:
        """Continue with a new agent and new clients."""
        return await self.run(script, thread, **options)

    def outcome(self, told: dict[str, str]) -> Outcome:
        return Outcome(list(self.tools.ran), told)


async def until(condition: Any, running: "asyncio.Future[Any] | None" = None) -> None:
    """Return once it is true; raises the running agent's exception."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            if running is not None and running.done():
                running.result()
                raise AssertionError("the agent ended before it held")
            await asyncio.sleep(0.01)
