"""The meaning of a workspace's settings."""

import pytest
from msgspec.structs import replace

from signoff.core.directory.model import ALONE, REMOVED, Person, Workspace
from tests.builders import START


@pytest.mark.parametrize(
    ("on", "alone", "setting", "one", "two"),
    [
        (False, False, False, False, False),
        (False, True, False, False, False),
        (True, True, ALONE, True, False),
        (True, False, True, True, True),
    ],
)
def test_initial_self_approval_ends_with_a_second_person(
    on: bool, alone: bool, setting: bool | str, one: bool, two: bool
) -> None:
    space = Workspace("wsp_1", "o", "n", on, START, self_approval_alone=alone)
    assert space.self_approval_setting == setting
    assert (space.allows_self_approval(1), space.allows_self_approval(2)) == (one, two)


@pytest.mark.parametrize(
    ("organization", "name", "meant"),
    [
        ("", "", True),
        ("", "wsp_1", True),
        ("", "prod", True),
        ("acme", "prod", True),
        ("acme", "", True),
        ("old", "live", True),  # a former name
        ("", "live", True),
        ("acme", "live", False),  # never both at once
        ("other", "prod", False),
        ("other", "", False),
        ("", "test", False),
    ],
)
def test_workspace_is_found_by_its_names_and_its_id(organization: str, name: str, meant: bool) -> None:
    space = Workspace("wsp_1", "acme", "prod", False, START, former=("old/live",))
    assert space.full_names == ("acme/prod", "old/live")
    assert space.is_called(organization, name) is meant


def test_default_policy_or_unlisted_types_setting_gives_a_workspace_rules() -> None:
    space = Workspace("wsp_1", "acme", "prod", False, START)
    assert not space.has_rules_for_requests
    assert replace(space, default_policy="strict").has_rules_for_requests
    assert replace(space, unlisted_types="refuse").has_rules_for_requests


def test_mail_goes_to_the_persons_preferred_address() -> None:
    ann = Person("per_1", "wsp_1", "ann@acme.example", "Ann", (), START)
    assert (ann.mail_address, ann.removed) == ("ann@acme.example", False)
    assert replace(ann, addresses={"email": "ann@home.example"}).mail_address == "ann@home.example"
    assert replace(ann, email=f"{REMOVED}per_1").removed
