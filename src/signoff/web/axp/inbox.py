"""AXP's inbox, read-only: one thread for each intent that is addressed to an owner or names the owner as the reply
address.
"""

import uuid
from typing import Annotated, Any, ClassVar, Final

from msgspec import Struct

from signoff.core.directory.actors import Actor
from signoff.core.directory.agent_address import written
from signoff.core.errors import Invalid, Malformed
from signoff.core.intent.model import Intent, Status
from signoff.core.intent.result import result_of
from signoff.core.text import json_value
from signoff.store.transaction import Stored
from signoff.web.http.call import Call
from signoff.web.reading import directory_of, record_shown, visible
from signoff.web.shapes.intents import CORE, sender
from signoff.wire.common import ABSENT, Ok, OrEmpty
from signoff.wire.fields import (
    At,
    CreatedAt,
    FromAgent,
    IntentId,
    IntentType,
    ThreadId,
    ToAgent,
    UpdatedAt,
    about,
)

_STATUSES: Final = ("pending", "active", "done")
_NEW: Final = frozenset({Status.CREATED, Status.SUBMITTED, Status.DELIVERED})


class ThreadEvent(Struct, kw_only=True):
    """An event of a thread."""

    event_id: Annotated[str, about("The event's id.", "01998a3c-7d40-7b1e-9c52-6f0e8a4d0000:4")]
    event_type: Annotated[str, about("What happened.", "intent.completed")]
    actor: Annotated[str, about("The id of who caused it.", "per_01998a3c6f007d1e8a4bc35d9e7f1b20")]
    at: At
    details: Annotated[
        dict[str, Any],
        about("Additional values, which depend on the kind of event.", {"outcome": "approved"}),
    ]


class Thread(Struct, kw_only=True):
    """An intent as its recipient sees it."""

    thread_id: ThreadId
    intent_id: IntentId
    status: Annotated[str, about("How far it is.", "pending", words=("pending", "active", "done"))]
    owner_agent: Annotated[str, about("Whose inbox it is in.", "agent://acme/prod/infra-validator")]
    from_agent: FromAgent
    to_agent: ToAgent
    subject: Annotated[str, about("The type of the intent.", "intent.db.migrate.v1")]
    intent_type: IntentType
    created_at: CreatedAt
    updated_at: UpdatedAt
    timeline: Annotated[list[ThreadEvent], about("What happened.")]


class ThreadMessage(Struct, kw_only=True):
    """A message: the request, and in the end its result."""

    role: Annotated[str, about("Whose it is.", "user", words=("user", "assistant"))]
    content: Annotated[Any, about("The request, or its result.", {"table": "users"})]


class Threads(Ok, kw_only=True):
    """Threads, newest first."""

    threads: Annotated[list[Thread], about("The threads.")]


class ThreadResponse(Ok, kw_only=True):
    """One thread with its messages."""

    _EXAMPLE: ClassVar = ("messages",)

    thread: Annotated[Thread, about("The thread.")]
    messages: Annotated[OrEmpty[list[ThreadMessage]], about("Its messages.")] = ABSENT


async def page(call: Call) -> Threads:
    """GET /v1/inbox"""
    status = call.query.get("status", "").strip().lower()
    if status and status not in _STATUSES:
        hint = ", ".join(_STATUSES)
        raise Invalid("validation_error", f"{status[:32]!r} is not a status.", field="status", hint=hint)
    owner = _owner(call)
    found: dict[str, Stored] = {}
    for name in await _spellings(call, owner):
        found |= {stored.intent.id: stored for stored in await call.state.view.inbox(call.actor, name)}
    threads = [thread(stored.intent, owner) for _, stored in sorted(found.items(), reverse=True)]
    return Threads(threads=[one for one in threads if not status or one.status == status])


async def get(call: Call) -> ThreadResponse:
    """GET /v1/inbox/{thread_id}"""
    seen = await visible(call, call.params["thread_id"])
    intent = seen.stored.intent
    await record_shown(call, intent)
    owner = call.query.get("owner_agent") or call.header(b"x-owner-agent") or intent.reply_to
    messages = [ThreadMessage(role="user", content=json_value.decode(seen.stored.payload))]
    if intent.final:
        messages.append(ThreadMessage(role="assistant", content=result_of(intent)))
    shown = thread(intent, owner or intent.to_agent or CORE)
    return ThreadResponse(thread=shown, messages=messages)


def _owner(call: Call) -> str:
    """The inbox's owner: from the query or the header, else the key's own address."""
    asked, header = call.query.get("owner_agent", "").strip(), call.header(b"x-owner-agent").strip()
    if asked and header and asked != header:
        raise Malformed(
            "owner_conflict", "owner_agent and x-owner-agent name different owners.", field="owner_agent"
        )
    return written(asked or header, "owner_agent") if asked or header else _self(call.actor)


def _self(actor: Actor) -> str:
    return actor.address or actor.id


async def _spellings(call: Call, owner: str) -> tuple[str, ...]:
    """The owner as written (reply_to is stored this way) and as resolved (as to_agent is)."""
    if owner == _self(call.actor):
        return (owner,)
    own = {call.actor.address, call.actor.id}
    resolved = (await directory_of(call)).resolve(owner)
    return (resolved,) if resolved in own else tuple(dict.fromkeys((owner, resolved)))


def thread(intent: Intent, owner: str) -> Thread:
    return Thread(
        thread_id=intent.id,
        intent_id=intent.id,
        status="done" if intent.final else "pending" if intent.status in _NEW else "active",
        owner_agent=owner,
        from_agent=sender(intent.requester),
        to_agent=intent.to_agent or CORE,
        subject=intent.type,
        intent_type=intent.type,
        created_at=intent.created_at,
        updated_at=intent.updated_at,
        timeline=list(_timeline(intent)),
    )


def _timeline(intent: Intent) -> list[ThreadEvent]:
    received = ThreadEvent(
        event_id=_event_id(intent, "received"),
        event_type="intent_received",
        actor="gateway",
        at=intent.created_at,
        details={"intent_type": intent.type},
    )
    if not intent.final:
        return [received]
    done = ThreadEvent(
        event_id=_event_id(intent, "completion"),
        event_type="intent_completion_delivered",
        actor="gateway",
        at=intent.updated_at,
        details={"status": intent.status.value},
    )
    return [received, done]


def _event_id(intent: Intent, name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(intent.id), name))
