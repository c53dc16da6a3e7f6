"""What is known about the effects of a request: what it affects, whether it can be undone, what was checked, and what
somebody only claims.

Every claim names its source. A missing result never counts as passed. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from signoff.core.intent import events as e
from signoff.core.intent.checks import VERDICTS, check_verdicts
from signoff.core.intent.model import Intent
from signoff.core.plan.lookahead import upcoming_steps
from signoff.core.plan.plan import AgentStep, HumanStep, Plan
from signoff.core.text.hidden_characters import pieces
from signoff.core.text.json_diff import Group, Leaf, clip, group, leaves
from signoff.core.text.masking import is_secret, mask_text, masked
from signoff.core.text.subject import AFFECTED, CLAIMS
from signoff.engine.directory.snapshot import Snapshot

_UNDO: Final = frozenset({
    "reversible", "irreversible", "can_undo", "undo", "rollback", "rollback_step", "rollback_plan",
    "revert",
})  # fmt: skip
_OF_EFFECT: Final = AFFECTED | _UNDO

_LONGEST_EFFECT: Final = 200
REQUEST: Final = "the request"


class EffectClaim(msgspec.Struct, frozen=True):
    """One claim about the effects, and its source."""

    label: str
    text: str
    source: str


class Check(msgspec.Struct, frozen=True):
    """An agent step before the task. ``verdict``: passed, failed, or reported (without a verdict); ``of``: the
    revision that it checked.
    """

    step: str
    by: str
    address: str
    verdict: str
    leaves: Group
    of: int = 1


def requester_text(payload: dict[str, Any], opened: bool) -> tuple[dict[str, Any], tuple[Leaf, ...]]:
    """Return the payload without the requester's own claims, and those claims. Absent fields are in neither of them."""
    words = {
        name: text
        for name, text in payload.items()
        if name.lower() in CLAIMS and isinstance(text, str) and text
    }
    rest = {name: value for name, value in payload.items() if name not in words}
    return rest, tuple(_words(name, text, opened) for name, text in words.items())


def masked_text(text: str, opened: bool = False) -> str:
    """Free text for a page. Secrets are shown only to a reader who expanded them."""
    return text if opened else mask_text(text)


def _words(name: str, text: str, opened: bool) -> Leaf:
    visible_text = masked_text(text, opened)
    shown = visible_text if opened else clip(visible_text)
    return Leaf(
        path=name,
        text=shown,
        kind="block",
        hidden=len(visible_text) - len(shown),
        masked=visible_text != text,
    )


def effects(
    payload: dict[str, Any], results: Mapping[str, Any]
) -> tuple[tuple[EffectClaim, ...], tuple[EffectClaim, ...]]:
    """Return the claims about what the request affects, and those about undoing it."""
    touches: list[EffectClaim] = []
    undo: list[EffectClaim] = []
    sources = [(REQUEST, payload), *((f"step “{step}”", result) for step, result in results.items())]
    for source, value in sources:
        for leaf in leaves(masked(value)):
            name = _effect_name(leaf.path)
            if name not in _OF_EFFECT or len(leaf.text) > _LONGEST_EFFECT or is_secret(leaf.path):
                continue
            if name in AFFECTED:
                touches.append(EffectClaim(leaf.label, leaf.text, source))
            else:
                undo.append(EffectClaim(leaf.label, leaf.text, source))
    return _merged(touches), _merged(undo)


def without_repetition(check: Check) -> Check:
    """A check of the current revision without what the card shows elsewhere: its effects, and the verdict itself."""
    kept = tuple(
        leaf for leaf in check.leaves.leaves if not (_is_effect(leaf) or _is_verdict(leaf, check.verdict))
    )
    return msgspec.structs.replace(check, leaves=msgspec.structs.replace(check.leaves, leaves=kept))


def _is_effect(leaf: Leaf) -> bool:
    """Whether ``effects`` shows this value of a result in full."""
    plain = not (leaf.change or leaf.diff or leaf.masked or leaf.hidden or is_secret(leaf.path))
    return plain and _effect_name(leaf.path) in _OF_EFFECT and len(leaf.text) <= _LONGEST_EFFECT


def _is_verdict(leaf: Leaf, verdict: str) -> bool:
    return leaf.path in VERDICTS and (leaf.text, verdict) in (("true", "passed"), ("false", "failed"))


def _effect_name(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0].lower()


def _merged(facts: list[EffectClaim]) -> tuple[EffectClaim, ...]:
    """Merge the same claim from several sources into one line that names them all."""
    fields: dict[tuple[str, str], list[str]] = {}
    for fact in facts:
        fields.setdefault((fact.label, fact.text), []).append(fact.source)
    return tuple(EffectClaim(label, text, " and ".join(sources)) for (label, text), sources in fields.items())


def searched_text(intent: Intent, step: HumanStep, payload: object) -> str:
    """All text that a request brings to a task, to be searched for hidden characters: the payload, the name
    that the requester gives itself and its description, and the input of the steps that may follow.
    """
    brought = [payload, *(one.given for one in upcoming_steps(intent.plan, step))]
    values = (f"{leaf.path} {leaf.text}" for one in brought for leaf in leaves(one))
    return "\n".join((intent.requester.claimed, step.task.description, *values))


def warnings_for(
    undo: Sequence[EffectClaim], verdicts: Mapping[str, str], shown: str, effect: bool
) -> tuple[str, ...]:
    """Warnings before an approval. ``verdicts``: those of the checks of the current revision, by step; ``shown``:
    all text of the request, which is searched for hidden characters; ``effect``: whether the answer has an effect,
    so that a warning about unverified claims is needed.
    """
    found = [
        f"The check in step “{step}” failed." for step, verdict in verdicts.items() if verdict == "failed"
    ]
    if effect and not verdicts:
        found.append("No automatic check has run.")
    if effect and not undo:
        found.append("Not stated whether this can be undone.")
    elif any(can_be_undone(fact) == "No" for fact in undo):
        found.append("Reported as irreversible.")
    marks = {piece.mark for piece in pieces(shown)}
    if "hidden" in marks:
        found.append("The request contains invisible characters; each is shown as its code point.")
    if "mixed" in marks:
        found.append("The request contains words with look-alike letters; they are marked.")
    return tuple(found)


def can_be_undone(fact: EffectClaim) -> str:
    """How a claim answers "Can it be undone?": Yes, No, or "" if that is unclear."""
    yes = "false" if fact.label.replace(" ", ".").rpartition(".")[2].lower() == "irreversible" else "true"
    return {"true": "No", "false": "No", yes: "Yes"}.get(fact.text, "")


def checks(
    plan: Plan,
    results: Mapping[str, Any],
    facts: Sequence[e.Fact],
    directory: Snapshot,
    opened: bool,
    of: Mapping[str, int],
) -> tuple[Check, ...]:
    """The results of earlier agent steps, in the plan's order. ``of``: the revision that each step checked."""
    found = []
    verdicts = check_verdicts(plan, results)
    for step in plan.steps:
        if step.id not in verdicts:
            continue
        result = results[step.id]
        reporter = next(
            (
                f.actor.id
                for f in reversed(facts)
                if isinstance(f.event, e.Reported) and f.event.step == step.id
            ),
            "",
        )
        address = step.agent if isinstance(step, AgentStep) else ""
        by = directory.display(reporter) if reporter else address
        found.append(
            Check(
                step.id,
                by,
                address,
                verdicts[step.id],
                group(result, opened) if result != {} else Group(),
                of[step.id],
            )
        )
    return tuple(found)
