"""The blocking client. Its methods are in resources.py."""

from collections.abc import Generator
from types import TracebackType
from typing import Self

import httpx2

from signoff.client.calls import ApiCall, T
from signoff.client.credentials import find_settings
from signoff.client.drivers import PROGRAM, BlockingSession
from signoff.client.flow import Retries, perform
from signoff.client.methods import Blocking
from signoff.client.resources import ClientMethods, Directory, Tasks
from signoff.client.stream import Follower
from signoff.client.types import Event


class Client(ClientMethods, Blocking):
    """A client of a Signoff server with blocking calls. Safe to share between threads.

    url, api_key: by default SIGNOFF_URL and SIGNOFF_API_KEY, or else the nearest .signoff/credentials.json. timeout:
    seconds for one request. retry_for: for how many seconds a repeatable call is retried. program: this program's name,
    which is sent to the server. transport: another HTTP transport, for tests. tasks: list and read tasks, and act
    on one. directory: people, teams and policies. Raises NotConfigured if no server is found; every method raises
    the errors of signoff.client.errors.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 15.0,
        retry_for: float = 30.0,
        program: str = PROGRAM,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.settings = find_settings(url, api_key)
        super().__init__(BlockingSession(self.settings, program, transport), Retries(timeout, retry_for))
        self.tasks = Tasks(self.session, self.retries)
        self.directory = Directory(self.session, self.retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def call(self, call: ApiCall[T]) -> T:
        """Make a call from signoff.client.calls."""
        return self.session.run(perform(call, self.retries))

    def observe(self, intent_id: str, since: int = 0, *, timeout: float | None = None) -> Generator[Event]:
        """The intent's events after ``since``, each once, as they happen, up to the final one.

        timeout: seconds in total before WaitTimeout is raised; None waits forever.
        """
        return self.session.events(Follower(intent_id, since, timeout, self.retries).follow())
