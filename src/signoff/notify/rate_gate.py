"""Respects a service's requests to wait: no caller tries before the time that the service named, and then those that
waited retry one after another.
"""

from collections.abc import Callable

from signoff.notify.channel import NotSent


class RateGate:
    """``service``: its name, for the reason; ``now``: returns the time in seconds; ``between``: seconds between two
    retries.
    """

    def __init__(self, service: str, now: Callable[[], float], between: float) -> None:
        self._service = service
        self._now = now
        self._between = between
        # key -> (until when the service refuses calls, when the next caller may try)
        self._closed: dict[str, tuple[float, float]] = {}

    def check(self, key: str) -> None:
        """Raise NotSent while the service refuses calls of this kind."""
        now = self._now()
        until, turn = self._closed.get(key, (0.0, 0.0))
        if until > now:
            self._closed[key] = (until, turn + self._between)
            raise self._asked_to_wait(turn - now)

    def close(self, key: str, wait: float) -> NotSent:
        """Record that the service asked to wait this many seconds; returns the error to raise."""
        until = self._now() + wait
        self._closed[key] = (until, until + self._between)
        return self._asked_to_wait(wait)

    def _asked_to_wait(self, seconds: float) -> NotSent:
        return NotSent(f"{self._service} asked to wait {seconds:.0f}s", wait=seconds)
