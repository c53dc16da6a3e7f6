"""The API's refusals follow the table of actions for every endpoint."""

from typing import Any

import pytest

from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Person
from signoff.core.errors import Refused
from tests.web.web_env import HOME, WebEnv

ANN = "per_ann"
CALLS: dict[Action, tuple[str, str, Any]] = {
    Action.READ_DIRECTORY: ("GET", "/v1/people", None),
    Action.READ_CHANGES: ("GET", "/v1/changes", None),
    Action.READ_METRICS: ("GET", "/metrics", None),
    Action.CHANGE_DIRECTORY: ("PUT", "/v1/teams/sre", {"members": ["ann@acme.example"]}),
    Action.CHANGE_PREFERENCES: ("PATCH", "/v1/people/ann@acme.example", {"zone": "Europe/Berlin"}),
    Action.END_PROPOSAL: ("POST", "/v1/proposals/chg_none/confirm", None),
    Action.REGISTER_AGENT: ("POST", "/v1/service-accounts", {"name": "fresh"}),
    Action.REGISTER_SERVICE: ("POST", "/v1/keys", {"service": "fresh-service"}),
    Action.CHANGE_AGENT: ("POST", "/v1/keys", {"agent": "validator"}),
    Action.LIST_KEYS: ("GET", "/v1/keys", None),
    Action.MANAGE_SESSIONS: ("GET", f"/v1/people/{ANN}/sessions", None),
    Action.LIST_TASKS: ("GET", "/v1/tasks", None),
    Action.READ_OPEN_TASKS: ("GET", f"/v1/people/{ANN}/waiting", None),
    Action.REASSIGN_ALL: ("POST", f"/v1/people/{ANN}/reassign", {"to": "otto@acme.example", "comment": "x"}),
    Action.ERASE_PERSON: ("POST", "/v1/people/per_none/erase", None),
    Action.MANAGE_WORKSPACES: ("PATCH", "/v1/workspaces/current", {"name": "prod"}),
    Action.SEND_HEARTBEAT: ("POST", "/v1/mesh/heartbeat", {}),
    Action.KILL_AGENT: ("POST", "/v1/mesh/agents/stranger/kill", None),
    Action.RESTRICT_AGENT: ("PUT", "/v1/mesh/agents/stranger/policies/cost", {"max_intents_per_day": 9}),
    Action.READ_RESTRICTIONS: ("GET", "/v1/agents/validator/policy", None),
    Action.READ_CHANNELS: ("GET", "/v1/channels", None),
}
# Their path names somebody, so a program is told first that it does not read who is here.
NAMING = {Action.CHANGE_PREFERENCES, Action.READ_OPEN_TASKS}
REFUSALS = {
    "admin_required",
    "owner_required",
    "auditor_required",
    "person_required",
    "agent_required",
    "not_allowed",
    "not_yours",
}


@pytest.mark.parametrize("action", CALLS)
async def test_api_follows_the_authorization_table(web: WebEnv, action: Action) -> None:
    await web.join("adam", "admin")
    method, path, body = CALLS[action]
    book = await web.env.directory.of(HOME)
    resource: Any = {
        Action.CHANGE_PREFERENCES: "ann@acme.example",
        Action.CHANGE_AGENT: book.account("validator"),
        Action.READ_RESTRICTIONS: book.account("validator"),
        Action.MANAGE_SESSIONS: ANN,
        Action.READ_OPEN_TASKS: Person(ANN, HOME, "", "", (), web.clock.now()),
    }.get(action)
    for who in ("oscar", "adam", "aud", "ann", "rita", "agent", "ci"):
        answer = await web.call(method, path, body, who)
        expected = ""
        try:
            actor = await web.env.keys.authenticate(web.keys[who], "api")
            if action in NAMING:
                authorize(actor, Action.READ_DIRECTORY)
            authorize(actor, action, resource)
        except Refused as refusal:
            expected = refusal.code
        if expected:
            assert answer.code == expected, who
        else:
            assert answer.code not in REFUSALS, who
