"""Answers from a chat. An account counts as a person only after that person linked it, with a code created while signed
in; the account's name, address and channel do not prove an identity. The answer is the same command as from any other
channel.
"""

import contextlib
import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import ChatCode, ChatPerson, DirectoryChange
from signoff.core.errors import Forbidden, NotFound, Refused
from signoff.core.ids import split_ref, step_run_id
from signoff.core.intent.authorization import authorize_command
from signoff.core.intent.commands import AddComment, Answer
from signoff.core.intent.events import TaskOpened
from signoff.core.intent.hash_chain import unseal
from signoff.core.intent.model import Intent, Task, spec_of
from signoff.core.intent.receipts import Formats, act_in, receipt
from signoff.core.plan.task_types import Strength
from signoff.core.text.times import utc_text
from signoff.engine.clock import Clock
from signoff.engine.commit.engine import Engine
from signoff.engine.commit.jobs import Idempotency
from signoff.engine.delivery.compose import choices
from signoff.engine.directory.change_log import person_subject, recorded, retry_on_conflict, shown_chat
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.identity.key_restrictions import refuse_others_key
from signoff.engine.identity.keys import Keys
from signoff.notify.chat import SHORTEST, Press, Replied
from signoff.notify.registry import label_of, link_text
from signoff.store.store import Store

_CODE_LIFE: Final = timedelta(minutes=10)
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # without look-alike characters
_LENGTH: Final = 12
_DIGEST: Final = 64
_PLACE: Final = re.compile("#[0-9a-f]{1,4}")  # as ``short_press`` writes it
_LONGEST_COMMENT: Final = 5000  # the same limit as on other channels


class LinkCode(msgspec.Struct, frozen=True):
    """A single-use code to type in the chat; ``text`` is shown once and not stored."""

    text: str
    expires_at: datetime


class Chat:
    """``channel``: the name of the chat, which is also the ``via`` of its answers."""

    def __init__(
        self, channel: str, engine: Engine, store: Store, keys: Keys, directory: DirectoryCache, clock: Clock
    ) -> None:
        self._channel = channel
        self._engine = engine
        self._store = store
        self._keys = keys
        self._directory = directory
        self._clock = clock

    async def code(self, actor: Actor) -> LinkCode:
        """A code with which this person links a chat account; Forbidden for agents and services."""
        authorize(actor, Action.LINK_CHAT)
        refuse_others_key(actor, "link a chat account")
        text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        now = self._clock.now()
        until = now + _CODE_LIFE
        await self._store.chats.add_code(
            ChatCode(_digest(text), self._channel, actor.workspace, actor.id, until), now
        )
        return LinkCode("-".join(text[place : place + 4] for place in range(0, _LENGTH, 4)), until)

    async def link(self, team: str, account: str, code: str) -> str:
        """Redeem a code; returns the reply."""
        now = self._clock.now()
        used = await self._store.chats.use_code(_digest(code), self._channel, now)
        if used is None or not team or not account:
            return "This code is not valid: it has been used, is older than ten minutes, or never existed."
        workspace, person = used
        actor = await self._keys.person(workspace, person, self._channel)
        if actor is None:
            return "The person who created this code is no longer active."
        new = ChatPerson(self._channel, team, account, workspace, person, now)
        await retry_on_conflict(lambda: self._link(actor, new), lambda: self._directory.forget(workspace))
        self._directory.changed(workspace)
        directory = await self._directory.of(workspace)
        space = f"{directory.workspace.organization}/{directory.workspace.name}"
        return f"This account is now linked to {directory.display(person)} in {space}."

    async def _link(self, actor: Actor, new: ChatPerson) -> None:
        """Link the account. The change log records its former owner and the person's former account."""
        chats, since = self._store.chats, dict[str, int]()
        for space in await self._store.directory.workspaces():
            since[space.id] = space.last_change
        was = await chats.person(self._channel, new.team, new.account)
        had = (await chats.people(self._channel, new.workspace)).get(new.person)
        if was is not None and replace(was, linked_at=new.linked_at) == new:
            return  # it is linked already; the time of linking must not change
        record = [await self._recorded(actor, had, new)]
        if was is not None:
            record.insert(0, await self._recorded(actor, was, None))
        await chats.link(new, record, since)

    async def _recorded(
        self, actor: Actor, before: ChatPerson | None, after: ChatPerson | None
    ) -> DirectoryChange:
        """The change log entry for one person's account, in their workspace."""
        link = after or before
        if link is None:
            raise TypeError("a link before or after")
        person = (await self._directory.of(link.workspace)).people[link.person]
        return recorded(
            replace(actor, workspace=link.workspace),
            self._clock.now(),
            self._channel,
            person.email,
            person_subject(person.id),
            shown_chat(before) if before else None,
            shown_chat(after) if after else None,
        )

    async def linked(self, workspace: str, person: str) -> ChatPerson | None:
        """The chat account of this person, "" if there is none."""
        return (await self._store.chats.people(self._channel, workspace)).get(person)

    async def unlink(self, team: str, account: str) -> str:
        async def attempt() -> bool:
            spaces = await self._store.directory.workspaces()
            link = await self._store.chats.person(self._channel, team, account)
            if link is None:
                return False
            actor = Actor(ActorKind.PERSON, link.person, link.workspace, via=self._channel)
            record = [await self._recorded(actor, link, None)]
            since = {space.id: space.last_change for space in spaces}
            await self._store.chats.unlink(self._channel, team, account, record, since)
            self._directory.changed(link.workspace)
            return True

        gone = await retry_on_conflict(attempt, lambda: None)
        label = label_of(self._channel)
        return f"Your {label} account was unlinked." if gone else "No account was linked."

    async def press(self, team: str, account: str, press: Press) -> str:
        """Answer a task as the account's person, for the target that the card showed; returns the reply."""
        stage = press.stage - 1 if press.stage else None
        answer = Answer(press.outcome, stage=stage, revision=press.revision, digest=press.digest)
        return await self.answer(team, account, answer, press.task)

    async def knows(self, card: str) -> bool:
        """Whether this server sent this card, and the card asked about a task."""
        return await self._store.messages.by_reference(self._channel, card) is not None

    async def comment(self, action: Replied) -> str:
        """Comment on the card's task as the account's person; returns the reply. A request that the chat sends again,
        to any server, is recorded once.
        """
        text = action.text
        about = await self._store.messages.by_reference(self._channel, action.card)
        link = await self._store.chats.person(self._channel, action.team, action.account)
        actor = await self._keys.person(link.workspace, link.person, self._channel) if link else None
        if link is None or actor is None:
            return f"Not recorded as a comment. {self._unknown()}"
        if about is None or about.workspace != actor.workspace:
            return "Not recorded: there is no such task."
        if len(text) > _LONGEST_COMMENT:
            return f"Not recorded: a comment may have at most {_LONGEST_COMMENT:,} characters."
        try:
            actor = replace(actor, strength=Strength.LINK)
            ref = step_run_id(about.intent_id, about.visit)
            fingerprint = hashlib.sha256(f"{ref} {text}".encode("utf-8", "replace")).hexdigest()
            once = Idempotency(f"chat {self._channel}", action.id, fingerprint, lambda _: b"{}")
            await self._engine.handle(actor, ref, AddComment(text, about.visit), once)
        except Refused as refusal:
            return f"Not recorded as a comment. {await self._reply(actor.workspace, refusal)}"
        return "Your comment was recorded. It decides nothing."

    async def answer(self, team: str, account: str, answer: Answer, ref: str) -> str:
        """Answer a task as the account's person; returns the reply."""
        link = await self._store.chats.person(self._channel, team, account)
        actor = await self._keys.person(link.workspace, link.person, self._channel) if link else None
        if link is None or actor is None:
            return self._unknown()
        try:
            return await self._answered(replace(actor, strength=Strength.LINK), answer, ref, link.linked_at)
        except Refused as refusal:
            return await self._reply(actor.workspace, refusal)

    async def _answered(self, actor: Actor, answer: Answer, ref: str, since: datetime) -> str:
        """``since``: when the account was linked; it cannot answer earlier questions."""
        intent_id, step_run = split_ref(ref)
        stored = await self._store.intents.get(intent_id)
        if stored is None or stored.intent.workspace != actor.workspace or not step_run:
            raise NotFound("task_not_found", "There is no such task.")
        intent = stored.intent
        task = intent.open
        answer = await self._unabbreviated(answer, intent, step_run)
        if isinstance(task, Task) and task.step_run == step_run:
            try:
                authorize_command(actor, replace(answer, step_run=step_run), intent)
            except Refused:
                # The refusal is shown, unless this press repeats one that was counted.
                if await self._engine.repeated(actor, ref, answer) is None:
                    raise
                return f"Recorded: {answer.outcome}."
            possible = {choice.outcome for choice in choices(intent, task, spec_of(intent, task))}
            # The current task has other outcomes: the rules report that.
            stale = answer.stage not in (None, task.stage)
            if answer.digest is None or not (stale or answer.outcome in possible):
                raise Forbidden(
                    "page_required", "This task can only be answered on its page: finish in the browser."
                )
            if since > task.opened_at:
                raise Forbidden(
                    "page_required",
                    "This task opened before your account was linked.",
                    hint="Answer it on its page.",
                )
        done = await self._engine.handle(actor, ref, answer)
        facts = done.change.facts if done.change else ()
        act = act_in((sealed.fact for sealed in facts), actor.id, step_run)
        if done.change is None or act is None or not isinstance(task, Task) or task.step_run != step_run:
            return f"Recorded: {answer.outcome}."
        directory = await self._directory.of(actor.workspace)
        words = Formats(directory.display, utc_text, directory.active_people)
        made = receipt(act, done.change.after, task.step, words)
        return f"{made.recorded} {made.then}"

    def _unknown(self) -> str:
        return (
            "This account is not linked to a person in Signoff. Create a code on your Signoff page (/me), "
            f"then type: {link_text(self._channel, 'CODE')}"
        )

    async def _unabbreviated(self, answer: Answer, intent: Intent, step_run: int) -> Answer:
        """Restore the outcome's name and the whole digest from the short forms that fit on a small button. A digest
        that this task never had is left unchanged, and is refused later.
        """
        short = answer.digest is not None and SHORTEST <= len(answer.digest) < _DIGEST
        if not short and not answer.outcome.startswith("#"):
            return answer
        rows = await self._store.intents.history(intent.id)
        events = [unseal(row.body, row.private).event for row in rows]
        mine = [event for event in events if getattr(event, "step_run", 0) == step_run]
        known = {getattr(event, "digest", "") for event in mine}
        task = intent.open
        if isinstance(task, Task) and task.step_run == step_run:
            known.add(task.digest)
        if short:
            found = [one for one in known if one and one.startswith(answer.digest or "")]
            answer = replace(answer, digest=found[0]) if len(found) == 1 else answer
        opened = next((event for event in mine if isinstance(event, TaskOpened)), None)
        if opened is not None and _PLACE.fullmatch(answer.outcome):
            outcomes = intent.plan.human_step(opened.step).task.outcomes
            with contextlib.suppress(IndexError):
                answer = replace(answer, outcome=outcomes[int(answer.outcome[1:], 16)])
        return answer

    async def _reply(self, workspace: str, refusal: Refused) -> str:
        if refusal.code != "already_decided" or "decided_by" not in refusal.details:
            return f"{refusal.message} {refusal.hint or ''}".strip()
        directory = await self._directory.of(workspace)
        by, via = str(refusal.details["decided_by"]), refusal.details.get("via", "")
        who = "automatically" if by == "system" else f"by {directory.display(by)} through {via}"
        return f"{refusal.message} Decided {who}, {refusal.details.get('decided_at', '')}."


def _digest(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").strip().upper().encode("utf-8", "replace")).hexdigest()
