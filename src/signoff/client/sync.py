"""The blocking client. Each method is one line: a call or a flow, run."""

from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx2

from signoff.client import calls
from signoff.client.calls import T
from signoff.client.flow import Patience, gather, perform
from signoff.client.groups import Desk, Directory
from signoff.client.session import PROGRAM, Session
from signoff.client.settings import find_settings
from signoff.client.stream import Follower
from signoff.client.types import (
    Account,
    AppliedScenario,
    AppliedWorkflow,
    AuditTrail,
    Event,
    Health,
    Intent,
    Key,
    Me,
    Result,
    ScenarioCheck,
    Task,
    Workflow,
)


class Client:
    """A Signoff server, spoken to by blocking calls; may be shared between threads.

    url, api_key: as given, else SIGNOFF_URL and SIGNOFF_API_KEY, else the nearest .signoff/credentials.json;
    timeout: seconds for one request; retry_for: seconds during which a call that may be repeated is repeated.
    program: how this program names itself to the server; transport: another way to reach it, for tests.
    directory: people, teams and policies; desk: what people do with a task beside answering it.
    Raises NotConfigured when no server is found, and from every method the errors of signoff.client.errors.
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
        self.patience = Patience(timeout, retry_for)
        self.session = Session(self.settings, program, transport)
        self.directory = Directory(self.call)
        self.desk = Desk(self.call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def call(self, call: calls.Call[T]) -> T:
        """Make a call from signoff.client.calls."""
        return self.session.run(perform(call, self.patience))

    def send_intent(self, intent: Mapping[str, Any], *, idempotency_key: str | None = None) -> str:
        """Submit an intent; its id. Durable when this returns, and created once, also over lost answers."""
        return self.call(calls.send_intent(intent, idempotency_key)).told()

    def wait_for(self, intent_id: str, *, timeout: float | None = None) -> Result:
        """Wait until the intent is final, over restarts of everything; its Result, whatever the ending.

        timeout: seconds, forever when None; then WaitTimeout.
        """
        return self.session.run(Follower(intent_id, 0, timeout, self.patience).result())

    def observe(self, intent_id: str, since: int = 0, *, timeout: float | None = None) -> Generator[Event]:
        """The intent's events after ``since``, each once, as they happen, up to the final one.

        timeout: seconds in all, forever when None; then WaitTimeout.
        """
        return self.session.events(Follower(intent_id, since, timeout, self.patience).follow())

    def get_intent(self, intent_id: str) -> Intent:
        """The intent as it is now."""
        return self.call(calls.get_intent(intent_id))

    def list_intents(
        self,
        *,
        status: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> list[Intent]:
        """The newest intents; status: one, several with commas between, or ``pending``; search: words that all stand in
        what is shown of an intent.
        """
        pages = calls.list_intents(status, intent_type, correlation_id, search)
        return self.session.run(gather(pages, limit, self.patience))

    def events(self, intent_id: str, since: int = 0) -> list[Event]:
        """The intent's events after ``since`` so far."""
        return self.call(calls.events(intent_id, since))

    def cancel(self, intent_id: str, reason: str = "canceled") -> Intent:
        """End the intent as CANCELED; Conflict when it has ended already."""
        return self.call(calls.cancel(intent_id, reason))

    def retry(self, intent_id: str, *, idempotency_key: str | None = None) -> str:
        """Submit the same again; the new intent's id."""
        return self.call(calls.retry(intent_id, idempotency_key)).told()

    def rerun(self, intent_id: str) -> str:
        """Run the step that failed after a yes again, once, under the same decision; the new intent's id.

        Conflict where people have to be asked anew: ``retry`` does.
        """
        return self.call(calls.rerun(intent_id))

    def audit(self, intent_id: str) -> AuditTrail:
        """The intent's whole history, with the chain of hashes that proves it."""
        return self.call(calls.audit(intent_id))

    def apply_scenario(
        self, bundle: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> AppliedScenario:
        """Start a scenario bundle: its agents, its plan, its intent."""
        return self.call(calls.apply_scenario(bundle, idempotency_key))

    def validate_scenario(self, bundle: Mapping[str, Any]) -> ScenarioCheck:
        """Check a scenario bundle; nothing is created."""
        return self.call(calls.validate_scenario(bundle))

    def apply_workflow(self, template: Mapping[str, Any], dry_run: bool = False) -> AppliedWorkflow:
        """Put a workflow in force for its intent type; dry_run: only check it and say whether it differs."""
        return self.call(calls.apply_workflow(template, dry_run))

    def workflows(self) -> list[Workflow]:
        """The workflows in force."""
        return self.call(calls.workflows())

    def tasks(
        self,
        mine: bool = False,
        *,
        state: str = "open",
        intent_id: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        limit: int = 200,
    ) -> list[Task]:
        """Tasks; mine: only those that this key's person may answer (closed: answered); state: open (oldest first) or
        closed (newest); search: words that all stand in what is shown of a task.
        """
        pages = calls.tasks(mine, state, intent_id, intent_type, correlation_id, search)
        return self.session.run(gather(pages, limit, self.patience))

    def task(self, task_id: str) -> Task:
        """One task."""
        return self.call(calls.task(task_id))

    def answer(  # noqa: PLR0913
        self,
        task_id: str | Task,
        outcome: str,
        comment: str | None = None,
        data: Mapping[str, Any] | None = None,
        revision: int | None = None,
        digest: str | None = None,
        *,
        stage: int | None = None,
        number: int | None = None,
    ) -> Task:
        """Answer a task; the task after it. AlreadyDecided when late, StaleRevision when it has changed.

        task_id: the task that you were shown, or its id with the task's stage, revision and digest: then it counts for
        that or not at all, however often it is sent. Without them it counts only for what you have read before.
        number: your how-manieth answer at this stage; needed only to go back to one that you have changed.
        """
        named = calls.named(task_id, stage, revision, digest)
        given = {"outcome": outcome, "comment": comment, "data": data, "number": number, **named}
        return self.call(calls.answer(calls.id_of(task_id), given))

    def approve(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> Task:
        """Answer with the task's yes."""
        return self.answer(task_id, "approved", comment, None, revision, digest, stage=stage)

    def reject(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> Task:
        """Answer with the task's no."""
        return self.answer(task_id, "rejected", comment, None, revision, digest, stage=stage)

    def agents(self) -> list[Account]:
        """The registered agents."""
        return self.call(calls.agents())

    def create_key(
        self,
        *,
        agent: str | None = None,
        service: str | None = None,
        person: str | None = None,
        name: str | None = None,
        roles: Sequence[str] | None = None,
        expires_in: float | None = None,
    ) -> Key:
        """A new key of an agent (name, address), a service (name), a person (e-mail); expires_in: seconds."""
        return self.call(calls.create_key(agent, service, person, name, roles, expires_in))

    def revoke_key(self, key_id: str) -> None:
        """Make a key worthless, at once."""
        self.call(calls.revoke_key(key_id))

    def me(self) -> Me:
        """Whom this client's key stands for."""
        return self.call(calls.me())

    def health(self) -> Health:
        """That the server answers, and its version."""
        return self.call(calls.health())
