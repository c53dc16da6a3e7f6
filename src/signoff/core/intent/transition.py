"""The facts of one command, in order: each is numbered and applied as it is added.

A report and the gate that it opens are one decision, so a rule must see the state after its own first fact.
"""

from datetime import datetime

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorRef
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.events import FINAL_EVENTS, AnyEvent, Created, Fact, Note
from signoff.core.intent.evolve import created, evolve
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan


class Transition:
    """``intent`` is the state so far; ``trail`` each fact with the states around it, in order; ``membership``: the
    current directory, None for commands without it.
    """

    def __init__(
        self,
        actor: Actor,
        now: datetime,
        salt: str,
        intent: Intent | None,
        membership: Membership | None = None,
    ) -> None:
        self.membership = membership
        self._intent = intent
        self._by: tuple[ActorRef, str] = (actor.ref, actor.via)
        self.actor = actor
        self._salt = salt
        self.now = now
        self.trail: list[tuple[Intent | None, Fact, Intent]] = []

    @property
    def intent(self) -> Intent:
        if self._intent is None:
            raise TypeError("nothing was created yet")
        return self._intent

    @property
    def next_seq(self) -> int:
        return self._intent.seq + 1 if self._intent else 1

    def create(self, intent_id: str, event: Created, plan: Plan) -> None:
        fact = self._fact(intent_id, event, "")
        self._intent = created(fact, plan)
        self.trail.append((None, fact, self._intent))

    def add(self, event: AnyEvent, comment: str = "") -> None:
        before = self.intent
        if isinstance(event, FINAL_EVENTS):  # the last fact records how it ended, also for people
            event = replace(event, ending=before.ending)
        fact = self._fact(before.id, event, comment)
        self._intent = evolve(before, fact)
        self.trail.append((before, fact, self._intent))

    def _fact(self, intent_id: str, event: AnyEvent, comment: str) -> Fact:
        actor, via = self._by
        note = Note(comment, self._salt) if comment else None
        at = self.now if self._intent is None else max(self.now, self._intent.updated_at)
        return Fact(intent=intent_id, seq=self.next_seq, at=at, actor=actor, via=via, event=event, note=note)
