"""Documents from untrusted senders: strategies for any JSON, and for objects that are almost valid."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from signoff.core.errors import Invalid

T = TypeVar("T")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["x" * 300, "\ud800", "a\nb", "", "0", "end", "https://x.example/y", "ann@acme.example"]),
)
anything: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def sometimes(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The likely value seven times out of eight, otherwise any value."""
    return st.integers(0, 7).flatmap(lambda n: anything if n == 0 else likely)


def json_objects(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, each of them sometimes invalid."""
    return st.fixed_dictionaries({}, optional={name: sometimes(value) for name, value in fields.items()})


def tried(read: Callable[[], T]) -> tuple[T | None, Invalid | None]:
    """(the result, None) or (None, the refusal)."""
    try:
        return read(), None
    except Invalid as refusal:
        return None, refusal
