"""LangGraph: a library in the user's process; a graph's state is saved in PostgreSQL after each step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from bench.peers.job import Asked, Up, approved, main, postgres_syncs, versions

_POOL: Final = 16
_DURABILITY: Final = "sync"  # "async" starts a step before the one before it is on disk
_TUNED: Final = f"async graph on uvloop, AsyncPostgresSaver with a pool of {_POOL}, prepared statements"


class State(TypedDict, total=False):
    payload: dict[str, Any]
    result: dict[str, Any]
    outcome: str
    applied: bool


def graph(result: dict[str, Any], saver: AsyncPostgresSaver) -> Any:
    async def validate(state: State) -> State:
        return {"result": result}

    async def approve(state: State) -> State:
        return {"outcome": interrupt({"approve?": state["result"]})}

    async def apply(state: State) -> State:
        return {"applied": True}

    made = StateGraph(State)
    made.add_node("validate", validate)
    made.add_node("approve", approve)
    made.add_node("apply", apply)
    made.add_edge(START, "validate")
    made.add_edge("validate", "approve")
    made.add_edge("approve", "apply")
    made.add_edge("apply", END)
    return made.compile(checkpointer=saver)


@asynccontextmanager
async def peer(asked: Asked) -> AsyncIterator[Up]:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool[AsyncConnection[dict[str, Any]]](
        asked.database, min_size=_POOL, max_size=_POOL, kwargs=settings, timeout=60
    ) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        made = graph(asked.result, saver)

        async def flow(name: str) -> None:
            thread = {"configurable": {"thread_id": name}}
            waits = await made.ainvoke({"payload": asked.payload}, thread, durability=_DURABILITY)
            if "__interrupt__" not in waits:
                raise RuntimeError(f"a flow did not wait for its decision: {waits!r}")
            ended = await made.ainvoke(Command(resume="approved"), thread, durability=_DURABILITY)
            said = {**ended["result"], "outcome": ended["outcome"], "applied": ended["applied"]}
            approved(said, asked.result)

        yield Up(
            flow=flow,
            versions=versions("langgraph", "langgraph-checkpoint-postgres", "psycopg", "uvloop"),
            durability=f'durability="{_DURABILITY}", {await asyncio.to_thread(postgres_syncs, asked.database)}',
            tuned=_TUNED,
        )


if __name__ == "__main__":
    main(peer)
