"""A message for one person, in parts, before a channel renders it. The author of each part stays visible:
``headline``, ``question``, ``facts`` and ``closing`` come from Signoff or an admin; ``quoted``, ``leaves`` (of the
request), ``given`` (to the next steps) and ``reports`` (of the checks) come from others.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from signoff.core.intent.notifications import ASKING, NotificationKind
from signoff.core.text.json_diff import Leaf

GIVEN: Final = "Also passed to the next steps"


class MessageAnswer(Struct, frozen=True):
    """An answer that may be given in the message itself. ``number``: its position among the task's outcomes;
    ``grave``: it needs special care, so its button is not green.
    """

    outcome: str
    label: str
    danger: bool = False
    number: int = 0
    grave: bool = False


class PersonalMessage(Struct, frozen=True, kw_only=True):
    """``id``: the same for all attempts; ``thread``: messages with the same one belong together.

    tone: "good" for an approval, "bad" for every other ending, "" for a question. asked_by: the person who wrote the
    leaves. task, stage (from 1), digest, revision: the target of an answer. link: the page to go to. rest: how many
    values did not fit. earlier: the provider's ids of the person's earlier messages in this thread. rewrite_only:
    whether it only rewrites those and is never sent as a new message. shared: whether many people read it, so that
    its link is not personal. below: the provider's id of the card that it replies to, if the channel has threads.
    """

    id: str
    kind: NotificationKind
    at: datetime
    to: str
    thread: str
    headline: str
    question: str
    tone: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    closing: str = ""
    asked_by: str = ""
    quoted: str = ""
    quoted_by: str = ""
    leaves: tuple[Leaf, ...] = ()
    given: tuple[Leaf, ...] = ()
    reports: tuple[Leaf, ...] = ()
    rest: int = 0
    link: str = ""
    link_label: str = ""
    choices: tuple[MessageAnswer, ...] = ()
    task: str = ""
    digest: str = ""
    revision: int = 1
    stage: int = 1
    earlier: tuple[str, ...] = ()
    rewrite_only: bool = False
    shared: bool = False
    below: str = ""

    @property
    def asks(self) -> bool:
        return self.kind in ASKING

    @property
    def missing(self) -> str:
        """A sentence about what is not shown; "" if everything is shown."""
        every = (*self.leaves, *self.given, *self.reports)
        cut, rest = sum(leaf.hidden for leaf in every), self.rest + sum(leaf.fields for leaf in every)
        parts = []
        if rest:
            parts.append(f"{rest:,} more value{'s' if rest > 1 else ''}")
        if cut:
            parts.append(f"{cut:,} more character{'s' if cut > 1 else ''} of the values above")
        return f"Not shown here: {' and '.join(parts)}. The page shows everything." if parts else ""
