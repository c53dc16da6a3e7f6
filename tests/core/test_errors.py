"""Refusals that a caller may repeat."""

from signoff.core.errors import Busy, TooMany


def test_temporary_refusal_says_when_to_try_again() -> None:
    many, busy = TooMany("rate_limited", "Too often.", retry_after=7), Busy("busy", "Full.")
    assert (many.status, many.retry_after, many.hint) == (429, 7, "Try again in 7 s.")
    assert (busy.status, busy.retry_after, busy.hint) == (503, 1, "Try again in 1 s.")
    assert Busy("busy", "Full.", hint="Ask the operator.").hint == "Ask the operator."
