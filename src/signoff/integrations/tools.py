"""Shared by all adapters: which workflow applies to a tool, and what people have decided about one of its calls.

People are asked about each call once; the framework's id identifies it. Only an approval lets a tool run, with the
approved arguments; for everything else the adapter gives the model a reason.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.client.aio import AsyncClient
from signoff.client.call_request import CannotBeSent
from signoff.client.errors import InvalidEdit, WaitTimeout
from signoff.client.gate import Gate
from signoff.client.gated_call import Again, Decision, GatedCall
from signoff.client.records import Json
from signoff.client.sync import Client

# Errors of a call that cannot be sent for approval, or not run as approved: it does not run, and the model gets the
# reason.
UNFIT: Final = (CannotBeSent, InvalidEdit)
IntentTypes = str | Mapping[str, str] | None
Asked = tuple[Gate, GatedCall]
Check = Callable[[Json], None]


@dataclass(frozen=True)
class Verdict:
    """What people decided about a call. arguments: the ones to use; edited: whether people changed them; reason: why
    it must not run, or the approver's comment.
    """

    approved: bool
    arguments: Json = field(default_factory=dict, repr=False)
    edited: bool = False
    reason: str = ""


def no_check(arguments: Json) -> None:
    """Accept all arguments, for frameworks that check edited arguments themselves."""


class ToolGate:
    """The gate of an agent's tools.

    intent_types: choose the workflow: one intent type for all tools, or one for each tool's name (by default
    ``intent.gate.TOOL.v1``); title: the task's title if there is no workflow; hide: arguments that people do not see;
    timeout: seconds to wait in the run before WaitTimeout is raised; again, on_behalf_of, client: as for ``gate``.
    """

    def __init__(
        self,
        intent_types: IntentTypes = None,
        *,
        title: str = "Run {name}?",
        hide: Collection[str] = (),
        timeout: float | None = None,
        again: Again = "ask",
        on_behalf_of: str = "",
        client: Client | AsyncClient | None = None,
    ) -> None:
        self._intent_types = intent_types
        self._options: dict[str, Any] = {
            "title": title, "hide": hide, "timeout": timeout, "again": again, "on_behalf_of": on_behalf_of,
            "client": client,
        }  # fmt: skip
        self._gates: dict[str | None, Gate] = {}
        self.of("")  # so that wrong options are refused here, not at the first call

    def of(self, tool: str) -> Gate:
        """The gate of this tool."""
        types = self._intent_types
        intent_type = types if types is None or isinstance(types, str) else types.get(tool)
        if intent_type not in self._gates:
            self._gates[intent_type] = Gate(intent_type, **self._options)
        return self._gates[intent_type]

    def decide(self, tool: str, arguments: Json, call_id: str, check: Check = no_check) -> Verdict:
        """Ask people about one call and wait. call_id: the framework's id of the call; check: raises ValueError for
        edited arguments that do not fit the tool.
        """
        try:
            return verdict_of(self.of(tool).decide(tool, arguments, call_id), check)
        except UNFIT as error:
            return Verdict(False, reason=str(error))

    async def decide_async(
        self, tool: str, arguments: Json, call_id: str, check: Check = no_check
    ) -> Verdict:
        """Like ``decide``, for asyncio."""
        try:
            return verdict_of(await self.of(tool).decide_async(tool, arguments, call_id), check)
        except UNFIT as error:
            return Verdict(False, reason=str(error))

    async def decide_all(self, calls: Iterable[tuple[str, Json, str]]) -> list[Verdict]:
        """Ask people about the calls of a turn concurrently and wait for all. calls: tool, arguments and the
        framework's id of each.
        """
        sent: list[Asked | CannotBeSent] = []
        for tool, arguments, call_id in calls:
            gate = self.of(tool)
            try:
                sent.append((gate, gate.request(tool, arguments, call_id)))
            except CannotBeSent as error:
                sent.append(error)
        found = iter(await decide_together([one for one in sent if isinstance(one, tuple)]))
        return [_verdict(next(found) if isinstance(one, tuple) else one) for one in sent]


async def decide_together(asked: Sequence[Asked]) -> list[Decision | InvalidEdit]:
    """Wait for the outcomes of all these calls, and only then use them: if one wait fails or takes too long, the
    approvals of the others stay good for the next attempt.
    """
    decided: dict[int, Decision | InvalidEdit] = {}
    while left := [place for place in range(len(asked)) if place not in decided]:
        await _all_of([_settled(*asked[place]) for place in left])
        polled = await asyncio.gather(*(_polled(*asked[place]) for place in left))
        decided |= {place: one for place, one in zip(left, polled, strict=True) if one is not None}
    return [decided[place] for place in range(len(asked))]


def decide_together_blocking(asked: Sequence[Asked]) -> list[Decision | InvalidEdit]:
    """Like ``decide_together``, without asyncio."""
    for gate, call in asked:  # so that people see all of them together
        with contextlib.suppress(WaitTimeout):
            gate.blocking_client.session.run(call.settled(0, gate.blocking_client.retries))
    decided: dict[int, Decision | InvalidEdit] = {}
    while left := [place for place in range(len(asked)) if place not in decided]:
        for gate, call in (asked[place] for place in left):
            gate.blocking_client.session.run(call.settled(gate.timeout, gate.blocking_client.retries))
        for place in left:
            gate, call = asked[place]
            try:
                found = gate.blocking_client.session.run(call.poll(gate.blocking_client.retries))
            except InvalidEdit as error:
                decided[place] = error
            else:
                if found is not None:  # None if it was used before, so that people are asked again
                    decided[place] = found
    return [decided[place] for place in range(len(asked))]


async def _settled(gate: Gate, call: GatedCall) -> None:
    client = gate.async_client
    await client.session.run(call.settled(gate.timeout, client.retries))


async def _polled(gate: Gate, call: GatedCall) -> Decision | InvalidEdit | None:
    """None if it was used before, so that people are asked again."""
    client = gate.async_client
    try:
        return await client.session.run(call.poll(client.retries))
    except InvalidEdit as error:
        return error


async def _all_of(waits: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; if one fails, stop waiting for the others."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _verdict(decided: Decision | CannotBeSent | InvalidEdit) -> Verdict:
    return verdict_of(decided) if isinstance(decided, Decision) else Verdict(False, reason=str(decided))


def verdict_of(decision: Decision, check: Check = no_check) -> Verdict:
    """The verdict of a decision; raises InvalidEdit for edited arguments that do not fit."""
    if not decision.approved:
        return Verdict(False, reason=decision.reason)
    if decision.edited:
        try:
            check(decision.arguments)
        except ValueError as error:
            raise InvalidEdit(f"The approved arguments do not fit the tool: {error}") from None
    return Verdict(True, decision.arguments, decision.edited, decision.reason)


_LONGEST_CHAIN = 20  # references followed in a row
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list, tuple),
    "object": (dict,), "null": (type(None),),
}  # fmt: skip


def misfit(value: Any, schema: Any, where: str, root: Any = None) -> str:
    """Where JSON does not match a JSON schema, considering types, enums and members; "" if it matches. Of several
    alternatives, one has to match; the tool itself checks other keywords.
    """
    root = schema if root is None else root
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(schema, Mapping) or not isinstance(reference := schema.get("$ref"), str):
            break
        schema = root.get("$defs", {}).get(reference.rsplit("/", 1)[-1])
    if not isinstance(schema, Mapping):
        return ""
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if options and all(misfit(value, option, where, root) for option in options):
            return f"{where} does not fit any of its types"
    if "const" in schema and value != schema["const"]:
        return f"{where} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {schema['enum']}"
    if wanted := schema.get("type"):
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(_is(value, name) for name in names):
            return f"{where} is not {' or '.join(names)}"
    return _misfit_within(value, schema, where, root)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if isinstance(value, float) and name == "integer":
        return value.is_integer()
    return isinstance(value, _KINDS.get(name, (object,)))


def _misfit_within(value: Any, schema: Mapping[str, Any], where: str, root: Any) -> str:
    faults: list[str] = []
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        faults = [misfit(item, known.get(name), f"{where}.{name}", root) for name, item in value.items()]
        faults += [f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    elif isinstance(value, list | tuple):
        faults = [
            misfit(item, schema.get("items"), f"{where}[{place}]", root) for place, item in enumerate(value)
        ]
    return next((fault for fault in faults if fault), "")
