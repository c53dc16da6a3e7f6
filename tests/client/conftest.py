"""Fixtures of the client tests: a stub on loopback, and clients connected to it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from signoff import Agent, Client
from tests.client.agent_env import AgentEnv
from tests.client.stub import Stub, stub_server

if TYPE_CHECKING:
    from signoff.testing import Server

KEY = "sgn_person_test_secret"


@pytest.fixture(autouse=True)
def saved_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which an agent saves results that it cannot report."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def stub() -> Iterator[Stub]:
    with stub_server() as stub:
        yield stub


@pytest.fixture
def client(stub: Stub) -> Iterator[Client]:
    with Client(stub.url, KEY) as client:
        yield client


@pytest.fixture
def agent_env(stub: Stub) -> AgentEnv:
    return AgentEnv(stub)


@pytest.fixture
def agent(stub: Stub) -> Agent:
    return Agent("agent://validator", url=stub.url, api_key=KEY, concurrency=2)


@pytest.fixture(scope="module")
def running() -> Iterator["Server"]:
    from signoff.testing import Server  # not on Windows, where other tests need this folder

    with Server() as server:
        yield server


@pytest.fixture
def server(running: "Server") -> "Server":
    """The module's server, with all answer rules removed."""
    running.leave()
    return running
