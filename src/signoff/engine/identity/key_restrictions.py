"""Changes that a key alone does not allow, because they would give someone access: with them, someone who stole the
key could become its owner. A protected workspace asks a second admin instead. In a workspace with one person nobody
gains access this way.
"""

import msgspec

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import others_with_key
from signoff.core.directory.model import Person, Workspace
from signoff.core.errors import Forbidden
from signoff.core.plan.task_types import Strength
from signoff.engine.directory.snapshot import Snapshot


class AddressChange(msgspec.Struct, frozen=True):
    """A person's mail, including sign-in links, goes to a new address; ``before``: the former one."""

    person: Person
    before: str
    by: str
    directory: Snapshot


def address_changes(before: Snapshot, after: Snapshot, actor: Actor) -> list[AddressChange]:
    """The people whose e-mail address changes."""
    pairs = [(before.people.get(id), person) for id, person in after.people.items()]
    return [
        AddressChange(person, known.mail_address, before.display(actor.id), after)
        for known, person in pairs
        if known is not None and known.mail_address != person.mail_address and not person.removed
    ]


def refuse_new_address(actor: Actor, directory: Snapshot, before: Person, after: Person) -> None:
    """Raise Forbidden if a key alone would redirect someone's sign-in links."""
    if before.mail_address != after.mail_address and _only_a_key(actor, directory):
        raise Forbidden(
            "stronger_sign_in_required",
            "A key alone cannot change the address for a person's sign-in links.",
            field="addresses.email",
            hint="Sign in by e-mail and change it on their page, or set it in the file of signoff up --manifest.",
        )


def refuse_new_delegate(actor: Actor, directory: Snapshot, before: Person, after: Person) -> None:
    """Raise Forbidden if a key alone would set another person's absence, or their delegate."""
    if before.absences == after.absences:
        return
    if actor.id == before.id:
        refuse_others_key(actor, "name a delegate")
    elif _only_a_key(actor, directory):
        raise Forbidden(
            "stronger_sign_in_required",
            "A key alone cannot set another person's absence or delegate.",
            field="absences",
            hint="They can set it themselves; or sign in by e-mail and set it on their page.",
        )


def refuse_others_key(actor: Actor, what: str) -> None:
    """Raise Forbidden if another person created the key in use. That person has the key too, and could use one
    change to gain a way to decide that no longer shows their control of the key.
    """
    if actor.kind is ActorKind.PERSON and others_with_key(actor):
        raise Forbidden(
            "stronger_sign_in_required",
            f"A key that someone else created cannot {what}.",
            hint="Sign in by e-mail; there you can also create your own key.",
        )


def refuse_self_approval(actor: Actor, directory: Snapshot, after: Workspace) -> None:
    """Raise Forbidden if a key alone would let requesters approve."""
    turned_on = after.self_approval_setting is True and directory.workspace.self_approval_setting is not True
    if turned_on and _only_a_key(actor, directory):
        raise Forbidden(
            "stronger_sign_in_required",
            "A key alone cannot turn self-approval on.",
            field="workspace.self_approval",
            hint="The operator can, with signoff up --manifest FILE.",
        )


def _only_a_key(actor: Actor, directory: Snapshot) -> bool:
    weak = actor.kind is ActorKind.PERSON and actor.strength is Strength.LINK
    return weak and not (directory.workspace.protected or directory.is_trial)
