"""Each kind of notification is declared once; what is sent, printed and posted follows from its traits."""

import pytest

from signoff.core.intent.notifications import (
    ASKING,
    FOLLOWING,
    PERSONAL,
    QUIET,
    KindTrait,
    NotificationKind,
    kinds_with,
)

FIELDS = {"title", "number", "to", "ended", "type", "status"}


@pytest.mark.parametrize("kind", NotificationKind)
def test_title_of_a_kind_uses_only_fields_that_messages_fill(kind: NotificationKind) -> None:
    filled = kind.title_template.format(**{name: f"<{name}>" for name in FIELDS})
    assert "{" not in filled
    assert "<" in filled


def test_stored_value_finds_its_kind() -> None:
    assert NotificationKind("task.snooze_over") is NotificationKind.SNOOZE_ENDED
    assert "task.opened" in ASKING, "rows of messages store the value"
    assert len({kind.label for kind in NotificationKind}) == len(NotificationKind)


def test_sets_of_kinds_follow_from_their_traits() -> None:
    for trait, kinds in (
        (KindTrait.ASKS, ASKING),
        (KindTrait.FOLLOWS, FOLLOWING),
        (KindTrait.PERSONAL, PERSONAL),
        (KindTrait.QUIET, QUIET),
    ):
        assert kinds == kinds_with(trait) == {kind for kind in NotificationKind if kind.traits & trait}
    assert not ASKING & FOLLOWING
