"""A server whose picture of the directory is old does not write over what another has changed meanwhile."""

from typing import Any

import pytest

from signoff.core.errors import Conflict
from signoff.core.formats.manifest import compile_charter
from signoff.engine.clock import FixedClock
from tests.builders import ANN, OTTO, WORKSPACE
from tests.conftest import TABLES
from tests.engine.works import ROOT, Works, open_works, settle


async def apply(works: Works, who: str = "ann", **said: Any) -> None:
    await works.registry.apply(ROOT, compile_charter({"people": {f"{who}@acme.example": said}}))


async def test_who_was_let_go_on_one_server_is_not_let_in_by_a_change_on_another(
    postgres_url: str, clock: FixedClock
) -> None:
    here, there = [await open_works(postgres_url, clock) for _ in range(2)]
    try:
        await here.store.write(*((f"delete from {table}", {}) for table in TABLES))
        await settle(here, people=(ANN, OTTO))
        assert (
            (await there.directory.of(WORKSPACE)).people[ANN.id].active
        )  # it hears of nothing, and believes it
        await apply(here, active=False)
        with pytest.raises(Conflict) as told:
            await apply(there, zone="Europe/Berlin")
        assert told.value.code == "changed_meanwhile"
        await apply(there, zone="Europe/Berlin")
        person = await here.store.directory.person(ANN.id)
        assert person is not None
        assert (person.active, person.zone) == (False, "Europe/Berlin")
        last, first = await here.store.people.changes(WORKSPACE, 9)
        assert (last.before, last.number) == (first.after, 2)
    finally:
        await here.store.close()
        await there.store.close()


async def test_what_was_changed_about_something_else_is_in_nobodys_way_and_is_seen(
    postgres_url: str, clock: FixedClock
) -> None:
    here, there = [await open_works(postgres_url, clock) for _ in range(2)]
    try:
        await here.store.write(*((f"delete from {table}", {}) for table in TABLES))
        await settle(here, people=(ANN, OTTO))
        await there.directory.of(WORKSPACE)
        for who in ("ann", "otto"):
            await apply(here, who, roles=["admin", "approver"])
        await here.registry.apply(ROOT, compile_charter({"workspace": {"protected": True}}))
        with pytest.raises(Conflict) as held_up:  # it does not know yet that the workspace is protected
            await apply(there, "new", roles=["approver"])
        assert held_up.value.code == "confirmation_needed"
        await apply(here, zone="Europe/Berlin")
        await apply(there, "new", roles=["member"])
    finally:
        await here.store.close()
        await there.store.close()
