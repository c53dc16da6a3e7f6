"""Two groups of calls beside the client's own: ``directory`` (who decides) and ``desk`` (what people do with a task
beside answering it). Each method is one request; what comes back is the JSON object or list that the server names.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from signoff.client.calls import Call, T, fresh_key, list_of, one_segment
from signoff.client.records import Json


def _bare(raw: object) -> Json:
    return raw if isinstance(raw, dict) else {}


def _many(
    path: str, name: str, query: Mapping[str, str | int | bool | None] | None = None
) -> Call[list[Json]]:
    return Call("GET", path, lambda answer: list_of(answer, name, _bare), query=query or {})


def _get(path: str, query: Mapping[str, str | int | bool | None] | None = None) -> Call[Json]:
    return Call("GET", path, _bare, query=query or {})


def _write(
    method: str,
    path: str,
    name: str,
    body: Mapping[str, Any],
    *,
    key: str | None = None,
    repeatable: bool = False,
) -> Call[Json]:
    """A write that says ``name`` in its answer. The server keeps an answer by its key only of what is done with a task;
    of the directory, what says how a thing should be may be said twice, and what makes or ends one may not.
    """
    given = {field: value for field, value in body.items() if value is not None}
    return Call(
        method, path, lambda answer: _bare(answer.get(name)), body=given, key=key, repeatable=repeatable
    )


def _warned(call: Call[Json]) -> Call[Json]:
    """The same, with the ``warnings`` of the answer beside what it says."""
    plain = call.read
    return replace(call, read=lambda answer: {**plain(answer), "warnings": answer.get("warnings") or []})


def waiting(who: str) -> Call[Json]:
    return _get(f"/v1/people/{one_segment(who)}/waiting", {})


def hand_over(who: str, to: str, comment: str) -> Call[Json]:
    body = {"to": to, "comment": comment}
    return Call("POST", f"/v1/people/{one_segment(who)}/reassign", _bare, body=body)


def staffing() -> Call[Json]:
    return _get("/v1/staffing", {})


def people() -> Call[list[Json]]:
    return _many("/v1/people", "people")


def add_person(email: str, said: Mapping[str, Any]) -> Call[Json]:
    return _write("POST", "/v1/people", "person", {"email": email, **said})


def change_person(who: str, said: Mapping[str, Any]) -> Call[Json]:
    return _warned(_write("PATCH", f"/v1/people/{one_segment(who)}", "person", said, repeatable=True))


def sessions(who: str) -> Call[list[Json]]:
    return _many(f"/v1/people/{one_segment(who)}/sessions", "sessions")


def end_sessions(who: str, session_id: str | None) -> Call[int]:
    one = f"/{one_segment(session_id)}" if session_id else ""
    path = f"/v1/people/{one_segment(who)}/sessions{one}/end"
    return Call("POST", path, lambda answer: int(answer.get("ended") or 0), body={})


def teams() -> Call[list[Json]]:
    return _many("/v1/teams", "teams")


def set_team(name: str, members: Sequence[str], rotation: Mapping[str, Any] | None) -> Call[Json]:
    body = {"members": list(members), "rotation": dict(rotation) if rotation else None}
    return _warned(_write("PUT", f"/v1/teams/{one_segment(name)}", "team", body, repeatable=True))


def policies() -> Call[list[Json]]:
    return _many("/v1/policies", "policies")


def set_policy(name: str, policy: Mapping[str, Any]) -> Call[Json]:
    return _write("POST", "/v1/policies", "policy", {"name": name, "policy": dict(policy)}, repeatable=True)


def explain_policy(name: str, at: str | None) -> Call[Json]:
    return _get(f"/v1/policies/{one_segment(name)}/explain", {"at": at})


def apply(document: Mapping[str, Any], dry_run: bool) -> Call[Json]:
    # Repeatable without a key: the second time everything is as it says already.
    query = {"dry_run": True if dry_run else None}
    return Call("POST", "/v1/apply", _bare, query=query, body=dict(document), repeatable=True)


def changes(limit: int, about: str | None, before: int | None) -> Call[list[Json]]:
    return _many("/v1/changes", "changes", {"limit": limit, "about": about, "cursor": before})


def proposals() -> Call[list[Json]]:
    return _many("/v1/proposals", "proposals")


def proposal(proposal_id: str) -> Call[Json]:
    return Call(
        "GET", f"/v1/proposals/{one_segment(proposal_id)}", lambda answer: _bare(answer.get("proposal"))
    )


def end_proposal(proposal_id: str, how: str) -> Call[Json]:
    return _write("POST", f"/v1/proposals/{one_segment(proposal_id)}/{how}", "proposal", {})


def explain_task(task_id: str) -> Call[Json]:
    return _get(f"/v1/tasks/{one_segment(task_id)}/explain")


def task_messages(task_id: str) -> Call[list[Json]]:
    return _many(f"/v1/tasks/{one_segment(task_id)}/messages", "messages")


def intent_messages(intent_id: str) -> Call[list[Json]]:
    return _many(f"/v1/intents/{one_segment(intent_id)}/messages", "messages")


def channels() -> Call[list[Json]]:
    return _many("/v1/channels", "channels")


def act(task_id: str, verb: str, body: Mapping[str, Any]) -> Call[Json]:
    """delegate, reassign, take, release, snooze, wake, comment, revise: the task after it; withdraw: the intent."""
    name = "intent" if verb == "withdraw" else "task"
    return _write("POST", f"/v1/tasks/{one_segment(task_id)}/{verb}", name, body, key=fresh_key())


class Run(Protocol):
    """How a call is made and waited for."""

    def __call__(self, call: Call[T], /) -> T: ...


class Directory:
    """People, teams and policies of the workspace."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def people(self) -> list[Json]:
        """Everybody, by address."""
        return self._run(people())

    def add_person(self, email: str, **said: Any) -> Json:
        """A new person; said: name, roles, zone, hours, addresses, absences, preferences."""
        return self._run(add_person(email, said))

    def change_person(self, who: str, **said: Any) -> Json:
        """Change what is said of a person (address or id); the rest stays."""
        return self._run(change_person(who, said))

    def sessions(self, who: str = "me") -> list[Json]:
        """Where a person (address or id) is signed in on the pages; others than oneself for owners and admins."""
        return self._run(sessions(who))

    def end_sessions(self, who: str = "me", session_id: str | None = None) -> int:
        """Sign a person out, everywhere or of one session; how many ended."""
        return self._run(end_sessions(who, session_id))

    def waiting(self, who: str) -> Json:
        """The open tasks in which a person (address or id) has a say now."""
        return self._run(waiting(who))

    def hand_over(self, who: str, to: str, comment: str = "") -> Json:
        """Ask another person in the place of this one, in every open task that asks them."""
        return self._run(hand_over(who, to, comment))

    def staffing(self) -> Json:
        """The open tasks that too few people are left for."""
        return self._run(staffing())

    def teams(self) -> list[Json]:
        """All teams, with who is on call now."""
        return self._run(teams())

    def set_team(self, name: str, members: Sequence[str], rotation: Mapping[str, Any] | None = None) -> Json:
        """Make or replace a team; rotation: order, handover (``mon 09:00``), zone, anchor."""
        return self._run(set_team(name, members, rotation))

    def policies(self) -> list[Json]:
        """All named policies."""
        return self._run(policies())

    def set_policy(self, name: str, policy: Mapping[str, Any]) -> Json:
        """Make or change a policy; what is under way keeps the one it started with."""
        return self._run(set_policy(name, policy))

    def explain_policy(self, name: str, at: str | None = None) -> Json:
        """What a task under the policy would lead to; at: when it would open (RFC 3339)."""
        return self._run(explain_policy(name, at))

    def apply(self, document: Mapping[str, Any], dry_run: bool = False) -> Json:
        """Apply people, teams, policies and workflows, all or nothing; dry_run: only say what would change."""
        return self._run(apply(document, dry_run))

    def changes(self, limit: int = 50, about: str | None = None, before: int | None = None) -> list[Json]:
        """Who changed what, newest first; about: only of one, as ``policy:NAME`` or ``person:EMAIL``; before: only what
        has a lower ``number``.
        """
        return self._run(changes(limit, about, before))

    def channels(self) -> list[Json]:
        """How each channel does now (for owners and admins)."""
        return self._run(channels())

    def proposals(self) -> list[Json]:
        """In a protected workspace: the changes that wait for a second admin, newest first."""
        return self._run(proposals())

    def proposal(self, proposal_id: str) -> Json:
        """One proposed change, with what it would change and how it ended."""
        return self._run(proposal(proposal_id))

    def confirm(self, proposal_id: str) -> Json:
        """Apply what another admin has proposed."""
        return self._run(end_proposal(proposal_id, "confirm"))

    def refuse(self, proposal_id: str) -> Json:
        """End a proposed change unapplied."""
        return self._run(end_proposal(proposal_id, "refuse"))


class Desk:
    """What people do with a task beside answering it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def explain(self, task_id: str) -> Json:
        """Who may decide, and whom silence will bring in when."""
        return self._run(explain_task(task_id))

    def messages(self, task_id: str) -> list[Json]:
        """Who was told of it, over which channel, and what became of each message."""
        return self._run(task_messages(task_id))

    def intent_messages(self, intent_id: str) -> list[Json]:
        """The same of a whole intent, with what belongs to none of its tasks."""
        return self._run(intent_messages(intent_id))

    def delegate(self, task_id: str, to: str, comment: str | None = None) -> Json:
        """Hand one's own say over to another person."""
        return self._run(act(task_id, "delegate", {"to": to, "comment": comment}))

    def reassign(self, task_id: str, to: Sequence[str], comment: str | None = None) -> Json:
        """Ask other people, teams or roles (an admin's act)."""
        return self._run(act(task_id, "reassign", {"to": list(to), "comment": comment}))

    def take(self, task_id: str, free: bool = False) -> Json:
        """Say that one is looking at it, or (free) not any more."""
        return self._run(act(task_id, "release" if free else "take", {}))

    def snooze(self, task_id: str, until: str | None = None, lasts: str | None = None) -> Json:
        """Put off one's own copy: until a moment (RFC 3339), or for so long (``2h``)."""
        return self._run(act(task_id, "snooze", {"until": until, "for": lasts}))

    def wake(self, task_id: str) -> Json:
        """Take that back."""
        return self._run(act(task_id, "wake", {}))

    def comment(self, task_id: str, text: str) -> Json:
        """Ask a question or say something without answering; who requested it is told, and may reply the same way."""
        return self._run(act(task_id, "comment", {"comment": text}))

    def revise(
        self, task_id: str, payload: Mapping[str, Any], comment: str | None = None, digest: str | None = None
    ) -> Json:
        """Change what is decided; earlier votes are void. digest: of what was shown."""
        return self._run(
            act(task_id, "revise", {"payload": dict(payload), "comment": comment, "digest": digest})
        )

    def withdraw(self, task_id: str, reason: str | None = None) -> Json:
        """Take the request back; the intent after it."""
        return self._run(act(task_id, "withdraw", {"comment": reason}))


class AsyncDirectory:
    """``Directory`` for the asynchronous client: the same calls, awaited."""

    def __init__(self, run: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._run = run

    async def people(self) -> list[Json]:
        return list(await self._run(people()))

    async def add_person(self, email: str, **said: Any) -> Json:
        return _bare(await self._run(add_person(email, said)))

    async def change_person(self, who: str, **said: Any) -> Json:
        return _bare(await self._run(change_person(who, said)))

    async def sessions(self, who: str = "me") -> list[Json]:
        """Where a person (address or id) is signed in on the pages; others than oneself for owners and admins."""
        return list(await self._run(sessions(who)))

    async def end_sessions(self, who: str = "me", session_id: str | None = None) -> int:
        """Sign a person out, everywhere or of one session; how many ended."""
        return int(await self._run(end_sessions(who, session_id)))

    async def waiting(self, who: str) -> Json:
        """The open tasks in which a person (address or id) has a say now."""
        return _bare(await self._run(waiting(who)))

    async def hand_over(self, who: str, to: str, comment: str = "") -> Json:
        """Ask another person in the place of this one, in every open task that asks them."""
        return _bare(await self._run(hand_over(who, to, comment)))

    async def staffing(self) -> Json:
        """The open tasks that too few people are left for."""
        return _bare(await self._run(staffing()))

    async def teams(self) -> list[Json]:
        return list(await self._run(teams()))

    async def set_team(
        self, name: str, members: Sequence[str], rotation: Mapping[str, Any] | None = None
    ) -> Json:
        return _bare(await self._run(set_team(name, members, rotation)))

    async def policies(self) -> list[Json]:
        return list(await self._run(policies()))

    async def set_policy(self, name: str, policy: Mapping[str, Any]) -> Json:
        return _bare(await self._run(set_policy(name, policy)))

    async def explain_policy(self, name: str, at: str | None = None) -> Json:
        return _bare(await self._run(explain_policy(name, at)))

    async def apply(self, document: Mapping[str, Any], dry_run: bool = False) -> Json:
        return _bare(await self._run(apply(document, dry_run)))

    async def changes(
        self, limit: int = 50, about: str | None = None, before: int | None = None
    ) -> list[Json]:
        return list(await self._run(changes(limit, about, before)))

    async def channels(self) -> list[Json]:
        return list(await self._run(channels()))

    async def proposals(self) -> list[Json]:
        return list(await self._run(proposals()))

    async def proposal(self, proposal_id: str) -> Json:
        return _bare(await self._run(proposal(proposal_id)))

    async def confirm(self, proposal_id: str) -> Json:
        return _bare(await self._run(end_proposal(proposal_id, "confirm")))

    async def refuse(self, proposal_id: str) -> Json:
        return _bare(await self._run(end_proposal(proposal_id, "refuse")))


class AsyncDesk:
    """``Desk`` for the asynchronous client: the same calls, awaited."""

    def __init__(self, run: Callable[[Call[Any]], Awaitable[Any]]) -> None:
        self._run = run

    async def explain(self, task_id: str) -> Json:
        return _bare(await self._run(explain_task(task_id)))

    async def messages(self, task_id: str) -> list[Json]:
        return list(await self._run(task_messages(task_id)))

    async def intent_messages(self, intent_id: str) -> list[Json]:
        return list(await self._run(intent_messages(intent_id)))

    async def delegate(self, task_id: str, to: str, comment: str | None = None) -> Json:
        return _bare(await self._run(act(task_id, "delegate", {"to": to, "comment": comment})))

    async def reassign(self, task_id: str, to: Sequence[str], comment: str | None = None) -> Json:
        return _bare(await self._run(act(task_id, "reassign", {"to": list(to), "comment": comment})))

    async def take(self, task_id: str, free: bool = False) -> Json:
        return _bare(await self._run(act(task_id, "release" if free else "take", {})))

    async def snooze(self, task_id: str, until: str | None = None, lasts: str | None = None) -> Json:
        return _bare(await self._run(act(task_id, "snooze", {"until": until, "for": lasts})))

    async def wake(self, task_id: str) -> Json:
        return _bare(await self._run(act(task_id, "wake", {})))

    async def comment(self, task_id: str, text: str) -> Json:
        return _bare(await self._run(act(task_id, "comment", {"comment": text})))

    async def revise(
        self, task_id: str, payload: Mapping[str, Any], comment: str | None = None, digest: str | None = None
    ) -> Json:
        body = {"payload": dict(payload), "comment": comment, "digest": digest}
        return _bare(await self._run(act(task_id, "revise", body)))

    async def withdraw(self, task_id: str, reason: str | None = None) -> Json:
        return _bare(await self._run(act(task_id, "withdraw", {"comment": reason})))
