"""Who may send work to an agent: AXP's policy of an agent. A request's sender is the address of the key that submits
it; a person has no address, so only ``*`` matches a person.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from signoff.core.directory.agent_address import SCHEME, canonical, parts_of, slug, written
from signoff.core.errors import Conflict, Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from signoff.core.directory.model import Account

OPEN: Final = "open"
ALLOWLIST: Final = "allowlist"
DENYLIST: Final = "denylist"
MODES: Final = (OPEN, ALLOWLIST, DENYLIST)
ANY: Final = "*"
MOST: Final = 200  # patterns of one agent: every request to it is compared with all of them
_REST: Final = "/*"


class SenderPattern(Struct, frozen=True):
    """An address, ``agent://organization/workspace/*``, ``agent://organization/*``, or ``*`` for any sender."""

    id: str
    pattern: str


class Senders(Struct, frozen=True):
    """``mode``: open (anyone), allowlist (only senders that match an entry), denylist (all others)."""

    mode: str = OPEN
    entries: tuple[SenderPattern, ...] = ()

    def with_mode(self, mode: str) -> "Senders":
        if mode not in MODES:
            raise Invalid(
                "validation_error",
                f"policy_type: {mode[:32]!r} is not a mode.",
                field="policy_type",
                hint=f"Known: {', '.join(MODES)}.",
            )
        return replace(self, mode=mode)

    def with_entry(self, entry: SenderPattern) -> "Senders":
        """With one more pattern; the same if it is there already."""
        if any(known.pattern == entry.pattern for known in self.entries):
            return self
        if len(self.entries) >= MOST:
            raise Conflict(
                "too_many_entries",
                f"An agent has at most {MOST} sender patterns.",
                hint="Remove one, or use a pattern that ends in /*.",
            )
        return replace(self, entries=(*self.entries, entry))

    def without_entry(self, named: str) -> "Senders":
        """Without the entry of this id or pattern."""
        kept = tuple(one for one in self.entries if named not in (one.id, one.pattern))
        if len(kept) == len(self.entries):
            raise NotFound("entry_not_found", f"There is no entry {named[:128]}.")
        return replace(self, entries=kept)

    def names(self, addresses: Iterable[str]) -> bool:
        """Whether an entry matches the sender, by one of its addresses; an empty address is that of a person."""
        names = set(addresses)
        return any(_matches(entry.pattern, name) for entry in self.entries for name in names)


def is_elsewhere(pattern: str, full_names: Iterable[str]) -> bool:
    """Whether a pattern is for an organization or a workspace that is none of these, so that no sender matches it."""
    if pattern == ANY:
        return False
    place = tuple(pattern.removeprefix(SCHEME).split("/"))
    places = place[:-1]  # without the name, or the star
    return all(tuple(name.split("/"))[: len(places)] != places for name in full_names)


def pattern_of(text: str, organization: str, workspace: str) -> str:
    """A sender pattern in its canonical form, as seen from a workspace."""
    plain = text.strip()
    if plain == ANY:
        return ANY
    if ANY not in plain:
        _refuse_other_name(plain)
        return canonical(plain, organization, workspace, field="sender_pattern")
    places = plain.removesuffix(_REST) if plain.endswith(_REST) else ANY
    if ANY in places or not 1 <= len(parts_of(written(places, "sender_pattern"))) <= 2:
        raise Invalid(
            "validation_error",
            "sender_pattern: * stands for everything after an organization or a workspace, or alone.",
            field="sender_pattern",
            hint="Write an address, agent://organization/workspace/*, agent://organization/*, or *.",
        )
    return SCHEME + written(places).removeprefix(SCHEME) + _REST


def _refuse_other_name(text: str) -> None:
    """Raise Invalid if the name of an address would not be the bare name that was written, but one built from it."""
    parts = parts_of(written(text, "sender_pattern"))
    if len(parts) == 1 and (built := slug(parts[0], "sender_pattern")) != parts[0].lower():
        raise Invalid(
            "validation_error",
            f"sender_pattern: {parts[0][:64]!r} is not the name part of an address.",
            field="sender_pattern",
            hint=f"Use lower case letters, digits, '.', '_' and '-', for example {built}.",
        )


def refuse_sender(agent: "Account | None", sender: Iterable[str], claimed: Iterable[str]) -> None:
    """Raise Forbidden if this agent gets no work from this sender. ``sender``: the addresses of the submitting key, ""
    for a person's; ``claimed``: those that the request gives as its author, which can only exclude it.
    """
    if agent is None or agent.senders is None or agent.senders.mode == OPEN:
        return
    senders = agent.senders
    listed = senders.names(sender)
    if listed if senders.mode == ALLOWLIST else not (listed or senders.names(claimed)):
        return
    raise Forbidden(
        "sender_not_allowed",
        f"{agent.address} accepts no work from this sender.",
        hint=f"An owner or an admin can change who may send to it; see: signoff agents senders {agent.address}",
    )


def _matches(pattern: str, address: str) -> bool:
    if pattern == ANY:
        return True
    return address.startswith(pattern[: -len(ANY)]) if pattern.endswith(_REST) else address == pattern
