"""Servers that stories share: one on each of the two databases, started once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Live
from tests.stories.axp_env import AxpEnv
from tests.stories.servers import KINDS, self_approving, serving

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stories start, kill and wait for several processes: on a busy machine that takes more than a minute."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session", params=KINDS)
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with its own database; stories use names of their own to stay independent. Some add people, and in most
    the owner decides the owner's own requests, so self-approval is enabled for any number of people.
    """
    with serving(
        request, tmp_path_factory.mktemp("live") / ".signoff", request.param, allow_private_callbacks="on"
    ) as live:
        yield self_approving(live)


@pytest.fixture
def sqlite_live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    """A server for a single story."""
    with serving(request, tmp_path / ".signoff") as live:
        yield live


@pytest.fixture
def axp(live: Live) -> Iterator[AxpEnv]:
    with AxpEnv(live) as axp:
        yield axp


@pytest.fixture
def sqlite_axp(sqlite_live: Live) -> Iterator[AxpEnv]:
    with AxpEnv(sqlite_live) as axp:
        yield axp
