"""Documents: times and durations as authors write them, and tables of structs."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import msgspec
import pytest

from signoff.core.errors import Invalid
from signoff.core.text.document_reader import Fields, in_utc
from signoff.core.text.struct_reader import read_struct


class Limit(msgspec.Struct):
    most: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1


class Limits(msgspec.Struct):
    of: Annotated[dict[str, Limit], msgspec.Meta(max_length=2)] = {}


def test_timestamp_is_read_in_utc_and_requires_a_zone() -> None:
    at = datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1)))
    assert in_utc(at, "until") == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert in_utc(at, "until").tzinfo is UTC
    with pytest.raises(Invalid) as refusal:
        in_utc(at.replace(tzinfo=None), "until")
    assert (refusal.value.code, refusal.value.field) == ("zone_required", "until")


def test_table_of_structs_is_read_entry_by_entry() -> None:
    assert read_struct(Limits, Fields({"of": {"a": {"most": 3}, "b": {}}})) == Limits(
        {"a": Limit(3), "b": Limit()}
    )
    with pytest.raises(Invalid) as refusal:
        read_struct(Limits, Fields({"of": {"a": {"most": 10}}}))
    assert refusal.value.field == "of.a.most"
