"""Errors about invalid values do not assume knowledge of Python."""

import re
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from signoff.core.errors import Invalid
from signoff.web.http.bodies import ours
from tests.web.web_env import WebEnv


class Inner(msgspec.Struct):
    name: str


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=3)] | None = None
    word: Annotated[str, Meta(pattern="^a")] = "a"
    count: Annotated[int, Meta(ge=1, le=5)] = 1
    size: Annotated[float, Meta(gt=0, lt=2.5)] = 1
    on: bool = True
    many: Annotated[list[str], Meta(min_length=1, max_length=2)] | None = None
    inner: Inner | None = None
    either: float | str = ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"text": 3}, "text: must be text or null, not a whole number."),
        ({"text": ""}, "text: must be text of at least 1 character."),
        ({"text": "long"}, "text: must be text of at most 3 characters."),
        ({"word": "b"}, "word: must be text matching regex '^a'."),
        ({"word": None}, "word: must be text, not null."),
        ({"count": 0}, "count: must be a whole number of at least 1."),
        ({"count": 6}, "count: must be a whole number of at most 5."),
        ({"count": 1.5}, "count: must be a whole number, not a number."),
        ({"size": 0}, "size: must be a number above 0."),
        ({"size": 3}, "size: must be a number below 2.5."),
        ({"on": "yes"}, "on: must be true or false, not text."),
        ({"many": []}, "many: must be a list of at least 1 entry."),
        ({"many": ["a", "b", "c"]}, "many: must be a list of at most 2 entries."),
        ({"many": [True]}, "many[0]: must be text, not true or false."),
        ({"inner": []}, "inner: must be an object or null, not a list."),
        ({"inner": {}}, "inner.name: is required."),
        ({"either": {}}, "either: must be a number or text, not an object."),
    ],
)
def test_type_error_is_reported_in_plain_words(value: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        ours(Body, msgspec.json.encode(value))
    assert refused.value.message == said
    assert not re.search(r"`|\b(str|int|float|bool|array)\b", refused.value.message)
    [error] = refused.value.details["errors"]
    assert f"{error['field']}: {error['message']}." == said


async def test_error_text_reaches_the_sender(web: WebEnv) -> None:
    refused = await web.post("/v1/keys", {"name": 3}, "oscar")
    assert refused.status == 422
    assert "must be text" in refused.json["error"]["message"]
