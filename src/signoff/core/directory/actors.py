"""Actors: people, agents, services, and the server itself, with the rights that their keys and the directory currently
give them.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from signoff.core.plan.task_types import Strength


class ActorKind(StrEnum):
    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"
    SYSTEM = "system"


class ActorRef(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The actor of an event: a kind and a stable id, never a name."""

    kind: ActorKind
    id: str


class AbsentPerson(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """An absent person for whom the actor is the delegate, with the names that match that person in approver lists."""

    person: str
    names: frozenset[str]


class Actor(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """An actor, with the rights that its key and the directory currently give it.

    address: ``agent://org/workspace/name`` of an agent, else "";
    names: identifiers that match this person in approver lists (id, e-mail address, ``role:NAME``);
    sponsors: ids of the people who control this actor (the person itself, or those who created its key);
    via: the channel of the request (``api``, ``web``, ``cli``, ``system`` ...);
    strength: the assurance of this sign-in; delegate_for: the people for whom they are the delegate now;
    key: the id of the key that was used, or "";
    as_of: the number of the last directory change that these rights reflect, None if they do not depend on it;
    killed_at: when this agent was killed, None if it was not.
    """

    kind: ActorKind
    id: str
    workspace: str
    address: str = ""
    names: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    sponsors: tuple[str, ...] = ()
    via: str = "api"
    self_approval: bool = False
    strength: Strength = Strength.SESSION
    delegate_for: tuple[AbsentPerson, ...] = ()
    key: str = ""
    as_of: int | None = None
    killed_at: datetime | None = None

    @property
    def ref(self) -> ActorRef:
        return ActorRef(self.kind, self.id)


def system(workspace: str) -> Actor:
    """The actor of changes that the server makes on its own, such as timers."""
    return Actor(ActorKind.SYSTEM, "system", workspace, via="system")
