"""A real server on either database, the SDK, and a requester who tries everything that could loosen the approval."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from signoff import Client, Conflict, Invalid, PermissionDenied
from signoff.core.directory.actors import ActorKind
from signoff.engine.clock import Clock
from signoff.engine.directory.snapshot import DirectoryCache
from signoff.engine.feed import Feed
from signoff.engine.identity.keys import Keys
from signoff.store.opening import open_store
from tests.live import Live
from tests.stories.servers import KINDS, serving

MANIFEST: dict[str, Any] = {
    "people": {f"{name}@acme.example": {"roles": ["approver"]} for name in ("ann", "bob", "cleo", "dan")},
    "policies": {
        "strict": {
            "approve": [{"any": [f"{name}@acme.example" for name in ("ann", "bob", "dan")], "need": 2}]
        },
        "lax": {"approve": [{"any": ["cleo@acme.example"]}], "self_approval": True, "risk": "low"},
    },
    "workspace": {"self_approval": False, "default_policy": "strict", "unlisted_types": "gate"},
}
EASIER: dict[str, Any] = {
    "policy_id": "lax",
    "policy": "lax",
    "approvers": ["cleo@acme.example"],
    "quorum": 0,
    "risk": "low",
    "environment": "dev",
}
PROD = {"target": "prod-postgres-main", **EASIER}


@pytest.fixture(params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Live]:
    with serving(request, tmp_path / ".signoff", request.param) as live:
        yield live


async def keys_of_their_own(live: Live, *names: str) -> dict[str, str]:
    """Keys that only the operator created, in the database."""
    clock = Clock()
    store = open_store(live.database or f"sqlite:///{live.data}/signoff.db", wall=clock.wall)
    await store.open()
    try:
        [space] = await store.directory.workspaces()
        keys = Keys(store, DirectoryCache(store, Feed(None)), clock)
        made = {}
        for name in names:
            person = await store.directory.person_by_email(space.id, f"{name}@acme.example")
            assert person is not None
            made[name] = (await keys.create(space.id, ActorKind.PERSON, person.id, person.id)).secret
        return made
    finally:
        await store.close()


@pytest.fixture
def clients(live: Live) -> Iterator[dict[str, Client]]:
    """The clients of the owner, of three approvers, and of a service."""
    with ExitStack() as stack:
        owner = stack.enter_context(Client(live.url, live.owner_key))
        owner.directory.apply(MANIFEST)
        # whoever makes another's key stands behind it, so nobody here does
        live.stop()
        keys = asyncio.run(keys_of_their_own(live, "ann", "bob", "cleo"))
        live.start()
        keys["ci"] = owner.create_key(service="ci").api_key
        made = {name: stack.enter_context(Client(live.url, key)) for name, key in keys.items()}
        yield {"owner": owner, **made}


def test_requester_cannot_bypass_the_default_policy(live: Live, clients: dict[str, Client]) -> None:
    owner = clients["owner"]
    owner.create_key(agent="migrator")
    ask = {**EASIER, "assignees": ["cleo@acme.example"], "allowed_outcomes": ["approved"]}
    asked = {"intent_type": "intent.unknown.v1", "payload": PROD, **EASIER}
    for body in ({**asked, "to_agent": "migrator"}, {**asked, "human_task": ask}):
        intent_id = clients["ci"].send_intent(body)
        assert clients["ci"].get_intent(intent_id).status == "WAITING"
        _two_are_needed(clients, intent_id)
    live.restart()  # the setting is the database's, not the process's
    assert (owner.me().default_policy, owner.me().unlisted_types) == ("strict", "gate")
    owner.directory.apply({"workspace": {"unlisted_types": "refuse"}})
    with pytest.raises(Invalid, match="No workflow is registered"):
        clients["ci"].send_intent(asked)


def test_amount_chooses_the_policy_and_no_revision_crosses_the_threshold(
    live: Live, clients: dict[str, Client]
) -> None:
    owner, ci, bob = clients["owner"], clients["ci"], clients["bob"]
    choices = [{"when": {"amount": {"above": "1000 EUR"}}, "use": "strict"}, {"use": "lax"}]
    step = {"id": "ok", "human": {"policy": choices}}
    owner.apply_workflow({"workflow": "refund", "intent_type": "intent.refund.v1", "steps": [step]})
    refund: dict[str, Any] = {"intent_type": "intent.refund.v1", **EASIER}
    for amount in (None, 5000, "5000", "50 USD"):
        with pytest.raises(Invalid, match=r"payload\.amount"):
            ci.send_intent({**refund, "payload": {"amount": amount}})
    small = ci.send_intent({**refund, "payload": {"amount": "999.99 EUR"}})
    large = ci.send_intent({**refund, "payload": {"amount": "1000.01 EUR"}})
    live.restart()
    with pytest.raises(Conflict, match="under policy 'strict'"):
        clients["cleo"].tasks.revise(small[:-4] + "0001", {"amount": "1000.01 EUR"})
    with pytest.raises(Conflict, match="under policy 'lax'"):
        bob.tasks.revise(large[:-4] + "0001", {"amount": "5 EUR"})
    assert clients["cleo"].approve(small[:-4] + "0001").state != "open"
    _two_are_needed(clients, large)


def _two_are_needed(clients: dict[str, Client], intent_id: str) -> None:
    task_id = intent_id[:-4] + "0001"
    explained = clients["ann"].tasks.explain(task_id)
    assert (explained["policy"], explained["stages"][0]["need"]) == ("strict@1", 2)
    for other in (clients["cleo"], clients["owner"]):
        with pytest.raises(PermissionDenied):
            other.approve(task_id)
    assert clients["ann"].approve(task_id).state == "open"
    assert clients["bob"].approve(task_id).state != "open"
