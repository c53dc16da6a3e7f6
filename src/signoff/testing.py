"""A server for the tests of programs that use Signoff. It runs in the test's process, with a clock that the test moves,
and people who answer according to rules. It uses only SQLite in a temporary folder and loopback.

    with Server() as server:
        server.approve("intent.payments.*", "Checked.")
        pay_all()          # finds the server on its own, as in production

The same object serves synchronous and asynchronous tests (``async with``).
"""

import asyncio
import contextlib
import fnmatch
import os
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from msgspec.structs import replace

from signoff.bootstrap import read_credentials
from signoff.client.aio import AsyncClient
from signoff.client.call_request import same_json
from signoff.client.calls import LONGEST_MESSAGE
from signoff.client.errors import SignoffError
from signoff.client.sync import Client
from signoff.client.types import Task
from signoff.config import Config
from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import Refused
from signoff.core.ids import split_ref
from signoff.core.intent import commands
from signoff.core.plan.task_types import Strength
from signoff.engine.clock import Clock
from signoff.server import Server as SignoffServer
from signoff.serving import running

T = TypeVar("T")
PEOPLE: Final = ("ann@example.test", "otto@example.test", "emma@example.test")
_PATIENCE: Final = 60.0  # seconds after which a hanging test fails
_VARIABLES: Final = ("SIGNOFF_URL", "SIGNOFF_API_KEY", "SIGNOFF_API_KEY_FILE", "SIGNOFF_DATA")


class Answer:
    """A rule's answer to a task. outcome: one of the task's outcomes (``approved``, ``rejected``, ...); data: the
    fields of its form; edit: new values of the payload, which another person then approves; by: the address of the
    person who answers; by default, everyone who may answers until the task is decided.
    """

    def __init__(
        self,
        outcome: str = "approved",
        comment: str = "",
        *,
        data: Mapping[str, Any] | None = None,
        edit: Mapping[str, Any] | None = None,
        by: str = "",
    ) -> None:
        self.outcome = outcome
        self.comment = comment
        self.data = dict(data or {})
        self.edit = dict(edit or {})
        self.by = by


Rule = Callable[[Task], Answer | None]


class Server:
    """A Signoff server that runs while the block is entered.

    Within the block, SIGNOFF_URL and SIGNOFF_API_KEY of this process are set to its address and a service's key, so
    that ``Client()`` and ``gate`` find it. manifest: people, teams, policies and workflows to apply, as for ``signoff
    apply``.
    """

    def __init__(self, manifest: Mapping[str, Any] | None = None) -> None:
        self.url = ""
        self.owner_key = ""
        self.api_key = ""
        self._manifest = manifest
        self._rules: list[Rule] = []
        self._asked: dict[str, Task] = {}
        self._answered: set[tuple[str, int, int, str]] = set()
        self._failure: BaseException | None = None
        self._people: dict[str, Actor] = {}
        self._person_keys: dict[str, str] = {}
        self._server: SignoffServer
        self._loop: asyncio.AbstractEventLoop
        self._clock = Clock()
        self._stop: asyncio.Event
        self._changed: asyncio.Event
        self._thread: threading.Thread | None = None
        self._environ: dict[str, str | None] = {}

    # -- running

    def start(self) -> Self:
        """Start the server; ``stop`` ends it. Use these if a ``with`` block does not fit."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="signoff-testing", daemon=True)
        self._thread.start()
        ready.result(_PATIENCE)
        self._environ = {name: os.environ.pop(name, None) for name in _VARIABLES}
        os.environ |= {"SIGNOFF_URL": self.url, "SIGNOFF_API_KEY": self.api_key}
        return self

    def stop(self) -> None:
        """Stop the server, and raise the exception of a rule that failed."""
        if self._thread is None:
            return
        for name, value in self._environ.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        self._thread = None
        self._raise()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception as failure:
            if error is None:
                raise
            error.add_note(f"A rule of the server failed before: {type(failure).__name__}: {failure}")

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    # -- people who answer

    def approve(self, intent_type: str = "*", comment: str = "", *, by: str = "") -> None:
        """From now on, approve requests of these types (``intent.payments.*``). The newest matching rule applies."""
        self._rule(intent_type, Answer("approved", comment, by=by))

    def reject(self, intent_type: str = "*", reason: str = "", *, by: str = "") -> None:
        """From now on, reject requests of these types."""
        self._rule(intent_type, Answer("rejected", reason, by=by))

    def edit(self, intent_type: str = "*", /, **changes: Any) -> None:
        """From now on, change these fields of the payload and then approve."""
        self._rule(intent_type, Answer(edit=changes))

    def leave(self, intent_type: str = "*") -> None:
        """From now on, leave requests of these types unanswered."""
        self.answer(lambda task: Answer("") if fnmatch.fnmatchcase(task.intent_type, intent_type) else None)

    def answer(self, rule: Rule) -> Rule:
        """Add a custom rule; also usable as a decorator. It gets each open Task and returns an Answer, or None to leave
        the task to earlier rules. It runs in the server's thread; its exceptions are raised again at the end of the
        block.
        """
        self._rules.append(rule)
        self._on_loop(self._answer_all())
        return rule

    @property
    def asked(self) -> list[Task]:
        """All tasks that were opened, in their current state, oldest first."""
        self._raise()
        return self._on_loop(self._all_tasks())

    # -- time

    @property
    def now(self) -> datetime:
        """The server's time."""
        return self._clock.now()

    def move(self, by: timedelta | None = None, /, **parts: float) -> None:
        """Move the server's clock forward (``hours=8``), and process everything that is then due: reminders,
        escalations, deadlines.
        """
        self._on_loop(self._move(by or timedelta(**parts)))

    # -- access

    def client(self) -> Client:
        """A client with the key of the service that submits requests here."""
        return Client(self.url, self.api_key)

    def async_client(self) -> AsyncClient:
        """Like ``client``, for asyncio."""
        return AsyncClient(self.url, self.api_key)

    def owner(self) -> Client:
        """A client with the owner's key, for workflows, policies and people."""
        return Client(self.url, self.owner_key)

    def person(self, email: str = PEOPLE[0]) -> Client:
        """A client with the key of a person who may decide, to answer tasks directly."""
        if email not in self._person_keys:
            raise KeyError(f"{email} is not among the people here: {', '.join(self._person_keys)}")
        return Client(self.url, self._person_keys[email])

    def apply(self, workflow: Mapping[str, Any]) -> None:
        """Apply a workflow."""
        with self.owner() as owner:
            owner.apply_workflow(workflow)

    # -- inside, on the server's own event loop

    def _rule(self, intent_type: str, answer: Answer) -> None:
        self.answer(lambda task: answer if fnmatch.fnmatchcase(task.intent_type, intent_type) else None)

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        if self._thread is None:
            work.close()
            raise RuntimeError("this server is not running: enter its block, or call start()")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def _raise(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _run(self, ready: "Future[None]") -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="signoff-testing-", ignore_cleanup_errors=True) as folder:
                asyncio.run(self._serve(Path(folder), ready))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                self._failure = self._failure or error

    async def _serve(self, folder: Path, ready: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._changed = asyncio.Event(), asyncio.Event()
        config = Config(
            port=0, data=folder, database=f"sqlite:///{folder}/signoff.db", console_notifications=False
        )
        async with running(config, line=None, clock=self._clock) as server:
            self._server = server
            self.url = server.base_url
            self.owner_key = str((read_credentials(folder) or {})["api_key"])
            async with AsyncClient(self.url, self.owner_key) as owner:
                self._owner = owner
                await self._furnish()
                server.feed.watch(lambda topic: self._changed.set())
                people = asyncio.create_task(self._follow())
                ready.set_result(None)
                await self._stop.wait()
                people.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await people

    async def _furnish(self) -> None:
        if self._manifest is not None:
            await self._owner.directory.apply(dict(self._manifest))
        known = {str(one["email"]) for one in await self._owner.directory.people()}
        for email in PEOPLE:
            if email not in known:
                await self._owner.directory.add_person(
                    email, name=email.partition("@")[0].title(), roles=["approver"]
                )
        workspace = (await self._owner.me()).workspace_id
        for person in await self._server.store.directory.people(workspace):
            # a key that nobody else created, so that its holder is on no other requester's side
            made = await self._server.keys.create(workspace, ActorKind.PERSON, person.id, person.id)
            self._person_keys[person.email] = made.secret
            actor = await self._server.keys.authenticate(made.secret, "api")
            self._people[person.email] = replace(actor, strength=Strength.STEP_UP)
        self.api_key = (await self._owner.create_key(service="tests")).api_key

    async def _follow(self) -> None:
        while True:
            self._changed.clear()
            await self._answer_all()
            await self._changed.wait()

    async def _answer_all(self) -> None:
        try:
            for task in await self._owner.tasks.list():
                await self._answer_one(task)
        except (SignoffError, Refused) as error:
            if not self._stop.is_set():
                self._failure = self._failure or error
        except Exception as error:
            self._failure = self._failure or error

    async def _answer_one(self, task: Task) -> None:
        self._asked[task.task_id] = task
        answer = next((reply for rule in reversed(self._rules) if (reply := rule(task)) is not None), None)
        if answer is None or not answer.outcome:
            return
        if answer.edit and not same_json({**task.payload, **answer.edit}, task.payload):
            await self._edit(task, answer)
            return
        who = (answer.by,) if answer.by else tuple(self._people)
        for email in who:
            if email not in self._people:
                raise KeyError(f"{email} is not among the people here: {', '.join(self._people)}")
            done = (task.task_id, task.revision, task.stage, email)
            if done not in self._answered and await self._say(task, answer, email, last=email == who[-1]):
                self._answered.add(done)
                return  # the change reports the task again if it is not decided yet

    async def _say(self, task: Task, answer: Answer, email: str, *, last: bool) -> bool:
        """Give one person's answer; False if this person may not."""
        _, step_run = split_ref(task.task_id)
        command = commands.Answer(
            answer.outcome,
            step_run,
            answer.comment[:LONGEST_MESSAGE],
            answer.data,
            task.stage - 1,
            task.revision,
            task.digest,
        )
        try:
            await self._server.engine.handle(self._people[email], task.intent_id, command)
        except Refused as refusal:
            if refusal.code in _MOVED_ON:
                return True
            if answer.by or refusal.code not in _NOT_THEIRS:
                raise
            return False
        return True

    async def _edit(self, task: Task, answer: Answer) -> None:
        for email in (answer.by,) if answer.by else PEOPLE:
            async with AsyncClient(self.url, self._person_keys[email]) as person:
                try:
                    await person.tasks.revise(
                        task.task_id, {**task.payload, **answer.edit}, answer.comment or None, task.digest
                    )
                except SignoffError as error:
                    if getattr(error, "code", "") in _MOVED_ON:
                        return
                    if email == PEOPLE[-1] or answer.by or getattr(error, "code", "") not in _NOT_THEIRS:
                        raise
                else:
                    return

    async def _all_tasks(self) -> list[Task]:
        await self._answer_all()
        for task in [task for task in self._asked.values() if task.open]:
            self._asked[task.task_id] = await self._owner.tasks.get(task.task_id)
        return list(self._asked.values())

    async def _move(self, by: timedelta) -> None:
        self._clock.move(by)
        while True:
            wake_at = await self._server.store.intents.next_wake()
            if wake_at is None or wake_at > self._clock.now():
                break
            await self._server.timekeeper.once()
        for loop in self._server.loops.values():
            loop.nudge()
        await self._answer_all()


_MOVED_ON: Final = frozenset({
    "already_decided", "intent_terminal", "stale_revision", "stale_stage", "not_waiting", "nothing_open",
})  # fmt: skip
_NOT_THEIRS: Final = frozenset({"self_approval", "not_an_approver", "role_required", "admin_required"})
