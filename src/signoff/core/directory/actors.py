"""Who acts: people, agents, services, and the server itself, as the keys and the directory know them now."""

from enum import StrEnum

import msgspec

from signoff.core.plan.task_types import Strength


class ActorKind(StrEnum):
    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"
    SYSTEM = "system"


class ActorRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who did it, as history keeps it: a kind and a stable id, never a name."""

    kind: ActorKind
    id: str


class StandIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody absent whom an actor stands in for, with what that person is called."""

    person: str
    names: frozenset[str]


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is asking, as the keys and the directory know them now.

    address: ``agent://org/workspace/name`` of an agent, else "";
    names: what a task may call a person (id, e-mail address, ``role:NAME``);
    sponsors: person ids that stand behind this actor (itself, or who made its key);
    via: the channel the request came by (``api``, ``web``, ``cli``, ``system`` ...);
    strength: how surely this is them; stand_ins: whom they may answer for now;
    key: the id of the key that was used, or "";
    as_of: the number of the directory's last change by which they are known, None where it makes no difference.
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
    stand_ins: tuple[StandIn, ...] = ()
    key: str = ""
    as_of: int | None = None

    @property
    def ref(self) -> ActorRef:
        return ActorRef(self.kind, self.id)


def system(workspace: str) -> Actor:
    """The actor of everything that time does."""
    return Actor(ActorKind.SYSTEM, "system", workspace, via="system")
