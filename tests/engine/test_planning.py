"""Planning a request: which workflow applies, which agents and people it names, what is refused."""

import gc
from datetime import timedelta
from typing import Any

import pytest

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.errors import Forbidden, Invalid
from signoff.core.formats.axp_intent import compile_axp_intent
from signoff.core.formats.axp_scenario import compile_scenario
from signoff.core.formats.manifest import Manifest, WorkflowSpec, compile_manifest
from signoff.core.formats.workflow import compile_workflow
from signoff.core.plan.plan import AgentStep, HumanStep
from signoff.engine.directory.snapshot import Snapshot
from signoff.engine.planning.planner import KEPT, Submission
from tests.builders import ANN, OTTO, SERVICE, WORKSPACE, person
from tests.engine.engine_env import ROOT, EngineEnv, settle

CHANGE = "intent.infra.change.v1"
VALIDATE = {"id": "validate", "agent": "validator"}
APPROVE: dict[str, Any] = {"id": "approve", "human": {"type": "approval"}}


def workflow(*steps: dict[str, Any], name: str = "change", intent_type: str = CHANGE) -> dict[str, Any]:
    return {"workflow": name, "intent_type": intent_type, "steps": list(steps)}


async def apply(env: EngineEnv, source: dict[str, Any], **options: Any) -> Any:
    manifest = Manifest(workflows=(WorkflowSpec(compile_workflow(source), source),))
    [planned] = (await env.manifests.apply(options.pop("by", ROOT), manifest, **options)).planned
    return planned


async def direct(env: EngineEnv, **body: Any) -> Submission:
    request = compile_axp_intent({"intent_type": CHANGE, **body})
    return await env.planner.plan_request(WORKSPACE, request, b"{}", "d" * 64)


def step(submission: Submission, kind: type[Any]) -> Any:
    return next(step for step in submission.plan.steps if isinstance(step, kind))


async def code_of(attempt: Any) -> tuple[str, str | None]:
    with pytest.raises(Invalid) as refusal:
        await attempt
    assert refusal.value.message
    return refusal.value.code, refusal.value.field


async def test_title_field_missing_from_the_payload_is_a_warning(env: EngineEnv) -> None:
    await settle(env)
    titled = APPROVE | {"human": {**APPROVE["human"], "title": "Refund {amount}?"}}
    await apply(env, workflow(titled))
    [warning] = [one for one in (await direct(env)).warnings if "its title" in one]
    assert warning.startswith("step 'approve': its title names {amount}")


async def test_workflow_of_the_type_applies_whatever_the_request_contains(env: EngineEnv) -> None:
    await settle(env)
    await apply(env, workflow(VALIDATE, APPROVE))
    submission = await direct(env, to_agent="agent://else/where/agent", human_task={"title": "mine"})
    assert [step.id for step in submission.plan.steps] == ["validate", "approve"]
    assert step(submission, AgentStep).agent == "agent://acme/prod/validator"
    assert any("human_task is ignored" in warning for warning in submission.warnings)
    other = compile_axp_intent({"intent_type": "intent.other.v1", "human_task": {"title": "mine"}})
    assert (
        await env.planner.plan_request(WORKSPACE, other, b"{}", "d" * 64)
    ).plan.source != submission.plan.source


async def test_running_intent_keeps_its_plan_when_a_new_version_is_applied(env: EngineEnv) -> None:
    await settle(env)
    assert (await apply(env, workflow(VALIDATE, APPROVE))).entry.version == 1
    before = await direct(env)
    done = await env.engine.submit(SERVICE, before)
    assert (await apply(env, workflow(APPROVE))).entry.version == 2
    assert [step.id for step in (await direct(env)).plan.steps] == ["approve"]
    assert done.change is not None
    stored = await env.intent(done.change.after.id)
    assert [step.id for step in stored.plan.steps] == ["validate", "approve"]


async def test_applying_the_same_workflow_or_a_dry_run_changes_nothing(env: EngineEnv) -> None:
    await settle(env)
    assert (await apply(env, workflow(APPROVE), dry_run=True)).action == "create"
    assert await env.store.directory.workflows(WORKSPACE) == []
    assert (await apply(env, workflow(APPROVE))).action == "create"
    again = await apply(env, workflow(APPROVE))
    assert (again.action, again.entry.version) == ("unchanged", 1)


async def test_only_owners_and_admins_apply_workflows(env: EngineEnv) -> None:
    await settle(env)
    for actor in (ANN, SERVICE, person("max", "member"), person("aud", "auditor")):
        with pytest.raises(Forbidden):
            await apply(env, workflow(APPROVE), by=actor)


async def test_request_that_nobody_could_decide_is_refused_with_step_and_remedy(
    env: EngineEnv,
) -> None:
    await settle(env, people=(person("aud", "auditor"),))
    assert await code_of(apply(env, workflow(APPROVE))) == (
        "nobody_eligible",
        "steps.approve.human.approvers",
    )
    assert await code_of(direct(env, human_task={})) == ("nobody_eligible", "human_task")
    bob = {"id": "approve", "human": {"type": "approval", "approvers": ["bob@acme.example"]}}
    with pytest.raises(Invalid, match=r"bob@acme\.example") as refusal:
        await apply(env, workflow(bob))
    assert "signoff people add" in str(refusal.value.hint)


async def test_approver_who_left_is_noticed_at_the_next_submission(env: EngineEnv) -> None:
    await settle(env, people=(ANN, OTTO))
    named = {"id": "approve", "human": {"type": "approval", "approvers": ["ann@acme.example"]}}
    await apply(env, workflow(named))
    assert step(await direct(env), HumanStep).task.stages[0].approvers == ("ann@acme.example",)
    await env.store.write(("delete from people where email = 'ann@acme.example'", {}))
    env.directory.changed(WORKSPACE)
    assert (await code_of(direct(env)))[0] == "nobody_eligible"


async def test_unknown_approver_is_refused_without_a_substitute(env: EngineEnv) -> None:
    await settle(env, people=(person("olga", "owner"),))
    assert (await code_of(direct(env, human_task={"assignees": ["zoe@else.example"]})))[
        0
    ] == "unknown_assignee"
    named = {"assignees": ["zoe@else.example", "olga@acme.example"]}
    submission = await direct(env, human_task=named)
    assert any("zoe@else.example" in warning for warning in submission.warnings)


@pytest.mark.parametrize("shape", [{}, {"human_task": {"title": "mine"}}, {"to_agent": "newcomer"}])
@pytest.mark.parametrize(
    "meant", ["intent.db.migrate.v1", "intent.db.migrat.v11", "intent.db.mgirat.v1", "intent.db.migrit.v1"]
)
async def test_misspelled_intent_type_is_a_warning_with_the_nearest_one(
    env: EngineEnv, shape: dict[str, Any], meant: str
) -> None:
    await settle(env)
    await apply(env, workflow(APPROVE, intent_type=meant))
    typed = "intent.db.migrat.v1"
    [warning] = [one for one in (await direct(env, intent_type=typed, **shape)).warnings if typed in one]
    assert f"no workflow handles {typed}" in warning
    assert warning.endswith(f"Did you mean {meant!r}?")
    # every caller may list the types, so a program is told as well
    request = compile_axp_intent({"intent_type": typed, **shape})
    program = Actor(ActorKind.SERVICE, "svc_1", WORKSPACE, sponsors=("per_rita",))
    told = await env.planner.plan_request(WORKSPACE, request, b"{}", "d" * 64, by=program)
    assert warning in told.warnings
    for other in ("intent.db.rollback.v1", meant, "intent.db." + "x" * 200 + ".v1"):
        assert "Did you mean" not in str((await direct(env, intent_type=other, **shape)).warnings)


async def test_unknown_agent_is_a_warning_and_its_delivery_waits(env: EngineEnv) -> None:
    await settle(env)
    submission = await direct(env, to_agent="newcomer")
    assert any("agent://acme/prod/newcomer" in warning for warning in submission.warnings)
    done = await env.engine.submit(SERVICE, submission)
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "newcomer")
    assert done.change is not None
    found = await env.store.intents.deliveries(WORKSPACE, account.address, 0, 10)
    assert [intent.id for _, intent in found] == [done.change.after.id]
    assert (await direct(env, to_agent="newcomer")).warnings == ()


@pytest.mark.parametrize(
    "address", ["agent://", "agent:///b/c", "agent://a/b/c/d", "a//b", "agent://a/b/c d", "a\nb", "x" * 400]
)
async def test_malformed_address_is_refused(env: EngineEnv, address: str) -> None:
    await settle(env)
    _, field = await code_of(direct(env, to_agent=address))
    assert field == "to_agent"


async def test_route_to_an_unknown_step_is_refused_by_name(env: EngineEnv) -> None:
    await settle(env)
    lost = {**APPROVE, "on_failure": "rollbck"}
    with pytest.raises(Invalid) as refusal:
        await apply(env, workflow(VALIDATE, lost, {"id": "rollback", "agent": "validator"}))
    assert (refusal.value.code, refusal.value.field) == ("unknown_step", "steps.approve.on_failure")
    assert "rollback" in str(refusal.value.hint)
    assert await env.store.directory.workflows(WORKSPACE) == []


async def test_cycle_without_an_exit_is_refused(env: EngineEnv) -> None:
    await settle(env)
    ring = workflow({**VALIDATE, "on_success": "approve"}, {**APPROVE, "on_success": "validate"})
    assert await code_of(apply(env, ring)) == ("cycle_without_exit", "steps.validate")
    own = workflow({**APPROVE, "on_success": "approve"})
    assert await code_of(apply(env, own)) == ("cycle_without_exit", "steps.approve")
    way_out = workflow(
        {**VALIDATE, "on_success": "approve"}, {**APPROVE, "on_success": "validate", "on_failure": "end"}
    )
    assert (await apply(env, way_out)).action == "create"


async def test_unreachable_step_is_refused(env: EngineEnv) -> None:
    """An approval that no route leads to would look like a safeguard but never be requested."""
    await settle(env)
    run = {"id": "run", "agent": "runner"}
    around = workflow({**VALIDATE, "on_success": "run"}, APPROVE, run)
    assert await code_of(apply(env, around)) == ("unreached_step", "steps.approve")
    for way in ({"on_failure": "approve"}, {"on_timeout": "approve", "deadline": "1h"}):
        assert (await apply(env, workflow({**VALIDATE, "on_success": "run", **way}, APPROVE, run))).entry
    # Back to the agent before: the way that a request for changes takes without being told.
    review = {"id": "review", "human": {"type": "review"}, "on_success": "end"}
    rework = {"id": "rework", "agent": "writer"}
    assert (await apply(env, workflow({**VALIDATE, "on_success": "review"}, rework, review))).entry
    sign = {"id": "sign", "human": {"type": "approval"}, "on_success": "end"}
    lost = workflow({**VALIDATE, "on_success": "sign"}, rework, sign)
    assert await code_of(apply(env, lost)) == ("unreached_step", "steps.rework")


async def test_step_reached_only_by_a_policys_fallback_is_reachable(env: EngineEnv) -> None:
    await settle(env)
    policy = {"deadline": "1h", "on_timeout": "goto:clean", "approve": [{"any": ["role:approver"]}]}
    gate = {"id": "approve", "human": {"policy": "quiet"}, "on_success": "end"}
    clean = {"id": "clean", "agent": "cleaner"}
    manifest = compile_manifest({"policies": {"quiet": policy}, "workflows": [workflow(gate, clean)]})
    assert [planned.action for planned in (await env.manifests.apply(ROOT, manifest)).planned] == [
        "create",
        "create",
    ]


async def test_hint_about_a_cycle_names_a_route(env: EngineEnv) -> None:
    await settle(env)
    with pytest.raises(Invalid) as one:
        await apply(env, workflow({**APPROVE, "on_success": "approve"}))
    assert one.value.hint == "Give step 'approve' a route to 'end', or to a step that leads there."
    with pytest.raises(Invalid) as both:
        await apply(
            env, workflow({**VALIDATE, "on_success": "approve"}, {**APPROVE, "on_success": "validate"})
        )
    assert both.value.hint == "Give one of validate, approve a route to 'end', or to a step that leads there."


async def test_form_that_is_no_schema_is_refused_and_no_reference_is_fetched(env: EngineEnv) -> None:
    await settle(env)
    for form in ({"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/schema.json"}):
        ask = {"id": "ask", "human": {"type": "form", "form": form}}
        assert (await code_of(apply(env, workflow(ask))))[0] == "invalid_form_schema"


async def test_scenario_contains_its_own_plan(env: EngineEnv) -> None:
    await settle(env, people=(person("olga", "owner"),))
    await apply(env, workflow(VALIDATE))
    bundle = {
        "scenario_id": "s1",
        "agents": [{"role": "checker", "address": "agent://acme/prod/checker"}],
        "workflow": {
            "steps": [
                {"step_id": "check", "tool_id": "tool.agent.task.v1", "assigned_to": "checker"},
                {"step_id": "ok", "tool_id": "tool.approval.human_signoff", "requires_approval": True},
            ]
        },
        "intent": {"type": CHANGE, "payload": {}},
    }
    submission = await env.planner.scenario(WORKSPACE, compile_scenario(bundle), b"{}", "d" * 64)
    assert [step.id for step in submission.plan.steps] == ["check", "ok"]
    assert submission.to_agent == "agent://acme/prod/checker"


async def test_agent_changed_to_push_is_pushed_from_the_next_intent_on(env: EngineEnv) -> None:
    await settle(env)
    account, _ = await env.accounts.add_account(ROOT, ActorKind.AGENT, "validator")
    await apply(env, workflow(VALIDATE, APPROVE))
    assert step(await direct(env), AgentStep).push is False
    fields = {"delivery_mode": "http", "callback_url": "http://127.0.0.1:9/"}
    await env.accounts.update_account(ROOT, account.id, **fields)
    assert step(await direct(env), AgentStep).push is True


# -- what is remembered


def alive() -> int:
    """How many directory snapshots are in memory."""
    gc.collect()
    return sum(isinstance(one, Snapshot) for one in gc.get_objects())


async def test_old_directory_snapshot_is_freed_with_everything_derived_from_it(
    env: EngineEnv,
) -> None:
    await settle(env)
    await apply(env, workflow(VALIDATE, APPROVE))
    before = alive()
    for number in range(20):
        env.directory.changed(WORKSPACE)
        await direct(env)
        await direct(env, intent_type="intent.other.v1", to_agent=f"agent://acme/prod/a{number}")
        await direct(env, intent_type="intent.other.v1", human_task={"title": f"May we? {number}"})
    assert alive() <= before + 1


async def test_repeatable_plans_are_cached_and_others_are_not(env: EngineEnv) -> None:
    await settle(env)
    await apply(env, workflow(VALIDATE, APPROVE))
    directory = await env.directory.of(WORKSPACE)
    first = await direct(env)
    assert (await direct(env)).plan is first.plan
    request = compile_axp_intent({"intent_type": CHANGE})
    other = await env.planner.plan_request(WORKSPACE, request, b"{}", "d" * 64, ("per_rita",))
    assert other.plan is first.plan, "the same plan for whoever asks"
    kept = len(directory.made)
    for number in range(5):
        await direct(env, intent_type="intent.other.v1", human_task={"title": f"May we? {number}"})
    assert len(directory.made) == kept
    for number in range(KEPT + 5):
        await direct(env, intent_type="intent.other.v1", to_agent=f"agent://acme/prod/a{number}")
    assert len(directory.made) == KEPT


async def test_generated_correlation_ids_are_in_time_order(env: EngineEnv) -> None:
    """Random ids would each touch another page of their index."""
    first = await env.submit()
    await env.pass_time(timedelta(seconds=1))
    second = await env.submit()
    given = await env.submit(correlation_id="01890000-0000-7000-8000-00000000000a")
    assert "" < first.correlation_id < second.correlation_id
    assert given.correlation_id == "01890000-0000-7000-8000-00000000000a"
