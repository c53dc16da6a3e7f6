"""A transaction that is repeated after a serialization failure takes effect once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FixedClock
from tests.store.contended import ContendedStore
from tests.store.samples import ready, submit

ROOT = Path(__file__).parents[2]
# What together runs the statements of the commit path and the outbox; others can be run so by hand:
# pytest --contended -k postgres tests/engine
SELECTION = (
    "tests/store/test_transact.py",
    "tests/store/test_outbox.py",
    "tests/store/test_cursors.py",
    "tests/store/test_replies.py",
    "tests/engine/test_once.py",
    "tests/engine/test_deciding.py",
    "tests/engine/test_pipeline.py",
)
# A claim skips rows that another transaction has locked, even if that one then fails: it may find fewer.
OTHERWISE = "tests/store/test_transact.py::test_delivery_is_claimed_once"


async def test_contended_store_runs_each_transaction_twice(postgres_url: str, clock: FixedClock) -> None:
    store = ContendedStore(postgres_url, clock=clock.map, listen=False)
    await store.open()
    before = ContendedStore.failures
    [made] = await submit(store, ready())
    assert ContendedStore.failures == before + 1
    assert len(await store.read("select 1 from events where intent_id = :id", id=made.id)) == 1
    assert ContendedStore.failures == before + 2
    await store.close()


@pytest.mark.timeout(300)
def test_suites_pass_if_every_transaction_fails_once() -> None:
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "-k",
        "postgres",
        "--contended",
        "--deselect",
        OTHERWISE,
    ]
    command = [sys.executable, "-m", "pytest", *options, *SELECTION]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-6000:]
