"""The engine over each of the two databases, as the engine's own tests have it."""

from tests.engine.conftest import clock, store

__all__ = ["clock", "store"]
