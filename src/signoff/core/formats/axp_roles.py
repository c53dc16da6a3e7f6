"""The roles of an AXP intent: the agents and humans to which a bundle gives roles, and who each name refers to."""

from collections.abc import Mapping
from typing import Final

import msgspec

from signoff.core.directory import agent_address
from signoff.core.directory.roles import DECIDING
from signoff.core.text.document_reader import Fields, Problems

_AGENT: Final = (
    "role",
    "address",
    "display_name",
    "create_if_missing",
    "delivery_mode",
    "callback_url",
    "description",
)
HUMAN: Final = ("role", "contact", "display_name", "description")
_MODES: Final = ("stream", "poll", "http", "inbox")


class BundleAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent of a bundle. ``address``: as written, which is also the name of its account."""

    role: str
    address: str
    display_name: str = ""
    create_if_missing: bool = False
    delivery_mode: str = "stream"
    callback_url: str = ""


class Human(msgspec.Struct, frozen=True):
    """A role alias in a bundle's ``humans``, and its person, if the bundle names one."""

    role: str
    contact: str = ""
    display_name: str = ""

    @property
    def label(self) -> str:
        return self.display_name or self.role


class RoleMap(msgspec.Struct, frozen=True):
    """All agents and humans, by role; ``nameless``: the entries of humans without a contact."""

    agents: dict[str, BundleAgent] = {}
    humans: dict[str, Human] = {}
    nameless: list[Fields] = []

    def agent(self, name: str) -> BundleAgent | None:
        """The agent with this role or address, in any spelling of the address."""
        if name in self.agents:
            return self.agents[name]
        return next((a for a in self.agents.values() if _same(a.address, name)), None)


def _same(left: str, right: str) -> bool:
    return left == right or left.removeprefix(agent_address.SCHEME) == right.removeprefix(
        agent_address.SCHEME
    )


def read_roles(top: Fields, problems: Problems) -> RoleMap:
    """The ``agents`` and ``humans`` of a bundle; errors are added to ``problems``."""
    roles = RoleMap({}, {}, [])
    problems.collect(top, "agents", 50, lambda entry: _add_agent(roles, entry))
    problems.collect(top, "humans", 20, lambda entry: _add_human(roles, entry))
    for role in roles.humans.keys() & roles.agents.keys():
        top.warnings.append(f"humans: {role!r} is also an agent's role; steps assigned to it ask the human.")
    return roles


def _add_agent(roles: RoleMap, entry: Fields) -> None:
    entry.known(*_AGENT)
    written = agent_address.written(entry.need("address", longest=agent_address.LONGEST), entry.at("address"))
    role = entry.text("role") or written
    if role in roles.agents:
        raise entry.invalid("role", f"two agents have the role {role!r}")
    mode = entry.text("delivery_mode") or "stream"
    if mode not in _MODES:
        entry.warn("delivery_mode", f"{mode!r} is not one of {', '.join(_MODES)}; stream is used")
        mode = "stream"
    callback_url = entry.text("callback_url", longest=2000)
    if callback_url and not callback_url.startswith(("https://", "http://")):
        raise entry.invalid("callback_url", "is not an http or https address")
    if mode == "http" and not callback_url:
        entry.warn("callback_url", "is missing, so the agent's account must have one")
    roles.agents[role] = BundleAgent(
        role=role,
        address=written,
        display_name=entry.text("display_name"),
        create_if_missing=entry.flag("create_if_missing") or False,
        delivery_mode=mode,
        callback_url=callback_url,
    )


def _add_human(roles: RoleMap, entry: Fields) -> None:
    entry.known(*HUMAN)
    role = entry.need("role")
    if role in roles.humans:
        raise entry.invalid("role", f"two humans have the role {role!r}")
    human = roles.humans[role] = Human(role, entry.text("contact"), entry.text("display_name"))
    if not human.contact:
        roles.nameless.append(entry)


def person_behind(name: str, humans: Mapping[str, Human]) -> str:
    """The name by which the directory may know a person (contact, e-mail address, ``per_...``, ``role:...``), else
    "".
    """
    human = humans.get(name)
    if human is not None:
        return mailbox(human.contact)
    if name in DECIDING:
        return f"role:{name}"
    if name.startswith(("per_", "role:", "team:")):
        return name
    return mailbox(name) if "@" in name[1:-1] and "/" not in name else ""


def mailbox(name: str) -> str:
    """An e-mail address in lower case, which is how people are looked up; anything else unchanged."""
    return name.lower() if "@" in name else name


def is_anybody(name: str) -> bool:
    """Whether a name does not identify a person: absent, AXP's ``human``, or the internal runtime."""
    return not name or name in ("human", "agent://human") or agent_address.is_internal(name)
