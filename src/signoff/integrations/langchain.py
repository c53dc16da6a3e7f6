"""LangChain and LangGraph: a middleware that asks people about each tool call, and answers to human-in-the-loop
interrupts.

``SignoffMiddleware`` waits inside the run. ``Approvals`` is for programs that pause with LangChain's own
``HumanInTheLoopMiddleware``: the graph's state stays in its checkpointer, no process waits, and ``Approvals.answers``
returns the value to resume it with.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import ToolMessage
from pydantic import BaseModel, TypeAdapter

from signoff.client.call_request import CannotBeSent
from signoff.client.errors import IntentFailed, InvalidEdit
from signoff.client.gate import Gate
from signoff.client.gated_call import Decision, failure_of
from signoff.client.records import Json
from signoff.client.types import Result
from signoff.integrations.tools import (
    Asked,
    Check,
    ToolGate,
    decide_together,
    decide_together_blocking,
    misfit,
    no_check,
)

Handler = Callable[[Any], Any]


class SignoffMiddleware(AgentMiddleware):
    """Asks people about the calls of these tools, with one request per call, and waits for their decision.

    tools: names, or names with their intent types; None for all tools. Approved calls run with the approved
    arguments; for all others the model gets the reason as the tool's answer. options: as for ToolGate.
    """

    def __init__(self, tools: Mapping[str, str] | Collection[str] | None = None, **options: Any) -> None:
        super().__init__()
        if isinstance(tools, str):
            raise TypeError(f"tools must be a list of names, not a string: tools=[{tools!r}]")
        self._tools = None if tools is None else frozenset(tools)
        self._gate = ToolGate(tools if isinstance(tools, Mapping) else None, **options)

    def wrap_tool_call(self, request: Any, handler: Handler) -> Any:
        call = request.tool_call
        if not self._gated(call["name"]):
            return handler(request)
        verdict = self._gate.decide(call["name"], call["args"], _key(request), _check_of(request.tool))
        if not verdict.approved:
            return _refused_call(call, verdict.reason)
        return handler(request.override(tool_call={**call, "args": verdict.arguments}))

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        call = request.tool_call
        if not self._gated(call["name"]):
            return await handler(request)
        check = _check_of(request.tool)
        verdict = await self._gate.decide_async(call["name"], call["args"], _key(request), check)
        if not verdict.approved:
            return _refused_call(call, verdict.reason)
        return await handler(request.override(tool_call={**call, "args": verdict.arguments}))

    def _gated(self, tool: str) -> bool:
        return self._tools is None or tool in self._tools


class Approvals:
    """Lets people decide the interrupts of ``HumanInTheLoopMiddleware``, in both its modes.

    Approve, edit and reject come from the task's answer. A tool that only allows ``respond`` is a question to people:
    their comment is the tool's answer. options: as for ToolGate.
    """

    def __init__(self, intent_types: str | Mapping[str, str] | None = None, **options: Any) -> None:
        self._gate = ToolGate(intent_types, **options)

    def answers(self, interrupts: Iterable[Any], config: Mapping[str, Any]) -> dict[str, Any]:
        """Wait for people and return what to resume with: ``Command(resume=answers)``. Each interrupt is asked about
        once, even after a restart: it is identified by the graph's thread and its id. config: the graph's config,
        with its thread_id.
        """
        waiting, asked = self._prepared(interrupts, config)
        return _responses(waiting, asked, decide_together_blocking(_sent(asked)))

    async def aanswers(self, interrupts: Iterable[Any], config: Mapping[str, Any]) -> dict[str, Any]:
        """Like ``answers``, for asyncio."""
        waiting, asked = self._prepared(interrupts, config)
        return _responses(waiting, asked, await decide_together(_sent(asked)))

    def _prepared(
        self, interrupts: Iterable[Any], config: Mapping[str, Any]
    ) -> tuple[list[tuple[Any, list["_Action"]]], list[Asked | CannotBeSent]]:
        waiting = _waiting(interrupts, config)
        return waiting, [self._request(action) for _, actions in waiting for action in actions]

    def _request(self, action: "_Action") -> Asked | CannotBeSent:
        """The call, or the reason why people cannot be asked about it, so that the other calls of the turn are not
        affected.
        """
        gate = self._asked(action)
        try:
            return gate, gate.request(action.name, action.args, action.key)
        except CannotBeSent as error:
            return error

    def _asked(self, action: "_Action") -> Gate:
        gate = self._gate.of(action.name)
        return gate.asking(action.question) if action.question else gate


class _Action:
    """One tool call that waits for a decision. schema: the schema of its answers, if LangGraph checks them."""

    def __init__(self, name: str, args: Json, allowed: frozenset[str], key: str, schema: Any = None) -> None:
        self.name = name
        self.args = args
        self.allowed = allowed
        self.key = key
        self._schema = schema
        asks = "respond" in allowed and not allowed & {"approve", "edit"}
        self.question = str(args.get("question") or args.get("query") or f"Answer for {name}") if asks else ""

    def answer(self, decision: Decision) -> Json:
        """The decision in LangChain's form."""
        if not decision.approved:
            return self.declined(decision.reason, decision.result)
        if self.question:
            return {"type": "respond", "message": decision.result.comment}
        if not decision.edited and "approve" in self.allowed:
            return {"type": "approve"}
        if decision.edited and "edit" in self.allowed:
            edit = {"type": "edit", "edited_action": {"name": self.name, "args": decision.arguments}}
            if fault := misfit(edit, self._schema, "the edit"):
                raise InvalidEdit(f"The approved arguments do not fit the tool: {fault}.")
            return edit
        return self.declined("It was approved in a way that this tool does not allow.", decision.result)

    def declined(self, reason: str, result: Result | None) -> Json:
        """A rejection. If LangChain does not allow one, raises the exception of the ending, and the graph stays
        interrupted.
        """
        if "reject" in self.allowed:
            return {"type": "reject", "message": reason}
        if result is None:
            raise InvalidEdit(reason)
        raise (failure_of(result) or IntentFailed)(reason, result)


def _sent(asked: Iterable[Asked | CannotBeSent]) -> list[Asked]:
    return [one for one in asked if isinstance(one, tuple)]


def _responses(
    waiting: list[tuple[Any, list[_Action]]],
    asked: Iterable[Asked | CannotBeSent],
    decided: Iterable[Decision | InvalidEdit],
) -> dict[str, Any]:
    """What to resume with, by interrupt."""
    found = iter(decided)
    each = iter([next(found) if isinstance(one, tuple) else one for one in asked])
    return {
        one.id: _response(one, [_answer(action, next(each)) for action in actions])
        for one, actions in waiting
    }


def _answer(action: _Action, decided: Decision | CannotBeSent | InvalidEdit) -> Json:
    if not isinstance(decided, Decision):
        return action.declined(str(decided), None)
    try:
        return action.answer(decided)
    except InvalidEdit as error:
        return action.declined(str(error), None)


def _waiting(interrupts: Iterable[Any], config: Mapping[str, Any]) -> list[tuple[Any, list[_Action]]]:
    thread = _thread(config)
    return [(interrupt, _actions(interrupt, thread)) for interrupt in interrupts]


def _actions(interrupt: Any, thread: str) -> list[_Action]:
    value, key = interrupt.value, f"{thread}/{interrupt.id}"
    if isinstance(value, Mapping) and value.get("type") == "tool_approval":
        schema = _json_schema(interrupt.response_schema)
        key = f"{thread}/{value['tool_call_id']}"  # as in the middleware
        return [_Action(value["name"], dict(value["args"]), _allowed(schema), key, schema)]
    if isinstance(value, Mapping) and "action_requests" in value:
        reviews = {one["action_name"]: frozenset(one["allowed_decisions"]) for one in value["review_configs"]}
        return [
            _Action(one["name"], dict(one["args"]), reviews[one["name"]], f"{key}/{place}")
            for place, one in enumerate(value["action_requests"])
        ]
    raise TypeError("this interrupt is not from HumanInTheLoopMiddleware: it names no tool call")


def _response(interrupt: Any, decided: list[Json]) -> Any:
    batched = "action_requests" in interrupt.value
    return {"decisions": decided} if batched else decided[0]


def _json_schema(schema: Any) -> Json:
    """An interrupt's response schema, which is a type in the interrupted process and JSON in any other."""
    return schema if isinstance(schema, dict) else TypeAdapter(schema).json_schema()


def _allowed(schema: Json) -> frozenset[str]:
    """The decisions that an interrupt's response schema names."""
    shapes = [*schema.get("$defs", {}).values(), *schema.get("oneOf", ()), schema]
    kinds = (shape.get("properties", {}).get("type", {}).get("const") for shape in shapes)
    return frozenset(kind for kind in kinds if kind)


def _thread(config: Mapping[str, Any]) -> str:
    thread = config.get("configurable", {}).get("thread_id")
    if not thread:
        raise TypeError("the config has no thread_id: {'configurable': {'thread_id': ...}}")
    return str(thread)


def _key(request: Any) -> str:
    config = getattr(request.runtime, "config", None) or {}
    return f"{config.get('configurable', {}).get('thread_id', '')}/{request.tool_call['id']}"


def _check_of(tool: Any) -> Check:
    """Checks edited arguments against the tool's schema, if it is a model."""
    schema: Any = getattr(tool, "tool_call_schema", None)
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return no_check
    model: Any = schema

    def check(arguments: Json) -> None:
        model.model_validate(arguments)

    return check


def _refused_call(call: Any, reason: str) -> ToolMessage:
    return ToolMessage(
        content=f"The call was not run. {reason}", name=call["name"], tool_call_id=call["id"], status="error"
    )
