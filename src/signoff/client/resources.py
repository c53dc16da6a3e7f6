"""The methods of the client and of its groups ``tasks`` and ``directory``.

Each is written once for the blocking and the async client (see methods.py). Those of ``directory`` return the server's
JSON objects and lists.
"""

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from signoff.client import calls
from signoff.client.calls import (
    ApiCall,
    Query,
    agent_path,
    fresh_key,
    inner,
    list_of,
    one_segment,
    own_key,
    pages,
)
from signoff.client.flow import Flow, gather
from signoff.client.methods import Awaited, Blocking, Methods, flow, request
from signoff.client.records import Json
from signoff.client.stream import Follower
from signoff.client.types import (
    Account,
    AgentHealth,
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


class ClientMethods(Methods):
    """Methods for intents, workflows, agents and keys."""

    @request
    def send_intent(self, intent: Mapping[str, Any], *, idempotency_key: str | None = None) -> ApiCall[str]:
        """Submit an intent; returns its id. The intent is durable when this returns, and is created only once even
        if responses are lost.
        """
        return calls.send_intent(intent, idempotency_key).then(calls.id_after_logging_warnings)

    @flow
    def wait_for(self, intent_id: str, *, timeout: float | None = None) -> Flow[Result]:
        """Wait until the intent is final, even across restarts of client and server; returns its Result for
        any ending.

        timeout: seconds before WaitTimeout is raised; None waits forever.
        """
        return Follower(intent_id, 0, timeout, self.retries).result()

    @request
    def get_intent(self, intent_id: str) -> ApiCall[Intent]:
        """The intent in its current state."""
        return calls.get_intent(intent_id)

    @flow
    def list_intents(
        self,
        *,
        status: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        limit: int = 50,
    ) -> Flow[list[Intent]]:
        """The newest intents. status: one status, several separated by commas, or ``pending``; search: words that
        must all occur in what is shown of an intent.
        """
        query = {
            "status": status,
            "intent_type": intent_type,
            "correlation_id": correlation_id,
            "q": search,
        }
        return gather(pages("/v1/intents", query, "intents", Intent.read), limit, self.retries)

    @request
    def events(self, intent_id: str, since: int = 0) -> ApiCall[list[Event]]:
        """The intent's events after ``since`` so far."""
        return calls.events(intent_id, since)

    @request
    def cancel(self, intent_id: str, reason: str = "canceled") -> ApiCall[Intent]:
        """Cancel the intent; raises Conflict if it is already final."""
        path = f"/v1/intents/{one_segment(intent_id)}/resolve"
        body = {"status": "CANCELED", "reason": reason}
        return ApiCall("POST", path, calls.intent_in, body=body, key=fresh_key())

    @request
    def retry(self, intent_id: str, *, idempotency_key: str | None = None) -> ApiCall[str]:
        """Submit the same content again as a new intent; returns its id."""
        return calls.retry(intent_id, idempotency_key).then(calls.id_after_logging_warnings)

    @request
    def rerun(self, intent_id: str) -> ApiCall[str]:
        """Rerun the step that failed after an approval, once, under the same decision; returns the new intent's id.

        Raises Conflict if people have to be asked again: then use ``retry``.
        """
        # An intent is rerun only once, so a second call returns the same new intent.
        path = f"/v1/intents/{one_segment(intent_id)}/rerun"
        return ApiCall("POST", path, lambda answer: str(answer["intent_id"]), body={}, repeatable=True)

    @request
    def use(self, intent_id: str, use: str) -> ApiCall[None]:
        """Use the outcome of a final intent, once, before acting on it. use: your own name for this use; the call
        may be repeated with the same name. Raises AlreadyUsed if another use was first.
        """
        return calls.use(intent_id, use)

    @request
    def messages(self, intent_id: str) -> ApiCall[list[Json]]:
        """The messages sent about an intent, and their delivery status."""
        return _many(f"/v1/intents/{one_segment(intent_id)}/messages", "messages")

    @request
    def audit(self, intent_id: str) -> ApiCall[AuditTrail]:
        """The intent's whole history with its hash chain."""
        return ApiCall("GET", f"/v1/intents/{one_segment(intent_id)}/audit", AuditTrail.read)

    @request
    def apply_scenario(
        self, bundle: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> ApiCall[AppliedScenario]:
        """Start a scenario bundle: create its agents, plan and intent."""
        key = idempotency_key if idempotency_key is not None else bundle.get("idempotency_key") or None
        return ApiCall(
            "POST", "/v1/scenarios/apply", AppliedScenario.read, body=dict(bundle), key=own_key(key)
        )

    @request
    def validate_scenario(self, bundle: Mapping[str, Any]) -> ApiCall[ScenarioCheck]:
        """Check a scenario bundle without creating anything."""
        return ApiCall(
            "POST", "/v1/scenarios/validate", ScenarioCheck.read, body=dict(bundle), repeatable=True
        )

    @request
    def apply_workflow(self, template: Mapping[str, Any], dry_run: bool = False) -> ApiCall[AppliedWorkflow]:
        """Apply a workflow to its intent type. dry_run: only check it and report whether it differs."""
        # Repeatable without a key, because applying the same template again changes nothing.
        query, body = _dry(dry_run), dict(template)
        return ApiCall("POST", "/v1/workflows", AppliedWorkflow.read, query=query, body=body, repeatable=True)

    @request
    def workflows(self) -> ApiCall[list[Workflow]]:
        """The active workflows."""
        return ApiCall("GET", "/v1/workflows", lambda answer: list_of(answer, "workflows", Workflow.read))

    @request
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
        answer_number: int | None = None,
    ) -> ApiCall[Task]:
        """Answer a task; returns the task after it. Raises AlreadyDecided if it has been decided, StaleRevision if it
        has changed.

        task_id: the task that you were shown, or its id together with the task's stage, revision and digest: then
        the answer counts for exactly that or not at all, no matter how often it is sent. Without them it counts only
        for what you have read. answer_number: the number of your answer at this stage; only needed to return to an
        earlier answer.
        """
        answer = {"outcome": outcome, "comment": comment, "data": data, "number": answer_number}
        return _answer(task_id, {**answer, **calls.named(task_id, stage, revision, digest)})

    @request
    def approve(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> ApiCall[Task]:
        """Approve a task."""
        named = calls.named(task_id, stage, revision, digest)
        return _answer(task_id, {"outcome": "approved", "comment": comment, **named})

    @request
    def reject(
        self,
        task_id: str | Task,
        comment: str | None = None,
        *,
        stage: int | None = None,
        revision: int | None = None,
        digest: str | None = None,
    ) -> ApiCall[Task]:
        """Reject a task."""
        named = calls.named(task_id, stage, revision, digest)
        return _answer(task_id, {"outcome": "rejected", "comment": comment, **named})

    @request
    def agents(self) -> ApiCall[list[Account]]:
        """The registered agents."""
        return ApiCall("GET", "/v1/agents", lambda answer: list_of(answer, "agents", Account.read))

    @request
    def kill_agent(self, agent: str) -> ApiCall[AgentHealth]:
        """Kill an agent (name or address): it gets no work, and nothing that it sends is accepted, until it is
        resumed. Only owners and admins may do this.
        """
        return _kill_switch(agent, "kill")

    @request
    def resume_agent(self, agent: str) -> ApiCall[AgentHealth]:
        """Resume a killed agent: it gets the work that has waited for it."""
        return _kill_switch(agent, "resume")

    @request
    def create_key(
        self,
        *,
        agent: str | None = None,
        service: str | None = None,
        person: str | None = None,
        name: str | None = None,
        roles: Sequence[str] | None = None,
        expires_in: float | None = None,
    ) -> ApiCall[Key]:
        """Create a key for an agent (name or address), a service (name) or a person (e-mail). expires_in: seconds."""
        if sum(holder is not None for holder in (agent, service, person)) != 1:
            raise TypeError("create_key() takes exactly one of agent=, service= and person=")
        holder = {"agent": agent, "service": service, "person": person, "name": name}
        more = {"roles": roles and list(roles), "expires_in_seconds": expires_in}
        # Never repeated, because the server keeps only a hash of the secret and cannot show it twice.
        return ApiCall("POST", "/v1/keys", Key.read, body=_given({**holder, **more}))

    @request
    def revoke_key(self, key_id: str) -> ApiCall[None]:
        """Revoke a key immediately."""
        return ApiCall(
            "POST", f"/v1/keys/{one_segment(key_id)}/revoke", lambda _: None, body={}, repeatable=True
        )

    @request
    def me(self) -> ApiCall[Me]:
        """The actor of this client's key."""
        return ApiCall("GET", "/v1/me", Me.read)

    @request
    def health(self) -> ApiCall[Health]:
        """Whether the server responds, and its version."""
        return ApiCall("GET", "/health", Health.read)


class TaskMethods(Methods):
    """List and read tasks, and act on one without answering it."""

    @flow
    def list(  # noqa: PLR0913
        self,
        mine: bool = False,
        *,
        state: str = "open",
        intent_id: str | None = None,
        intent_type: str | None = None,
        correlation_id: str | None = None,
        search: str | None = None,
        risk: str | None = None,
        team: str | None = None,
        requester: str | None = None,
        workflow: str | None = None,
        limit: int = 200,
    ) -> Flow[builtins.list[Task]]:
        """Tasks. mine: only those that this key's person may answer, or among closed ones has answered; state: open
        (oldest first) or closed (of each request, the task that was decided last; the newest decision first); search:
        words that must all occur in what is shown of a task.
        """
        query: Query = {
            "mine": True if mine else None,
            "state": state,
            "intent_id": intent_id,
            "intent_type": intent_type,
            "correlation_id": correlation_id,
            "q": search,
            "risk": risk,
            "team": team,
            "requester": requester,
            "workflow": workflow,
        }
        return gather(pages("/v1/tasks", query, "tasks", Task.read), limit, self.retries)

    @request
    def get(self, task_id: str) -> ApiCall[Task]:
        """One task."""
        return ApiCall("GET", f"/v1/tasks/{one_segment(task_id)}", _task)

    @request
    def explain(self, task_id: str) -> ApiCall[Json]:
        """Who may decide, and the scheduled contacts."""
        return _get(f"/v1/tasks/{one_segment(task_id)}/explain")

    @request
    def messages(self, task_id: str) -> ApiCall[builtins.list[Json]]:
        """The messages sent about a task, and their delivery status."""
        return _many(f"/v1/tasks/{one_segment(task_id)}/messages", "messages")

    @request
    def answer_many(self, tasks: Sequence[Task], outcome: str, comment: str | None = None) -> ApiCall[Json]:
        """Answer up to 500 similar low-risk tasks at once: those with the same ``bulk_form``. Each answer is
        recorded separately, for the stage, revision and digest that the task showed; ``results`` has the result for
        each.
        """
        named = [
            {"task_id": one.task_id, "stage": one.stage, "revision": one.revision, "digest": one.digest}
            for one in tasks
        ]
        body = _given({"outcome": outcome, "comment": comment, "tasks": named})
        return ApiCall("POST", "/v1/tasks/answers", _bare, body=body, key=fresh_key())

    @request
    def delegate(self, task_id: str, to: str, comment: str | None = None) -> ApiCall[Task]:
        """Delegate your vote to another person."""
        return _act(task_id, "delegate", to=to, comment=comment)

    @request
    def reassign(self, task_id: str, to: Sequence[str], comment: str | None = None) -> ApiCall[Task]:
        """Ask other people, teams or roles instead (owners and admins)."""
        return _act(task_id, "reassign", to=[*to], comment=comment)

    @request
    def mark_reviewing(self, task_id: str, clear: bool = False) -> ApiCall[Task]:
        """Mark a task as being reviewed by you; this does not lock it. clear: remove the mark."""
        return _act(task_id, "unmark-reviewing" if clear else "mark-reviewing")

    @request
    def snooze(self, task_id: str, until: str | None = None, duration: str | None = None) -> ApiCall[Task]:
        """Suppress reminders to you about a task, until a time (RFC 3339) or for a duration (``2h``)."""
        return _act(task_id, "snooze", **{"until": until, "for": duration})

    @request
    def unsnooze(self, task_id: str) -> ApiCall[Task]:
        """Cancel a snooze."""
        return _act(task_id, "unsnooze")

    @request
    def comment(self, task_id: str, text: str) -> ApiCall[Task]:
        """Comment on a task without answering it. Notifies the requester and earlier commenters."""
        return _act(task_id, "comment", comment=text)

    @request
    def revise(
        self,
        task_id: str,
        payload: Mapping[str, Any],
        comment: str | None = None,
        digest: str | None = None,
        outcome: str | None = None,
    ) -> ApiCall[Task]:
        """Change what is decided; earlier votes become void. digest: the digest that was shown. outcome: also approve
        the change, if the task's ``edits`` is ``approve``; needs the digest.
        """
        return _act(task_id, "revise", payload=dict(payload), comment=comment, digest=digest, outcome=outcome)

    @request
    def withdraw(self, task_id: str, reason: str | None = None) -> ApiCall[Intent]:
        """Withdraw the request; returns the intent after it."""
        path, body = f"/v1/tasks/{one_segment(task_id)}/withdraw", _given({"comment": reason})
        return ApiCall("POST", path, _withdrawn, body=body, key=fresh_key())


def _withdrawn(answer: Json) -> Intent:
    """The intent, with the receipt of the withdrawal."""
    receipt = answer.get("receipt")
    return Intent.read({**answer["intent"], "receipt": receipt} if receipt else answer["intent"])


class DirectoryMethods(Methods):
    """People, teams and policies of the workspace."""

    @request
    def people(self) -> ApiCall[list[Json]]:
        """All people, by address."""
        return _many("/v1/people", "people")

    @request
    def add_person(self, /, email: str, **fields: Any) -> ApiCall[Json]:
        """Add a person. fields: name, roles, zone, hours, addresses, absences, preferences."""
        return _warned(_write("POST", "/v1/people", "person", {"email": email, **fields}))

    @request
    def change_person(self, /, who: str, **fields: Any) -> ApiCall[Json]:
        """Update a person (address or id); omitted fields are unchanged."""
        path = f"/v1/people/{one_segment(who)}"
        return _warned(_write("PATCH", path, "person", fields, repeatable=True))

    @request
    def sessions(self, who: str = "me") -> ApiCall[list[Json]]:
        """The sessions of a person (address or id); owners and admins may list those of others."""
        return _many(f"/v1/people/{one_segment(who)}/sessions", "sessions")

    @request
    def end_sessions(self, who: str = "me", session_id: str | None = None) -> ApiCall[int]:
        """Sign a person out of all sessions, or of one; returns how many ended."""
        one = f"/{one_segment(session_id)}" if session_id else ""
        path = f"/v1/people/{one_segment(who)}/sessions{one}/end"
        return ApiCall("POST", path, lambda answer: int(answer.get("ended") or 0), body={})

    @request
    def send_test_message(self, who: str = "me", channel: str = "") -> ApiCall[Json]:
        """Send a person (address or id) a test message over one channel, by default the one that is tried first;
        returns the queued message.
        """
        body = {"channel": channel} if channel else {}
        return _write("POST", f"/v1/people/{one_segment(who)}/test-messages", "message", body)

    @request
    def test_messages(self, who: str = "me") -> ApiCall[list[Json]]:
        """A person's test messages of the last week with their delivery status, newest first."""
        return _many(f"/v1/people/{one_segment(who)}/test-messages", "messages")

    @request
    def open_tasks_of(self, who: str) -> ApiCall[Json]:
        """The open tasks that a person (address or id) may answer."""
        return _get(f"/v1/people/{one_segment(who)}/waiting")

    @request
    def reassign_all(self, who: str, to: str, comment: str = "") -> ApiCall[Json]:
        """Replace a person with another in every open task that asks them."""
        body = {"to": to, "comment": comment}
        return ApiCall("POST", f"/v1/people/{one_segment(who)}/reassign", _bare, body=body)

    @request
    def erase_person(self, who: str) -> ApiCall[Json]:
        """Erase the data of a removed person (id, or their former address). waiting: how many open requests still
        contain comments.
        """
        path = f"/v1/people/{one_segment(who)}/erase"
        return ApiCall("POST", path, _bare, body={}, repeatable=True)

    @request
    def understaffed_tasks(self) -> ApiCall[Json]:
        """The open tasks with too few eligible people left."""
        return _get("/v1/tasks/understaffed")

    @request
    def workspaces(self) -> ApiCall[list[Json]]:
        """The key's workspace; for an owner, also the others of its organization."""
        return _many("/v1/workspaces", "workspaces")

    @request
    def create_workspace(self, name: str, owner: str = "", owner_name: str = "") -> ApiCall[Json]:
        """Create a workspace in the key's organization. ``api_key``: the owner's key, only if the owner is the
        caller.
        """
        body = {"name": name, "owner": owner, "owner_name": owner_name}
        return ApiCall("POST", "/v1/workspaces", _bare, body=body)

    @request
    def rename_workspace(self, workspace_id: str, name: str = "", organization: str = "") -> ApiCall[Json]:
        """Rename the key's own workspace; "" keeps that part."""
        body = {"name": name, "organization": organization}
        path = f"/v1/workspaces/{one_segment(workspace_id)}"
        return _write("PATCH", path, "workspace", body, repeatable=True)

    @request
    def teams(self) -> ApiCall[list[Json]]:
        """All teams, with who is on call."""
        return _many("/v1/teams", "teams")

    @request
    def set_team(
        self,
        name: str,
        members: Sequence[str],
        rotation: Mapping[str, Any] | None = None,
        *,
        channel: str = "",
        mailbox: str = "",
    ) -> ApiCall[Json]:
        """Create or replace a team. rotation: order, handover (``mon 09:00``), zone, anchor. The team's tasks are
        also sent to its channel (``slack:ID`` or another chat's room) and its mailbox (an address).
        """
        rooms = {key: value for key, value in (("channel", channel), ("mailbox", mailbox)) if value}
        body = {"members": list(members), "rotation": dict(rotation) if rotation else None, **rooms}
        return _warned(_write("PUT", f"/v1/teams/{one_segment(name)}", "team", body, repeatable=True))

    @request
    def policies(self) -> ApiCall[list[Json]]:
        """All named policies."""
        return _many("/v1/policies", "policies")

    @request
    def set_policy(self, name: str, policy: Mapping[str, Any]) -> ApiCall[Json]:
        """Create or replace a policy. Open tasks keep the policy that they started with."""
        body = {"name": name, "policy": dict(policy)}
        return _write("POST", "/v1/policies", "policy", body, repeatable=True)

    @request
    def explain_policy(self, name: str, at: str | None = None) -> ApiCall[Json]:
        """Who may decide a task under the policy, and the scheduled contacts. at: when the task would open (RFC
        3339).
        """
        return _get(f"/v1/policies/{one_segment(name)}/explain", {"at": at})

    @request
    def apply(
        self, document: Mapping[str, Any], dry_run: bool = False, *, seen: str | None = None
    ) -> ApiCall[Json]:
        """Apply people, teams, policies and workflows, all or nothing. dry_run: only report what would change.

        seen: the value of ``seen`` of a dry run; raises Conflict (``stale_manifest``) if the result would now
        be different.
        """
        # Repeatable without a key, because applying it again changes nothing.
        body = dict(document)
        return ApiCall(
            "POST", "/v1/apply", _bare, query={**_dry(dry_run), "seen": seen}, body=body, repeatable=True
        )

    @request
    def manifest(self) -> ApiCall[Json]:
        """The current configuration as a document for ``apply``."""
        return ApiCall("GET", "/v1/export/manifest", lambda answer: _bare(answer.get("manifest")))

    @request
    def export(
        self,
        what: str,
        *,
        cursor: str | None = None,
        since: str | None = None,
        changed_since: str | None = None,
        bodies: bool | None = None,
    ) -> ApiCall[Json]:
        """One page of all ``intents`` or of the whole ``audit``, oldest first: ``records``, and ``next_cursor`` if
        there are more. since: only of intents created at or after this time (RFC 3339); changed_since: only of
        intents that changed since then, and of the audit only the events since then; bodies: include the hashed bytes.
        """
        query: Query = {
            "cursor": cursor,
            "since": since,
            "changed_since": changed_since,
            "bodies": bodies,
        }
        return _get(f"/v1/export/{one_segment(what)}", query)

    @request
    def changes(
        self, limit: int = 50, about: str | None = None, before: int | None = None
    ) -> ApiCall[list[Json]]:
        """The change log, newest first. about: filter by subject, such as ``policy:NAME`` or ``person:EMAIL``;
        before: only entries with a lower ``number``.
        """
        return _many("/v1/changes", "changes", {"limit": limit, "about": about, "cursor": before})

    @request
    def channels(self) -> ApiCall[list[Json]]:
        """The delivery status of each channel (for owners and admins)."""
        return _many("/v1/channels", "channels")

    @request
    def proposals(self) -> ApiCall[list[Json]]:
        """The proposals of a protected workspace that wait for a second admin, newest first."""
        return _many("/v1/proposals", "proposals")

    @request
    def proposal(self, proposal_id: str) -> ApiCall[Json]:
        """One proposal: what it would change, and its end."""
        path = f"/v1/proposals/{one_segment(proposal_id)}"
        return ApiCall("GET", path, lambda answer: _bare(answer.get("proposal")))

    @request
    def confirm(self, proposal_id: str) -> ApiCall[Json]:
        """Confirm and apply another admin's proposal."""
        return _write("POST", f"/v1/proposals/{one_segment(proposal_id)}/confirm", "proposal", {})

    @request
    def refuse(self, proposal_id: str) -> ApiCall[Json]:
        """Refuse a proposal, or withdraw your own."""
        return _write("POST", f"/v1/proposals/{one_segment(proposal_id)}/refuse", "proposal", {})


class Tasks(TaskMethods, Blocking):
    """``client.tasks``."""


class AsyncTasks(TaskMethods, Awaited):
    """``client.tasks`` of the asynchronous client."""


class Directory(DirectoryMethods, Blocking):
    """``client.directory``."""


class AsyncDirectory(DirectoryMethods, Awaited):
    """``client.directory`` of the asynchronous client."""


def _bare(raw: object) -> Json:
    return raw if isinstance(raw, dict) else {}


def _given(fields: Mapping[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _dry(dry_run: bool) -> Query:
    return {"dry_run": True if dry_run else None}


def _kill_switch(agent: str, act: str) -> ApiCall[AgentHealth]:
    """Kill or resume an agent. Both set a state, so they may be repeated."""
    path = f"/v1/mesh/agents/{agent_path(agent)}/{act}"
    return ApiCall(
        "POST", path, lambda answer: AgentHealth.read(inner(answer, "agent")), body={}, repeatable=True
    )


def _task(answer: Json) -> Task:
    return Task.read(inner(answer, "task"))


def _many(path: str, name: str, query: Query | None = None) -> ApiCall[list[Json]]:
    return ApiCall("GET", path, lambda answer: list_of(answer, name, _bare), query=query or {})


def _get(path: str, query: Query | None = None) -> ApiCall[Json]:
    return ApiCall("GET", path, _bare, query=query or {})


def _write(
    method: str, path: str, name: str, body: Mapping[str, Any], *, repeatable: bool = False
) -> ApiCall[Json]:
    """A write to the directory; ``name`` is the member of its response. The server stores no responses for
    idempotency keys here, so a call that sets a state may be repeated, but not one that creates or ends
    something.
    """

    def read(answer: Json) -> Json:
        return _bare(answer.get(name))

    return ApiCall(method, path, read, body=_given(body), repeatable=repeatable)


def _warned(call: ApiCall[Json]) -> ApiCall[Json]:
    """The call, with the response's ``warnings`` in its result."""
    plain = call.read
    return replace(call, read=lambda answer: {**plain(answer), "warnings": answer.get("warnings") or []})


def _answer(task: str | Task, answer: Mapping[str, Any]) -> ApiCall[Task]:
    path = f"/v1/tasks/{one_segment(task if isinstance(task, str) else task.task_id)}/answer"
    return ApiCall("POST", path, _task, body=_given(answer), key=fresh_key())


def _act(task_id: str, verb: str, **body: Any) -> ApiCall[Task]:
    path = f"/v1/tasks/{one_segment(task_id)}/{verb}"
    return ApiCall("POST", path, _task, body=_given(body), key=fresh_key())
