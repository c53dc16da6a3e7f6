"""What a killed agent is refused with."""

from signoff.core.directory.actors import Actor
from signoff.core.directory.model import Account
from signoff.core.errors import Forbidden
from signoff.core.text.times import utc_text


def refuse_killed(agent: Actor | Account | None) -> None:
    """Raise Forbidden if this is an agent that was killed: it gets no work, and nothing that it sends is accepted."""
    if agent is None or agent.killed_at is None:
        return
    raise Forbidden(
        "agent_killed",
        f"{agent.address} was killed at {utc_text(agent.killed_at)}: it gets no work, and nothing that it sends is "
        "accepted.",
        hint=f"An owner or an admin can resume it: signoff agents resume {agent.address}",
    )
