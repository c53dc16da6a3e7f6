"""Policies."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Object, Ok, Strict, Text


class PolicyOut(Struct, kw_only=True):
    """A named policy in its current version; ``source`` as it was applied; strength: the required assurance; broken:
    why this release cannot use it.
    """

    name: str
    version: int
    strength: str
    source: JsonObject
    applied_by: str
    applied_at: datetime
    broken: Text = ABSENT


class PolicyAnswer(Ok, kw_only=True):
    """One policy; ``changed`` is False if it was the same before."""

    policy: PolicyOut
    changed: bool


class PoliciesAnswer(Ok, kw_only=True):
    """All policies, by name."""

    policies: list[PolicyOut]


class PutPolicy(Strict, kw_only=True):
    """A policy as in a file, under ``policy``."""

    name: str
    policy: Object
