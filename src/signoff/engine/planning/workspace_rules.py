"""What a workspace lets a request decide for itself: which policy applies to the request's own steps, and what happens
to a type without a workflow. Workflows are written by admins, so these rules do not apply to them.
"""

from msgspec.structs import replace

from signoff.core.directory.model import Workspace
from signoff.core.errors import Invalid
from signoff.core.plan.plan import HumanStep, Plan
from signoff.core.plan.task_types import Fallback
from signoff.core.plan.wording import from_workflow
from signoff.core.policy.default_policy import (
    GATE,
    REFUSE,
    UNLISTED,
    missing_gate,
    under_default_policy,
    with_gate,
)
from signoff.core.policy.fields import is_relaxed
from signoff.core.policy.policy import applied
from signoff.engine.directory.snapshot import NamedPolicy, Snapshot


def refuse_unlisted(plan: Plan, intent_type: str, directory: Snapshot) -> None:
    """Raise Invalid if the plan came with the request and the workspace accepts only types that have a workflow."""
    if from_workflow(plan) or directory.workspace.unlisted_types != REFUSE:
        return
    nearest = directory.type_nearest(intent_type)
    hint = "Ask an admin for one: signoff workflows apply FILE."
    raise Invalid(
        "unlisted_type",
        "No workflow is registered for this intent type, so it is refused.",
        field="intent_type",
        hint=f"Did you mean {nearest!r}? Otherwise, ask an admin for a workflow." if nearest else hint,
    )


def under_workspace_rules(plan: Plan, directory: Snapshot, warnings: list[str]) -> Plan:
    """Return the plan with the steps that it needs in this workspace."""
    if from_workflow(plan) or not directory.workspace.has_rules_for_requests:
        return plan
    if directory.workspace.unlisted_types == GATE and (early := missing_gate(plan)):
        warnings.append(
            f"this type has no workflow, so people are asked before step {early[0]!r} may run: "
            f"policy {directory.workspace.default_policy}"
        )
        plan = with_gate(plan)
    return plan


def under_policy(step: HumanStep, plan: Plan, directory: Snapshot, warnings: list[str]) -> HumanStep:
    """Return the step under the current version of its policy: a workflow's step names it; a request's own step has
    the workspace's default policy, or in a retry the one that it had before.
    """
    name = step.task.policy.partition("@")[0]
    if from_workflow(plan):
        if step.choices and not name:
            raise TypeError(f"no policy was chosen for step {step.id!r}")
        if not name:
            return step
        field = f"steps.{step.id}.human.policy"
        found = _policy(name, directory, field)
        if "@" in step.task.policy:
            step = _repeated(step, found, warnings)
        return applied(step, found.policy, found.name, field)
    name = directory.workspace.default_policy or name
    if not name:
        return step
    found = _policy(name, directory, "workspace.default_policy")
    made, notes = under_default_policy(step, found.policy, found.name)
    warnings.extend(notes)
    return made


def _repeated(step: HumanStep, found: NamedPolicy, warnings: list[str]) -> HumanStep:
    """A step of a workflow's plan that was frozen earlier. If its policy no longer fits, the current one applies."""
    step = step.without_policy_defaults
    if step.on_timeout is None or found.policy.fallback is Fallback.EXPIRE:
        return step
    warnings.append(
        f"step {step.id!r}: policy {found.name} now sets on_timeout, so step {step.on_timeout!r} is not used"
    )
    return replace(step, on_timeout=None, on_timeout_as=None)


def _policy(name: str, directory: Snapshot, field: str) -> NamedPolicy:
    found = directory.policies.get(name)
    if found is None:
        hint = directory.suggest(name, directory.policies) or "Apply it first: signoff apply -f FILE."
        raise Invalid("unknown_policy", f"{field}: there is no policy {name!r}.", field=field, hint=hint)
    return found


def refuse_default(before: Snapshot, directory: Snapshot) -> None:
    """Raise Invalid if the workspace's default policy does not exist, or cannot serve as a default. A policy that
    this release cannot use does not block unrelated changes.
    """
    space, field = directory.workspace, "workspace.default_policy"
    if not space.default_policy:
        if space.unlisted_types == GATE:
            raise Invalid(
                "default_policy_missing",
                "workspace.unlisted_types: gate asks people under the default policy, and there is none.",
                field="workspace.unlisted_types",
                hint="Set workspace: {default_policy: NAME} too; or unlisted_types: allow, or refuse.",
            )
        return
    found = _policy(space.default_policy, directory, field)
    if found.fault and before.workspace.default_policy == space.default_policy:
        return
    policy = found.policy
    if policy.goto:
        raise Invalid(
            "no_default_policy",
            f"{field}: policy {space.default_policy!r} continues with step {policy.goto!r} on "
            "expiry, which a request's own steps do not have.",
            field=field,
            hint="Set on_timeout of the default policy to expire or reject.",
        )
    if policy.approves_on_expiry and not space.positive_fallback:
        raise Invalid(
            "positive_fallback",
            f"{field}: policy {space.default_policy!r} counts an expired task as approved, "
            "which the workspace does not allow.",
            field=field,
            hint="Use on_timeout: expire in it.",
        )


def rules_relaxations(kind: str, new: bool, before: Snapshot, after: Snapshot) -> bool:
    """Whether this change lets through requests that the workspace would have held. The first workflow for a type
    does, if requests without a workflow are subject to the workspace's rules.
    """
    if kind == "workflow":
        return new and before.workspace.has_rules_for_requests
    return kind == "workspace" and _default_relaxed(before, after)


def _default_relaxed(before: Snapshot, after: Snapshot) -> bool:
    """Whether a change to the settings relaxes the rules for requests. Without a default policy the requester chooses
    who decides; only approval by the requester's own side, or by nobody, is less strict than that.
    """
    was, will = (directory.policies.get(directory.workspace.default_policy) for directory in (before, after))
    if _rank(after.workspace) < _rank(before.workspace):
        return True
    if was is not None and was.fault:
        return was != will  # no request has used it
    if was is None:
        own = will is not None and will.policy.self_approval is True and not before.self_approval
        return own or (will is not None and will.policy.approves_on_expiry)
    return will is None or is_relaxed(was.policy, will.policy)


def _rank(space: Workspace) -> int:
    return UNLISTED.index(space.unlisted_types)
