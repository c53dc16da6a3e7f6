"""The facts of one command, in order: each is numbered and applied as it is added.

A report and the task that it opens are one transition, so a rule must see the state after its own first fact.
"""

from datetime import datetime

from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorRef
from signoff.core.intent.eligibility import Membership
from signoff.core.intent.events import FINAL_EVENTS, AnyEvent, Created, Fact, Note, Viewed
from signoff.core.intent.evolve import created, evolve
from signoff.core.intent.model import Intent
from signoff.core.plan.plan import Plan


class Transition:
    """``intent``: the state so far; ``trail``: each fact with the states before and after it, in order;
    ``membership``: the current directory, None for commands that do not need it.
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
        if intent is not None:
            self.intent = intent
        self._by: tuple[ActorRef, str] = (actor.ref, actor.via)
        self.actor = actor
        self._salt = salt
        self.now = now
        self.trail: list[tuple[Intent | None, Fact, Intent]] = []

    @property
    def next_seq(self) -> int:
        return self.intent.seq + 1

    def create(self, intent_id: str, event: Created, plan: Plan) -> None:
        by, via = self._by
        fact = Fact(intent=intent_id, seq=1, at=self.now, actor=by, via=via, event=event)
        self.intent = created(fact, plan)
        self.trail.append((None, fact, self.intent))

    def add(self, event: AnyEvent, comment: str = "", viewed: Viewed | None = None) -> None:
        before = self.intent
        # the last fact records how the intent ended, also with regard to people
        if isinstance(event, FINAL_EVENTS):
            event = replace(event, ending=before.ending)
        by, via = self._by
        note = Note(comment, self._salt, viewed) if comment or viewed else None
        at = max(self.now, before.updated_at)
        fact = Fact(intent=before.id, seq=before.seq + 1, at=at, actor=by, via=via, event=event, note=note)
        self.intent = evolve(before, fact)
        self.trail.append((before, fact, self.intent))
