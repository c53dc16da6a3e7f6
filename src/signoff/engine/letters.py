"""A notice for one person -> a letter. Our words, an admin's and the requester's stay apart; nothing is cut unsaid."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from signoff.core.ids import visit_ref
from signoff.core.model import Intent, Task
from signoff.core.notices import Notice, NoticeKind
from signoff.core.plan import HumanStep
from signoff.core.tasks import Ending, Fallback, Risk, Sign, Strength, TaskSpec, TaskType, sign_of
from signoff.engine.directory import Snapshot
from signoff.notify.letter import ASKING, Choice, Leaf, Letter
from signoff.store.work import Outgoing, Stored

_QUESTION: Final[dict[TaskType, str]] = {
    TaskType.APPROVAL: "Approve or reject",
    TaskType.REVIEW: "Review",
    TaskType.CONFIRMATION: "Confirm or deny",
    TaskType.FORM: "Fill in a form",
    TaskType.CLARIFICATION: "Answer a question",
    TaskType.ASSIGNMENT: "Assign",
    TaskType.MANUAL_ACTION: "Do, then confirm",
    TaskType.OVERRIDE: "Allow or refuse an exception",
}
_ENDED: Final = {
    Ending.APPROVED: "Approved",
    Ending.REJECTED: "Rejected",
    Ending.EXPIRED: "Expired",
    Ending.WITHDRAWN: "Withdrawn",
    Ending.SUPERSEDED: "Changes requested",
    Ending.UNDELIVERABLE: "Nobody could be reached",
}
_CLOSED: Final = {
    Ending.EXPIRED: "Nobody decided in time. Silence is not consent.",
    Ending.WITHDRAWN: "There is nothing to decide any more.",
    Ending.UNDELIVERABLE: "No message reached anybody who may decide.",
}
# The answers that one press can give. All others need a page: a form, a comment, evidence.
_PRESSED: Final = {
    "approved": Choice("approved", "Approve"),
    "rejected": Choice("rejected", "Reject", danger=True),
    "confirmed": Choice("confirmed", "Confirm"),
    "denied": Choice("denied", "Deny", danger=True),
}
_MOST_LEAVES: Final = 30
_LONGEST_LEAF: Final = 400
_MOST_SHOWN: Final = 2400  # characters of all leaves together: what every channel can show whole
_LONGEST_SAID: Final = 1000
_SHOWN = msgspec.json.Encoder()


def question(intent: Intent, step: HumanStep | None) -> str:
    """What is asked, in words of ours or of the admin who wrote the workflow; never the requester's."""
    if step is not None and from_workflow(intent):
        return step.task.title
    kind = _QUESTION[step.task.type] if step is not None else "About"
    return f"{kind}: {_words(intent.type)}"


def from_workflow(intent: Intent) -> bool:
    return intent.plan.source.startswith("workflow")


def _words(intent_type: str) -> str:
    parts = [part for part in intent_type.split(".") if part and part != "intent"]
    if len(parts) > 1 and parts[-1][:1] == "v" and parts[-1][1:].isdigit():
        parts.pop()
    return ", ".join(part.replace("_", " ").replace("-", " ") for part in parts)[:120] or intent_type[:120]


def choices(intent: Intent, task: Task, spec: TaskSpec) -> tuple[Choice, ...]:
    """The answers that may be given in a message: where a link is proof enough, and one press can say it all."""
    simple = not (spec.comment_required or spec.evidence_required or spec.form is not None)
    if not simple or spec.risk not in (Risk.LOW, Risk.MEDIUM) or spec.strength is not Strength.LINK:
        return ()
    if spec.type not in (TaskType.APPROVAL, TaskType.CONFIRMATION) or any(
        o not in _PRESSED for o in spec.outcomes
    ):
        return ()
    return tuple(_PRESSED[outcome] for outcome in spec.outcomes)


def moment(at: datetime, zone: str) -> str:
    """A moment on the reader's own clock, and in UTC."""
    utc = f"{at.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"
    if not zone or zone == "UTC":
        return utc
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a %d %b %Y, %H:%M %Z} ({at.astimezone(UTC):%H:%M} UTC)"


def silence(spec: TaskSpec, due_at: datetime | None, zone: str) -> str:
    """What happens if nobody answers."""
    if due_at is None:
        return "It waits until somebody decides."
    when = moment(due_at, zone)
    match spec.fallback:
        case Fallback.REJECT:
            return f"Without a decision by {when} it counts as rejected."
        case Fallback.OUTCOME:
            yes = sign_of(spec.fallback_outcome, {}) is Sign.POSITIVE
            return f"Without a decision by {when} it goes on as {spec.fallback_outcome}" + (
                ", recorded as expired, not as anybody's yes." if yes else "."
            )
    return f"Without a decision by {when} it expires. Silence is not consent."


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a JSON document with its path, in the order given."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else _SHOWN.encode(value).decode()


def shown(payload: bytes) -> tuple[tuple[Leaf, ...], int]:
    """The values that fit, and how many more there are."""
    found = list(leaves(msgspec.json.decode(payload)))
    kept: list[Leaf] = []
    room = _MOST_SHOWN
    for path, text in found[:_MOST_LEAVES]:
        part = text[: min(_LONGEST_LEAF, max(0, room - len(path)))]
        if text and not part:
            break
        kept.append(Leaf(path, part, len(text) - len(part)))
        room -= len(path) + len(part)
    return tuple(kept), len(found) - len(kept)


def cut(text: str, longest: int) -> str:
    """The text, or as much of it as there is room for and how much is left."""
    rest = len(text) - longest
    return text if rest <= 0 else f"{text[:longest]} \u2026 [{rest:,} more characters on the page]"


class Writer:
    """Writes the letters about one notice."""

    def __init__(self, row: Outgoing, notice: Notice, stored: Stored, book: Snapshot, base_url: str) -> None:
        self._row = row
        self._notice = notice
        self._intent = stored.intent
        self._payload = stored.payload
        self._book = book
        self._base_url = base_url
        step = stored.intent.plan.by_id.get(notice.step)
        self._step = step if isinstance(step, HumanStep) else None

    def letter(self, person_id: str, to: str, link: str, earlier: tuple[str, ...], now: datetime) -> Letter:
        notice = self._notice
        task = self._intent.open
        ref = visit_ref(notice.intent, notice.visit)
        common: dict[str, Any] = {
            "id": self._row.id, "kind": notice.kind, "at": now, "to": to, "thread": f"{ref}.{person_id}",
            "question": question(self._intent, self._step), "asker": self._asker(), "task": ref, "earlier": earlier,
        }  # fmt: skip
        zone = self._book.people[person_id].zone
        if notice.kind in ASKING and isinstance(task, Task) and self._step is not None:
            return Letter(**common, link=link, **self._asking(task, self._step.task, zone))
        if notice.kind is NoticeKind.DECIDED:
            return Letter(**common, link=f"{self._base_url}/tasks/{ref}", **self._decided(zone))
        return Letter(**common, link=f"{self._base_url}/intents/{notice.intent}", **self._message(zone))

    def _asking(self, task: Task, spec: TaskSpec, zone: str) -> dict[str, Any]:
        due_at = min(
            (at for at in (task.deadline_at, self._intent.deadline_at) if at is not None), default=None
        )
        kept, rest = shown(self._payload)
        said = self._said(spec)
        whole = not (rest or any(leaf.hidden for leaf in kept) or len(said) > _LONGEST_SAID)
        facts = [
            ("Requested by", self._asker()),
            ("Risk", spec.risk.value),
            ("Waiting since", moment(task.opened_at, zone)),
        ]
        if self._intent.requester.claimed:
            facts.insert(1, ("Says it is", f"{self._intent.requester.claimed} (nobody checked this)"))
        if task.revision > 1:
            facts.append(("Revision", f"{task.revision}; earlier answers are void"))
        return {
            "headline": self._headline(), "facts": tuple(facts), "closing": silence(spec, due_at, zone),
            "said": said, "said_by": self._said_by(), "leaves": kept, "rest": rest,
            "link_label": "Look at it and decide",
            "choices": choices(self._intent, task, spec) if whole else (), "digest": task.digest,
            "revision": task.revision,
        }  # fmt: skip

    def _headline(self) -> str:
        match self._notice.kind:
            case NoticeKind.REMINDER:
                return f"Reminder {self._notice.number}: a decision is still needed"
            case NoticeKind.ESCALATED:
                return "Escalated to you: a decision is needed"
            case NoticeKind.REVISED:
                return "Changed: a decision is needed anew"
        return "A decision is needed"

    def _said(self, spec: TaskSpec) -> str:
        """The requester's own title and description; an admin's description is not theirs, but shown as plainly."""
        parts = (spec.description,) if from_workflow(self._intent) else (spec.title, spec.description)
        return cut("\n".join(part for part in parts if part), _LONGEST_SAID)

    def _said_by(self) -> str:
        if from_workflow(self._intent):
            return "From the workflow"
        return "In the requester's words, which nobody has checked"

    def _asker(self) -> str:
        requester = self._intent.requester
        name = self._book.display(requester.id)
        return f"{name} ({requester.kind.value})" if not requester.address else f"{name}, {requester.address}"

    def _decided(self, zone: str) -> dict[str, Any]:
        notice = self._notice
        ending = Ending(notice.ending)
        facts = [("Result", notice.outcome)]
        if notice.by != "system":
            facts.append(("By", f"{self._book.display(notice.by)}, through {notice.via}"))
        facts += [("When", moment(notice.at, zone)), ("Requested by", self._asker())]
        return {
            "headline": _ENDED[ending], "facts": tuple(facts), "closing": _CLOSED.get(ending, ""),
            "link_label": "See what happened",
        }  # fmt: skip

    def _message(self, zone: str) -> dict[str, Any]:
        notice = self._notice
        facts = (("Requested by", self._asker()), ("When", moment(notice.at, zone)))
        return {
            "headline": "For your information", "facts": facts, "said": cut(notice.text, _LONGEST_SAID),
            "said_by": self._said_by(),
            "link_label": "See what happened",
        }  # fmt: skip
