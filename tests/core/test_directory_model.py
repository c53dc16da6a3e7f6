"""What the settings of a workspace mean."""

import pytest

from signoff.core.directory.model import ALONE, Workspace
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
def test_self_approval_of_the_first_start_is_for_one_person(
    on: bool, alone: bool, setting: bool | str, one: bool, two: bool
) -> None:
    space = Workspace("wsp_1", "o", "n", on, START, self_approval_alone=alone)
    assert space.self_approval_setting == setting
    assert (space.allows_self_approval(1), space.allows_self_approval(2)) == (one, two)
