"""The SDK's groups for policies and for tasks against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from signoff import AsyncClient, Client, NotFound
from tests.live import Live
from tests.stories.servers import serving

POLICY = {"approve": [{"any": ["team:sre", "role:owner"]}], "remind": "5m", "deadline": "8h"}
FLOW = {
    "workflow": "mig",
    "intent_type": "intent.groups.v1",
    "steps": [{"id": "ok", "human": {"title": "Migrate?", "policy": "prod"}}],
}


@pytest.fixture
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A server for one test."""
    with serving(request, tmp_path / ".signoff") as live:
        yield live


def test_the_directory_is_changed_and_read(live: Live) -> None:
    with Client(live.url, live.owner_key) as client:
        people = client.directory
        added = people.add_person("ann@groups.example", name="Ann")
        assert added["roles"] == ["approver"]
        [warning] = added["warnings"]
        assert warning.startswith("from now on nobody decides their own requests")
        assert people.change_person("ann@groups.example", zone="Europe/Berlin")["zone"] == "Europe/Berlin"
        assert people.set_team("sre", ["ann@groups.example"])["members"] == ["ann@groups.example"]
        assert people.set_policy("prod", POLICY)["version"] == 1
        assert not people.apply({"policies": {"prod": POLICY}}, dry_run=True)["changed"]
        assert [change["kind"] for change in people.changes(3)] == ["policy", "team", "person"]
        [latest, *older] = people.changes(3)
        assert people.changes(1, before=latest["number"]) == older[:1]
        assert "ann@groups.example" in [person["email"] for person in people.people()]
        assert [team["name"] for team in people.teams()] == ["sre"]
        assert people.explain_policy("prod")["stages"][0]["need"] == 1
        with pytest.raises(NotFound):
            people.explain_policy("nope")


async def test_task_is_delegated_revised_and_withdrawn_by_both_clients(live: Live) -> None:
    async with AsyncClient(live.url, live.owner_key) as client:
        await client.directory.set_team("sre", [live.credentials["person"]])
        await client.directory.set_policy("prod", POLICY)
        await client.apply_workflow(FLOW)
        intent_id = await client.send_intent({"intent_type": "intent.groups.v1", "payload": {"n": 1}})
        tasks = client.tasks
        assert (await tasks.explain(intent_id))["asked"]
        assert await tasks.messages(intent_id) == []
        assert (await tasks.mark_reviewing(intent_id))["reviewed_by"]
        assert "reviewed_by" not in await tasks.mark_reviewing(intent_id, clear=True)
        await tasks.comment(intent_id, "why now?")
        assert (await tasks.revise(intent_id, {"n": 2}, "less"))["revision"] == 2
        assert (await client.get_intent(intent_id)).payload == {"n": 2}
        assert (await tasks.reassign(intent_id, ["team:sre"]))["state"] == "open"
        assert (await tasks.withdraw(intent_id, "not needed"))["ending"] == "withdrawn"
