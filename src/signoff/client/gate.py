"""``gate``: runs a function, or a block of code, only after people have approved exactly this call.

A call becomes a durable request, waits for the decision, and runs with the approved arguments, or raises. The
request is found by the call's content (call_request.py), so a program that crashed resumes waiting after a
restart.
"""

import asyncio
import atexit
import functools
import inspect
import re
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from signoff.client.aio import AsyncClient
from signoff.client.call_request import CallSignature, canonical_json
from signoff.client.credentials import Settings, find_settings
from signoff.client.errors import WaitTimeout
from signoff.client.gated_call import AGAIN, Again, Decision, GatedCall, GateTerms, failure_of
from signoff.client.handlers import refuse_generator
from signoff.client.sync import Client
from signoff.client.types import Intent, Result

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")
_OPEN_CLIENTS: Final[dict[tuple[type, Settings], Client | AsyncClient]] = {}


class PendingCall(Generic[R]):
    """A call that has been submitted and has not run yet. ``intent_id``: the id of its request, which changes if people
    have to be asked again.
    """

    def __init__(self, call: GatedCall, client: Client, run: Callable[[Decision], R]) -> None:
        self._call = call
        self._client = client
        self._function = run
        self._lock = threading.Lock()
        self._ran: Future[R] | None = None

    @property
    def intent_id(self) -> str:
        return self._call.intent_id

    def wait(self, timeout: float | None = None) -> R:
        """Wait for the decision, run the function once, and return or raise what it does. Every call of ``wait`` has
        the same result, even from several threads.

        timeout: seconds to wait for the decision; then raises WaitTimeout, after which you can wait again.
        """
        decision = self._client.session.run(self._call.decide(timeout, self._client.retries))
        with self._lock:
            if self._ran is None:
                self._ran = Future()
                try:
                    self._ran.set_result(self._function(decision))
                except BaseException as error:
                    self._ran.set_exception(error)
        return self._ran.result()

    def cancel(self, reason: str = "canceled") -> Intent:
        """Cancel the request; raises Conflict if it has ended."""
        return self._client.cancel(self.intent_id, reason)


class AsyncPendingCall(Generic[R]):
    """The asyncio form of PendingCall."""

    def __init__(
        self, call: GatedCall, client: AsyncClient, run: Callable[[Decision], Coroutine[Any, Any, R]]
    ) -> None:
        self._call = call
        self._client = client
        self._function = run
        self._ran: asyncio.Task[R] | None = None

    @property
    def intent_id(self) -> str:
        return self._call.intent_id

    async def wait(self, timeout: float | None = None) -> R:
        decision = await self._client.session.run(self._call.decide(timeout, self._client.retries))
        if self._ran is None:
            self._ran = asyncio.ensure_future(self._function(decision))
        return await self._ran

    async def cancel(self, reason: str = "canceled") -> Intent:
        return await self._client.cancel(self.intent_id, reason)


class Approved(Mapping[str, Any]):
    """The approved arguments of a ``with`` block, by name. ``result``: the final intent; ``edited``: whether people
    changed the arguments.
    """

    def __init__(self, decision: Decision) -> None:
        self.result: Result = decision.result
        self.edited = decision.edited
        self._arguments = decision.arguments

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)


class Block:
    """The context manager that is entered once people have approved these arguments."""

    def __init__(self, gate: "Gate", name: str, arguments: dict[str, Any], key: str) -> None:
        self._gate = gate
        self._name = name
        self._arguments = arguments
        self._key = key

    def __enter__(self) -> Approved:
        decision = self._gate.decide(self._name, self._arguments, self._key)
        return Approved(_approved(decision))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def __aenter__(self) -> Approved:
        decision = await self._gate.decide_async(self._name, self._arguments, self._key)
        return Approved(_approved(decision))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Gated(Protocol[P, R]):
    """A gated function. It is called like the original.

    ask: submit the call and return a handle; within: wait for at most this many seconds, then return a handle instead.
    """

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> "Gated[P, R]": ...
    @overload
    def __get__(
        self: "Gated[Concatenate[S, Q], R]", instance: S, owner: type | None = None, /
    ) -> "Gated[Q, R]": ...
    @property
    def ask(self) -> Callable[P, PendingCall[R]]: ...
    @property
    def within(self) -> Callable[Concatenate[float, P], R | PendingCall[R]]: ...


class AsyncGated(Protocol[P, R]):
    """Like Gated, for an async function: everything is awaited."""

    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]: ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> "AsyncGated[P, R]": ...
    @overload
    def __get__(
        self: "AsyncGated[Concatenate[S, Q], R]", instance: S, owner: type | None = None, /
    ) -> "AsyncGated[Q, R]": ...
    @property
    def ask(self) -> Callable[P, Coroutine[Any, Any, AsyncPendingCall[R]]]: ...
    @property
    def within(self) -> Callable[Concatenate[float, P], Coroutine[Any, Any, R | AsyncPendingCall[R]]]: ...


class Gate:
    """How calls are gated; created by ``gate(...)``. It is a decorator for functions, and can gate single calls and
    blocks.
    """

    def __init__(  # noqa: PLR0913
        self,
        intent_type: str | None = None,
        *,
        title: str = "Run {name}?",
        key: str | Callable[..., str] = "",
        hide: Collection[str] = (),
        omit: Collection[str] = (),
        again: Again = "ask",
        timeout: float | None = None,
        on_behalf_of: str = "",
        client: Client | AsyncClient | None = None,
    ) -> None:
        if again not in AGAIN:
            raise ValueError(f"again is one of {', '.join(AGAIN)}, not {again!r}")
        for name, names in (("hide", hide), ("omit", omit)):
            if isinstance(names, str):
                raise TypeError(f"{name} must be a list of names, not a string: {name}=[{names!r}]")
        self._intent_type = intent_type
        self._terms = GateTerms(intent_type or "", title, frozenset(hide), on_behalf_of, again)
        self._key = key
        self._omit = omit
        self._timeout = timeout
        self._client = client
        self._twin: Client | AsyncClient | None = None

    # An async function is a function too, so it is checked first.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> AsyncGated[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Gated[P, R]: ...
    def __call__(self, function: Callable[..., Any]) -> Any:
        """Decorator that gates a function."""
        refuse_generator(function)
        signature = CallSignature(function, self._omit)
        if unknown := sorted(self._terms.hide - signature.sent):
            raise TypeError(f"{signature.name}() has no argument to hide named {', '.join(unknown)}")
        kind = _AsyncFunction if inspect.iscoroutinefunction(function) else _BlockingFunction
        gated = kind(self, signature)

        if isinstance(gated, _AsyncFunction):

            @functools.wraps(function)
            async def wrapped(*args: Any, **kwargs: Any) -> Any:
                return await gated.call(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                return gated.call(*args, **kwargs)

        made: Any = wrapped
        made.ask, made.within = gated.ask, gated.within
        return made

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Gate one call of a function; returns an awaitable for an async function."""
        gated: Callable[P, R] = cast(Any, self)(function)
        return gated(*args, **kwargs)

    def approved(self, /, **arguments: Any) -> Block:
        """For ``with`` and ``async with``: the block is entered once people have approved these arguments."""
        if self._intent_type is None:
            raise TypeError('a block has no name: gate("intent.area.name.v1").approved(...)')
        if self._omit:
            raise TypeError("omit has no effect on a block: just do not pass what should not be sent")
        if unknown := sorted(self._terms.hide - arguments.keys()):
            raise TypeError(f"the block has no argument to hide named {', '.join(unknown)}")
        return Block(self, self._intent_type, arguments, self._key_of("the block", (), arguments))

    def asking(self, question: str) -> "Gate":
        """A gate like this one that asks people a question; their comment is the answer."""
        asks = copy(self)
        asks._terms = replace(self._terms, title=question, task_type="clarification")
        return asks

    def request(self, name: str, arguments: Mapping[str, Any], key: str = "", **more: str) -> GatedCall:
        """Prepare the call of a tool by its name, for adapters; nothing is sent yet. more: as for
        ``GateTerms.call``.
        """
        return self._request(name, arguments, key, **more)

    def decide(
        self, name: str, arguments: Mapping[str, Any], key: str = "", timeout: float | None = None
    ) -> Decision:
        """Ask people about the call of a tool and wait; returns any Decision."""
        client = self.blocking_client
        call = self.request(name, arguments, key)
        return client.session.run(call.decide(self._timeout if timeout is None else timeout, client.retries))

    async def decide_async(
        self, name: str, arguments: Mapping[str, Any], key: str = "", timeout: float | None = None
    ) -> Decision:
        """Like ``decide``, for asyncio."""
        client = self.async_client
        call = self.request(name, arguments, key)
        return await client.session.run(
            call.decide(self._timeout if timeout is None else timeout, client.retries)
        )

    @property
    def settings(self) -> Settings:
        """The server and key to use, looked up for each call unless a client was given."""
        return find_settings() if self._client is None else self._client.settings

    @property
    def blocking_client(self) -> Client:
        return cast(Client, self._client_as(Client))

    @property
    def async_client(self) -> AsyncClient:
        return cast(AsyncClient, self._client_as(AsyncClient))

    def _client_as(self, kind: type[Client] | type[AsyncClient]) -> Client | AsyncClient:
        """The given client, one of the other kind with the same settings, or a client for the settings that are
        found.
        """
        client = self._client
        if client is None:
            return _client_of(kind, find_settings())
        if isinstance(client, kind):
            return client
        if self._twin is None:
            key, retries = client.settings.api_key, client.retries
            self._twin = kind(client.settings.url, key, timeout=retries.timeout, retry_for=retries.retry_for)
        return self._twin

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def of_function(self, signature: CallSignature, bound: inspect.BoundArguments) -> GatedCall:
        """Prepare the call of a function; nothing is sent yet."""
        key = self._key_of(f"{signature.name}()", bound.args, bound.kwargs)
        about = (inspect.getdoc(signature.function) or "").split("\n\n")[0].replace("\n", " ")[:500]
        whole = canonical_json([signature.full_name, key])
        return self._request(signature.name, signature.arguments(bound), whole, description=about)

    def _key_of(self, what: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """What distinguishes this call from others with the same arguments."""
        key = self._key if isinstance(self._key, str) else self._key(*args, **kwargs)
        if not isinstance(key, str):
            raise TypeError(f"the key of {what} must be a string, not {type(key).__name__}")
        return key

    def _request(self, name: str, arguments: Mapping[str, Any], key: str, **more: str) -> GatedCall:
        terms = self._terms
        if not terms.intent_type:
            terms = replace(terms, intent_type=f"intent.gate.{re.sub(r'[^a-z0-9_]', '_', name.lower())}.v1")
        return terms.call(name, dict(arguments), key=key, settings=self.settings, **more)


class _Function:
    """One gated function: binds its calls, and runs them with the approved arguments."""

    def __init__(self, gate: Gate, signature: CallSignature) -> None:
        self._gate = gate
        self._signature = signature

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[GatedCall, Any]:
        bound = self._signature.bind(args, kwargs)

        def run(decision: Decision) -> Any:
            fit = self._signature.apply(bound, _approved(decision).arguments)
            return self._signature.function(*fit.args, **fit.kwargs)

        return self._gate.of_function(self._signature, bound), run


class _BlockingFunction(_Function):
    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.ask(*args, **kwargs).wait(self._gate.timeout)

    def ask(self, *args: Any, **kwargs: Any) -> PendingCall[Any]:
        call, run = self._bound(args, kwargs)
        client = self._gate.blocking_client
        client.session.run(call.submit(client.retries))
        return PendingCall(call, client, run)

    def within(self, seconds: float, /, *args: Any, **kwargs: Any) -> Any:
        pending = self.ask(*args, **kwargs)
        try:
            return pending.wait(seconds)
        except WaitTimeout:
            return pending


class _AsyncFunction(_Function):
    async def call(self, *args: Any, **kwargs: Any) -> Any:
        return await (await self.ask(*args, **kwargs)).wait(self._gate.timeout)

    async def ask(self, *args: Any, **kwargs: Any) -> AsyncPendingCall[Any]:
        call, run = self._bound(args, kwargs)
        client = self._gate.async_client
        await client.session.run(call.submit(client.retries))
        return AsyncPendingCall(call, client, run)

    async def within(self, seconds: float, /, *args: Any, **kwargs: Any) -> Any:
        pending = await self.ask(*args, **kwargs)
        try:
            return await pending.wait(seconds)
        except WaitTimeout:
            return pending


def _approved(decision: Decision) -> Decision:
    """Return the decision if it is an approval; otherwise raise the exception of its ending, with the person's
    reason.
    """
    failure = failure_of(decision.result)
    if failure is not None:
        raise failure(decision.reason, decision.result)
    return decision


def _client_of(kind: type[Client] | type[AsyncClient], settings: Settings) -> Client | AsyncClient:
    """A cached client of this process, for all threads and event loops."""
    client = _OPEN_CLIENTS.get((kind, settings))
    if client is None:
        client = _OPEN_CLIENTS[kind, settings] = kind(settings.url, settings.api_key)
    return client


@atexit.register
def _close_clients() -> None:
    """Close the cached clients. Those of event loops are closed with their loop."""
    for client in _OPEN_CLIENTS.values():
        if isinstance(client, Client):
            client.close()


@overload
def gate(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[Any, Any, R]], /
) -> AsyncGated[P, R]: ...
@overload
def gate(function: Callable[P, R], /) -> Gated[P, R]: ...
@overload
def gate(
    intent_type: str | None = None,
    /,
    *,
    title: str = ...,
    key: str | Callable[..., str] = ...,
    hide: Collection[str] = ...,
    omit: Collection[str] = ...,
    again: Again = ...,
    timeout: float | None = ...,
    on_behalf_of: str = ...,
    client: Client | AsyncClient | None = ...,
) -> Gate: ...
def gate(intent_type: Any = None, /, **options: Any) -> Any:
    """Gate a function, or a block of code: it runs only after people have approved exactly this call.

    intent_type: chooses the workflow, and so who decides; for a function, by default ``intent.gate.NAME.v1``. title:
    the question if there is no workflow; ``{name}`` stands for the function's name. key: distinguishes calls with
    the same arguments: a string, or a function of the arguments. hide: arguments that people do not see. omit:
    arguments that are not sent at all. again: if an approval of the same call has already been used, ``ask`` people
    again, ``refuse`` (AlreadyUsed), or ``run`` under the same approval. timeout: seconds to wait before WaitTimeout is
    raised. on_behalf_of: the person whom it is for. client: the client to use.
    """
    return Gate()(intent_type) if callable(intent_type) else Gate(intent_type, **options)
