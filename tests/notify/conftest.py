"""The fixtures of the engine's tests: the engine on each of the two databases."""

from tests.engine.conftest import clock, store

__all__ = ["clock", "store"]
