"""Warns the author of a directory change about what it does to the workspace's rules: self-approval ends or now applies
to more people, or policies become unusable because an expiry may no longer approve.
"""

from typing import Final

from signoff.engine.directory.snapshot import Snapshot

_MOST_NAMED: Final = 10


def workspace_warnings(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The warnings about the workspace, as sentences."""
    return *_self_approval(before, after), *_fallback(before, after)


def _self_approval(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The warning if a workspace allows self-approval and now has more than one person, or if adding the second
    person ends its self-approval.
    """
    if before.self_approval and after.workspace.self_approval and not after.self_approval:
        return (
            "from now on nobody decides their own requests: self-approval was on for one person, and now "
            "there are more; earlier requests are unaffected; "
            "workspace: {self_approval: true} turns it on for everybody",
        )
    if not _shared(after) or _shared(before):
        return ()
    return (
        "self-approval is allowed here: that is meant for a workspace with one person, and now there are more; set "
        "workspace: {self_approval: false}, or self_approval: false in a policy",
    )


def _shared(directory: Snapshot) -> bool:
    return directory.self_approval and len(directory.active_people) > 1


def _fallback(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The warning if ``positive_fallback`` was turned off, and policies rely on it."""
    if after.workspace.positive_fallback or not before.workspace.positive_fallback:
        return ()
    rely = sorted(
        name for name, one in after.policies.items() if not one.fault and one.policy.approves_on_expiry
    )
    if not rely:
        return ()
    more = f" and {len(rely) - _MOST_NAMED} more" if len(rely) > _MOST_NAMED else ""
    return (
        f"from now on requests under these policies are refused, because they count an expired task as approved: "
        f"{', '.join(rely[:_MOST_NAMED])}{more}; open tasks are unaffected; set on_timeout: expire in them",
    )
