"""Permissions that do not concern a single intent: each role and kind of key, each action."""

import pytest
from msgspec.structs import replace

from signoff.core.directory.actors import Actor, ActorKind
from signoff.core.directory.authorization import RULES, Action, authorize, permits
from signoff.core.directory.model import Account, ApiKey, Person
from signoff.core.errors import Refused
from tests.builders import AGENT, ANN, AUDITOR, RITA, SERVICE, START, SYSTEM, WORKSPACE, person

ACTORS = {
    "owner": person("olga", "owner"),
    "admin": person("ada", "admin"),
    "auditor": AUDITOR,
    "approver": ANN,
    "member": RITA,
    "agent": AGENT,
    "service": SERVICE,
    "system": SYSTEM,
}
# "yes"; "own": only with what is the actor's own; else what the refusal says is required: its
# code, without "_required". In the order of ACTORS.
TABLE = """
READ_DIRECTORY     yes yes yes yes yes person person yes
READ_ALL           yes yes yes auditor auditor auditor auditor yes
READ_PERSON        yes yes yes own own auditor auditor yes
READ_ACCOUNT       yes yes yes auditor auditor own own yes
READ_CHANGES       yes yes yes auditor auditor person person yes
READ_METRICS       yes yes yes auditor auditor auditor auditor yes
CHANGE_DIRECTORY   yes yes admin admin admin admin admin yes
CHANGE_OWNERS      yes owner owner owner owner owner owner yes
ERASE_PERSON       yes owner owner owner owner owner owner owner
CHANGE_PREFERENCES yes yes own own own admin admin yes
END_PROPOSAL       yes yes admin admin admin admin admin admin
REGISTER_AGENT     yes yes admin admin admin admin yes yes
REGISTER_SERVICE   yes yes admin admin admin admin admin yes
CHANGE_AGENT       yes yes admin admin admin admin own yes
CHANGE_SERVICE     yes yes admin admin admin admin admin yes
LIST_KEYS          yes yes yes yes yes not_allowed yes yes
CREATE_PERSON_KEY  yes yes own own own admin admin yes
CREATE_OWNER_KEY   yes owner owner owner owner owner owner owner
REVOKE_PERSON_KEY  yes yes own own own admin admin yes
USE_SESSIONS       yes yes yes yes yes person person person
MANAGE_SESSIONS    yes yes own own own person person person
ALLOW_TERMINAL     own own own own own person person person
LINK_CHAT          yes yes yes yes yes person person person
TEST_MESSAGE       yes yes own own own admin admin admin
LIST_TASKS         yes yes yes yes yes person yes yes
LIST_MESSAGES      yes yes yes yes yes person yes yes
READ_INBOX         yes yes yes yes yes own own yes
READ_OPEN_TASKS    yes yes own own own admin admin admin
REASSIGN_ALL       yes yes admin admin admin admin admin admin
SEND_HEARTBEAT     agent agent agent agent agent yes agent agent
KILL_AGENT         yes yes admin admin admin admin admin admin
RESTRICT_AGENT     yes yes admin admin admin admin admin admin
READ_RESTRICTIONS  yes yes yes yes yes own own yes
READ_CHANNELS      yes yes admin admin admin admin admin admin
MANAGE_WORKSPACES  yes owner owner owner owner owner owner owner
MANAGE_KEYS        yes yes admin admin admin admin admin admin
"""
ROWS = {Action[name]: cells for name, *cells in (row.split() for row in TABLE.strip().splitlines())}


def own(actor: Actor, action: Action) -> Person | Account | ApiKey | str:
    """The target of the action that belongs to the actor."""
    if action in (Action.READ_PERSON, Action.CREATE_PERSON_KEY, Action.READ_OPEN_TASKS, Action.TEST_MESSAGE):
        return Person(actor.id, WORKSPACE, "", "", (), START)
    if action is Action.REVOKE_PERSON_KEY:
        return ApiKey("sak_1", WORKSPACE, actor.kind, actor.id, "", "", "", START)
    if action in (Action.READ_ACCOUNT, Action.CHANGE_AGENT):
        behind = {"registrar": (actor.id,)} if actor.kind is ActorKind.SERVICE else {}
        id = "sa_another" if behind else actor.id
        return Account(
            id, WORKSPACE, "agent", "", "", "", "", "", "poll", "", "", "active", "", START, START, behind
        )
    return actor.id


def code(actor: Actor, action: Action, resource: Person | Account | ApiKey | str) -> str:
    try:
        authorize(actor, action, resource)
    except Refused as refusal:
        assert not permits(actor, action, resource)
        return refusal.code.removesuffix("_required")
    assert permits(actor, action, resource)
    return "yes"


def test_every_action_has_a_rule_and_a_test_row() -> None:
    assert set(RULES) == set(ROWS) == set(Action)


@pytest.mark.parametrize("action", Action)
def test_actions_are_authorized_as_in_the_table(action: Action) -> None:
    for (name, actor), cell in zip(ACTORS.items(), ROWS[action], strict=True):
        others = own(replace(person("eve"), kind=ActorKind.AGENT), action)
        found = code(actor, action, own(actor, action)), code(actor, action, others)
        if cell == "own":
            assert found[0] == "yes", name
            assert found[1] not in ("yes", "own"), name
        else:
            assert found == (cell, cell), name


def test_refusals_name_the_holder_of_the_key() -> None:
    for actor, holder in ((AGENT, "An agent's"), (SERVICE, "A service's")):
        with pytest.raises(Refused, match=f"{holder} key may not read people, teams and policies"):
            authorize(actor, Action.READ_DIRECTORY)
    with pytest.raises(Refused, match="There is no person per_eve that you may sign out"):
        authorize(ANN, Action.MANAGE_SESSIONS, "per_eve")
