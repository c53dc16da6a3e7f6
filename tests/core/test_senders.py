"""Who may send to an agent: patterns, and the three modes."""

from datetime import timedelta

import pytest

from signoff.core.directory.agent_limits import AgentLimits, Usage, limit_reached
from signoff.core.directory.model import Account
from signoff.core.directory.senders import (
    ALLOWLIST,
    DENYLIST,
    MOST,
    OPEN,
    SenderPattern,
    Senders,
    is_elsewhere,
    pattern_of,
    refuse_sender,
)
from signoff.core.errors import Conflict, Forbidden, Invalid, NotFound
from tests.conftest import NOON

CI = "agent://acme/prod/ci"


def agent(mode: str, *patterns: str) -> Account:
    entries = tuple(SenderPattern(f"snd_{at}", pattern) for at, pattern in enumerate(patterns))
    return Account(
        "sa_1",
        "ws",
        "agent",
        "bot",
        "bot",
        "agent://acme/prod/bot",
        "",
        "",
        "stream",
        "",
        "",
        "active",
        "",
        NOON,
        NOON,
        senders=Senders(mode, entries),
    )


def accepted(agent: Account, sender: str, claimed: str = "") -> bool:
    try:
        refuse_sender(agent, {sender}, {claimed})
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "sender", "matches"),
    [
        (CI, CI, True),
        (CI, "agent://acme/prod/ci2", False),
        ("agent://acme/prod/*", CI, True),
        ("agent://acme/prod/*", "agent://acme/production/ci", False),
        ("agent://acme/*", CI, True),
        ("agent://acme/*", "agent://acmes/prod/ci", False),
        ("agent://acme/*", "", False),
        ("*", CI, True),
        ("*", "", True),
    ],
)
def test_allowlist_accepts_matching_senders_and_denylist_the_others(
    pattern: str, sender: str, matches: bool
) -> None:
    assert accepted(agent(ALLOWLIST, pattern), sender) is matches
    assert accepted(agent(DENYLIST, pattern), sender) is not matches
    assert accepted(agent(OPEN, pattern), sender)


def test_claimed_author_can_only_exclude_a_request() -> None:
    assert not accepted(agent(ALLOWLIST, CI), "agent://acme/prod/other", claimed=CI)
    assert not accepted(agent(DENYLIST, CI), "agent://acme/prod/other", claimed=CI)


def test_empty_allowlist_accepts_nobody_and_empty_denylist_everybody() -> None:
    assert not accepted(agent(ALLOWLIST), CI)
    with pytest.raises(Forbidden, match="accepts no work from this sender") as refused:
        refuse_sender(agent(ALLOWLIST), {CI}, ())
    assert refused.value.code == "sender_not_allowed"
    assert accepted(agent(DENYLIST), CI)
    refuse_sender(None, {CI}, ())


@pytest.mark.parametrize(
    ("said", "pattern"),
    [
        ("ci", CI),
        ("acme/prod/ci", CI),
        (CI, CI),
        ("acme/prod/*", "agent://acme/prod/*"),
        ("agent://acme/*", "agent://acme/*"),
        (" * ", "*"),
    ],
)
def test_patterns_are_canonicalized(said: str, pattern: str) -> None:
    assert pattern_of(said, "acme", "prod") == pattern


@pytest.mark.parametrize(
    "said",
    [
        "",
        "/*",
        "agent://*",
        "a*",
        "acme/p*/ci",
        "acme/prod/ci/*",
        "*/prod/ci",
        "acme/*/*",
        "worker?x=1",
        "two words",
    ],
)
def test_invalid_patterns_are_refused(said: str) -> None:
    with pytest.raises(Invalid) as refused:
        pattern_of(said, "acme", "prod")
    assert refused.value.field == "sender_pattern"


def test_entries_are_added_once_and_removed_by_id_or_pattern() -> None:
    senders = Senders().with_entry(SenderPattern("snd_1", CI)).with_entry(SenderPattern("snd_2", "*"))
    assert senders.with_entry(SenderPattern("snd_3", CI)) == senders
    assert [one.pattern for one in senders.without_entry("snd_1").entries] == ["*"]
    assert [one.pattern for one in senders.without_entry("*").entries] == [CI]
    with pytest.raises(NotFound):
        senders.without_entry("snd_9")
    assert senders.with_mode(DENYLIST).entries == senders.entries
    with pytest.raises(Invalid):
        senders.with_mode("closed")
    full = Senders(OPEN, tuple(SenderPattern(str(at), str(at)) for at in range(MOST)))
    with pytest.raises(Conflict):
        full.with_entry(SenderPattern("x", "x"))


@pytest.mark.parametrize(
    ("limits", "used", "said"),
    [
        (AgentLimits(per_day=3), Usage(given=3), "3 requests today"),
        (AgentLimits(per_day=9, per_hour=2), Usage(given=3, this_hour=2), "2 requests this hour"),
        (AgentLimits(per_day=3, cost_per_day=1_500_000), Usage(given=3, cost=2_000_000), "2.00 USD today"),
    ],
)
def test_refusal_names_the_limit_and_when_it_ends(limits: AgentLimits, used: Usage, said: str) -> None:
    refusal = limit_reached("agent://acme/prod/bot", limits, used, NOON + timedelta(minutes=10))
    assert said in refusal.message
    assert (f"{NOON:%Y-%m-%d} 13:00" in refusal.message) is ("this hour" in said)
    assert refusal.retry_after == 60, "AXP's clients sleep for all of it"
    almost = limit_reached("a", limits, used, NOON + timedelta(hours=11, minutes=59, seconds=50))
    assert almost.retry_after == 10


@pytest.mark.parametrize(
    ("pattern", "elsewhere"),
    [
        ("*", False),
        ("agent://acme/*", False),
        ("agent://acme/prod/*", False),
        ("agent://acme/prod/robot", False),
        ("agent://old/name/robot", False),
        ("agent://ACME/prod/robot", True),
        ("agent://acme/test/*", True),
        ("agent://other/*", True),
    ],
)
def test_pattern_for_another_workspace_matches_no_sender(pattern: str, elsewhere: bool) -> None:
    assert is_elsewhere(pattern, ("acme/prod", "old/name")) is elsewhere
