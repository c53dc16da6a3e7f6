"""Warns the author of a directory change that self-approval ends, or now applies to more people."""

from signoff.engine.directory.snapshot import Snapshot


def self_approval_warnings(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
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
