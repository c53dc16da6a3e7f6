"""Policies."""

from datetime import datetime

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Object, Ok, Strict, Text


class PolicyOut(Struct, kw_only=True):
    """A named policy as it stands; ``source`` as it was applied; strength: how surely it must be known who decides;
    broken: why this release cannot use it.
    """

    name: str
    version: int
    strength: str
    source: JsonObject
    applied_by: str
    applied_at: datetime
    broken: Text = ABSENT


class PolicyAnswer(Ok, kw_only=True):
    """One policy; ``changed`` is False when it stood so before."""

    policy: PolicyOut
    changed: bool


class PoliciesAnswer(Ok, kw_only=True):
    """All policies, by name."""

    policies: list[PolicyOut]


class PutPolicy(Strict, kw_only=True):
    """A policy as it stands in a file, under ``policy``."""

    name: str
    policy: Object
