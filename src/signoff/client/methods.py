"""A client method, written once for the blocking and the async client: the request is the same, only the waiting
differs.

A method's body builds a call or a flow and does no I/O. On a blocking client it runs and returns the result; on an
async client it returns an awaitable of the result. Type checkers and editors see the arguments and the result of each
form (docs/decisions explains why).
"""

import types
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from signoff.client.calls import ApiCall
from signoff.client.drivers import AsyncSession, BlockingSession
from signoff.client.flow import Flow, Retries, perform

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="Methods")


class Methods:
    """The parts of a client that its methods may use."""

    retries: Retries


class Blocking(Methods):
    """A client, or a group of its methods, whose calls block."""

    def __init__(self, session: BlockingSession, retries: Retries) -> None:
        self.session = session
        self.retries = retries

    def _run(self, flow: Flow[T]) -> T:
        return self.session.run(flow)


class Awaited(Methods):
    """A client, or a group of its methods, whose calls are awaited."""

    def __init__(self, session: AsyncSession, retries: Retries) -> None:
        self.session = session
        self.retries = retries

    async def _run(self, flow: Flow[T]) -> T:
        return await self.session.run(flow)


class Method(Generic[P, T]):
    """A method, made from a function that builds its flow."""

    def __init__(self, make: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        @wraps(make)
        def run(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return client._run(make(client, *args, **kwargs))

        self._function = run
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaited, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: Methods | None, owner: type) -> Callable[..., Any]:
        return self._function if client is None else types.MethodType(self._function, client)


def flow(make: Callable[Concatenate[M, P], Flow[T]]) -> Method[P, T]:
    """Decorator for a method that builds a flow."""
    return Method(make)


def request(make: Callable[Concatenate[M, P], ApiCall[T]]) -> Method[P, T]:
    """Decorator for a method that makes one call."""

    @wraps(make)
    def performed(client: M, *args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        return perform(make(client, *args, **kwargs), client.retries)

    return Method(cast(Callable[Concatenate[Any, P], Flow[T]], performed))
