"""Which deliveries an agent was shown on its stream but never looked at: they are shown again when it
reconnects.

Some published agents drain their stream at start and discard what they see, which can swallow a fresh intent.
A reconnect means that the client is done with its previous batch, so a busy agent gets no duplicates. The
memory is this process's own; after a restart an agent begins at cursor 0 and sees everything anyway.
"""

from collections import OrderedDict
from typing import Final

SETTLING: Final = 5.0  # seconds for which a delivery that was shown may rest unread
_REMEMBERED: Final = 10_000

_Agent = tuple[str, str]


class Shown:
    """Per agent: intent id -> (cursor, when it was shown). Moments are monotonic seconds, given by the
    caller.
    """

    def __init__(self) -> None:
        self._agents: OrderedDict[_Agent, dict[str, tuple[int, float]]] = OrderedDict()
        self._count = 0

    def show(self, workspace: str, agent: str, intent_id: str, cursor: int, now: float) -> None:
        """Note that the delivery went out on the agent's stream."""
        held = self._agents.setdefault((workspace, agent), {})
        self._count += intent_id not in held
        held[intent_id] = (cursor, now)
        while self._count > _REMEMBERED:
            _, oldest = self._agents.popitem(last=False)
            self._count -= len(oldest)

    def read(self, workspace: str, agent: str, intent_id: str) -> None:
        """The agent fetched or answered it: no need to show it again."""
        held = self._agents.get((workspace, agent))
        if held is not None and held.pop(intent_id, None) is not None:
            self._count -= 1
            if not held:
                del self._agents[workspace, agent]

    def unread(self, workspace: str, agent: str, since: int, now: float) -> list[str]:
        """Intents shown up to cursor ``since``, long enough ago and never read; forgotten here with this
        call.
        """
        held = self._agents.get((workspace, agent), {})
        found = [i for i, (cursor, at) in held.items() if cursor <= since and now - at >= SETTLING]
        for intent_id in found:
            self.read(workspace, agent, intent_id)
        return found
