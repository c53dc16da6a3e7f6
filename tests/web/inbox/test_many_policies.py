"""The list of policies reads each workflow once and looks up each approver once."""

from msgspec import json

from signoff.core.policy.fields import clauses
from signoff.engine.read.policy_text import PolicyNames
from signoff.web.pages.admin.policies import flows_by_policy
from tests.web.inbox.reading import reader
from tests.web.web_env import HOME, WebEnv
from tests.work import calls

POLICY = {"approve": [{"any": ["role:approver", "ann@acme.example"]}]}
COUNT = 20


async def furnish(web: WebEnv) -> None:
    names = [f"p{number:02}" for number in range(COUNT)]
    steps = [
        {"id": f"s{number}", "human": {"title": "May we?", "policy": name}}
        for number, name in enumerate(names)
    ]
    flow = {"workflow": "w", "intent_type": "intent.many.v1", "steps": steps}
    manifest = {"policies": dict.fromkeys(names, POLICY), "workflows": [flow]}
    answer = await web.post("/v1/apply", json.encode(manifest), "oscar")
    assert answer.status == 200, answer.text


async def test_policies_name_their_workflows_which_are_each_read_once(web: WebEnv) -> None:
    await furnish(web)
    directory = await web.env.directory.of(HOME)
    assert flows_by_policy(directory) == {f"p{number:02}": ["w"] for number in range(COUNT)}
    assert calls(lambda: flows_by_policy(directory), of="decode") == 1
    page = await (await reader(web, "oscar")).get("/policies")
    assert page.html.count("role approver (") == COUNT


async def test_approver_in_many_policies_is_looked_up_once(web: WebEnv) -> None:
    await furnish(web)
    directory = await web.env.directory.of(HOME)
    names = PolicyNames(directory)

    def describe() -> list[tuple[str, ...]]:
        return [tuple(clauses(found.policy, names)) for found in directory.policies.values()]

    assert calls(describe, of="_listed") == 2
