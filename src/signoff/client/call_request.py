"""Turns a call into a request to people: its arguments as the payload, its idempotency key, and what an edit may
change.

Shared by everything that gates calls (gate.py, the integrations, the MCP gateway). Nothing here does I/O.

The key is derived only from the call: its name, all its arguments in canonical JSON, and the caller's own ``key``.
So a program that crashed and makes the same call again finds its earlier request, and a call with other arguments
never does. Hidden arguments are replaced by a keyed hash: people see that they exist, the payload commits to their
values, and nobody without the secret can guess them.
"""

import copy
import functools
import hashlib
import hmac
import inspect
import json
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from signoff.client.errors import InvalidEdit
from signoff.client.records import Json
from signoff.client.results import fault_in

_MARK: Final = "(hidden) "
_METHOD: Final = ("self", "cls")
_PLACE: Final = getattr(
    functools, "Placeholder", object()
)  # for an argument that a partial leaves to its caller


class CannotBeSent(TypeError):
    """The arguments of a call cannot be sent for approval; the message names the first such argument."""


@dataclass(frozen=True)
class CallRequest:
    """One call that people are asked about.

    name: the name of the function or tool; arguments: by name, as the caller passed them; asked: their values at
    that time, which the caller can no longer change; payload: what is sent, with hidden arguments replaced;
    identity: a hash of name, all arguments and the caller's key.
    """

    name: str
    arguments: Mapping[str, Any] = field(repr=False)
    asked: Mapping[str, Any] = field(repr=False)
    payload: Json = field(repr=False)
    identity: str

    def key(self, asked_before: int = 0) -> str:
        """The idempotency key. asked_before: how many requests for the same call have already been used."""
        return f"call-{self.identity}" + (f"-{asked_before}" if asked_before else "")

    def approved(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for the call, from the approved payload. The caller's own objects are used unless people, or
        the program since it asked, have changed them. Raises InvalidEdit if an argument was removed or added, or a
        hidden one was changed.
        """
        if payload.keys() != self.payload.keys():
            odd = sorted(payload.keys() ^ self.payload.keys())
            raise InvalidEdit(f"The edit of {self.name} adds or removes arguments: {', '.join(odd)}.")
        return {name: self._approved(name, payload[name]) for name in self.payload}

    def edited(self, payload: Mapping[str, Any]) -> bool:
        """Whether people changed anything."""
        return not same_json(payload, self.payload)

    def _approved(self, name: str, value: Any) -> Any:
        if same_json(value, self.payload[name]):
            own, asked = self.arguments[name], self.asked[name]
            return own if not fault_in(own) and same_json(own, asked) else asked
        if _is_hidden(self.payload[name]):
            raise InvalidEdit(f"The argument {name} of {self.name} is hidden and cannot be edited.")
        return value


def call_request(
    name: str,
    arguments: Mapping[str, Any],
    *,
    key: str = "",
    hide: Collection[str] = (),
    secret: str = "",
) -> CallRequest:
    """The request of a call. key: distinguishes it from another call with the same arguments; secret: for the hash
    of hidden arguments, the API key of the calling program.

    Raises CannotBeSent for the first argument that JSON cannot express, and TypeError for a name in ``hide`` that is
    not an argument.
    """
    for argument, value in arguments.items():
        if _is_hidden(value):
            raise CannotBeSent(
                f"{name}(): the argument {argument} looks like a hidden one: {_MARK!r} is reserved"
            )
        if fault := fault_in({argument: None}, "arguments") or fault_in(value, f"the argument {argument}"):
            raise CannotBeSent(f"{name}() cannot be sent for approval: {fault}")
    if unknown := sorted(set(hide) - arguments.keys()):
        raise TypeError(f"{name}() has no argument to hide named {', '.join(unknown)}")
    asked = copy.deepcopy(dict(arguments))
    shown = {
        argument: _hidden(name, argument, value, secret) if argument in hide else value
        for argument, value in asked.items()
    }
    identity = hashlib.sha256(canonical_json([name, key, shown]).encode()).hexdigest()
    return CallRequest(name, dict(arguments), asked, shown, identity)


class CallSignature:
    """A function's parameters: binds calls, and checks edited arguments.

    omit: parameters that are not sent and not bound to the decision (a connection, a context); a method's ``self``
    is always omitted. The arguments that a ``functools.partial`` contains are arguments of the call.
    """

    def __init__(self, function: Callable[..., Any], omit: Collection[str] = ()) -> None:
        self._held: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
        if isinstance(function, functools.partial):
            self._held = (function.args, function.keywords)
            function = function.func
        self.function = function
        qualified = getattr(function, "__qualname__", type(function).__name__)
        self.name = qualified.rsplit("<locals>.", 1)[-1]
        self.full_name = f"{getattr(function, '__module__', '')}.{qualified}"
        self._signature = inspect.signature(function)
        parameters = [*self._signature.parameters]
        if unknown := sorted(set(omit) - set(parameters)):
            raise TypeError(f"{self.name}() has no parameter to omit named {', '.join(unknown)}")
        method = "." in self.name
        self._omitted = {*omit, *(name for name in parameters[:1] if method and name in _METHOD)}
        self._types: Mapping[str, Any] | None = None

    @property
    def sent(self) -> set[str]:
        """The names of the parameters that are sent."""
        return {*self._signature.parameters} - self._omitted

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The call's arguments with defaults; raises TypeError like the function itself."""
        held, named = self._held
        more = iter(args)
        first = [next(more, _PLACE) if value is _PLACE else value for value in held]
        if any(value is _PLACE for value in first):
            raise TypeError(f"{self.name}() is missing arguments that its partial does not bind")
        bound = self._signature.bind(*first, *more, **{**named, **kwargs})
        bound.apply_defaults()
        return bound

    def arguments(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        """The arguments that are sent, by name."""
        return {name: value for name, value in bound.arguments.items() if name not in self._omitted}

    def apply(self, bound: inspect.BoundArguments, approved: Mapping[str, Any]) -> inspect.BoundArguments:
        """The call with the approved arguments; an edited one must fit its annotation.

        Raises InvalidEdit.
        """
        for name, value in approved.items():
            if value is not bound.arguments[name]:
                bound.arguments[name] = self._fitting(name, value)
        return bound

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise InvalidEdit for an argument that does not fit its annotation."""
        for name, value in arguments.items():
            if name in self._signature.parameters:
                self._fitting(name, value)

    def _fitting(self, name: str, value: Any) -> Any:
        """An edited value, converted to the parameter's annotation."""
        kind = self._signature.parameters[name].kind
        hint = self._hints().get(name, Any)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            hint = tuple.__class_getitem__((hint, ...))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            hint = dict.__class_getitem__((str, hint))
        return fitting(value, hint, f"{self.name}: the argument {name}")

    def _hints(self) -> Mapping[str, Any]:
        if self._types is None:
            try:
                self._types = typing.get_type_hints(self.function)
            except Exception:  # names that exist only for type checkers
                self._types = {}
        return self._types


def fitting(value: Any, hint: Any, what: str) -> Any:
    """JSON converted to a type; raises InvalidEdit if it does not fit. A type that has no JSON form accepts
    everything.
    """
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise InvalidEdit(f"The edit does not fit {what}: {error}") from None
    except TypeError:  # not a type that msgspec can read
        return value


def canonical_json(value: Any) -> str:
    """Equal JSON gives the same text: sorted names, no spaces, whole numbers as integers."""
    return json.dumps(
        _plain(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def same_json(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON (True does not equal 1, but 1.0 does)."""
    return canonical_json(left) == canonical_json(right)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _hidden(name: str, argument: str, value: Any, secret: str) -> str:
    text = canonical_json([name, argument, value])
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{_MARK}{mac[:32]}"


def _is_hidden(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(_MARK)
