"""Ids of intents and of their step runs."""

import pytest

from signoff.core.ids import new_intent_id, shard, split_ref, step_run_id
from tests.core.asking import refusal

AN_ID = new_intent_id(1_700_000_000_000, bytes(range(10)))


def test_step_run_id_names_its_intent_and_number() -> None:
    assert split_ref(step_run_id(AN_ID, 7)) == (AN_ID, 7)
    assert split_ref(step_run_id(AN_ID, 0xFFFF).upper()) == (AN_ID, 0xFFFF)
    assert split_ref(AN_ID) == (AN_ID, 0)
    assert step_run_id(AN_ID, 0) == AN_ID
    assert AN_ID[14] == "7", "a UUID of version 7"


@pytest.mark.parametrize("text", ["", "x", AN_ID[:-1], AN_ID + "0", f"{AN_ID} ", AN_ID.replace("-", "_")])
def test_malformed_id_is_not_found(text: str) -> None:
    assert refusal(lambda: split_ref(text)).code == "not_found"


def test_ids_are_spread_over_256_shards() -> None:
    found = {shard(new_intent_id(0, bytes([0] * 4 + [byte] + [0] * 5))) for byte in range(256)}
    assert (min(found), max(found), len(found)) == (0, 255, 256)
