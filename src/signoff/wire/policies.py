"""Policies."""

from typing import Annotated

from msgspec import Struct

from signoff.wire.common import ABSENT, JsonObject, Object, Ok, Strict, Text
from signoff.wire.fields import STRENGTHS, AppliedAt, about


class PolicyOut(Struct, kw_only=True):
    """A named policy in its current version. ``source``: as it was applied; strength: the required assurance;
    broken: why this release cannot use it.
    """

    name: Annotated[str, about("The policy's name.", "production")]
    version: Annotated[int, about("The version of this name, from 1.", 3)]
    strength: Annotated[
        str, about("The sign-in that it requires; empty if it is broken.", "session", words=(*STRENGTHS, ""))
    ]
    source: Annotated[
        JsonObject, about("The document as it was applied.", {"approve": [{"any": ["team:sre"]}]})
    ]
    applied_by: Annotated[str, about("Who applied this version.", "Oscar Owner")]
    applied_at: AppliedAt
    broken: Annotated[
        Text, about("Why this release cannot use it.", "approvers: team:old does not exist")
    ] = ABSENT


class PolicyResponse(Ok, kw_only=True):
    """One policy. ``changed``: False if it was the same before."""

    policy: Annotated[PolicyOut, about("The policy.")]
    changed: Annotated[bool, about("False if it was the same before.", True)]


class PoliciesResponse(Ok, kw_only=True):
    """All policies, by name."""

    policies: Annotated[list[PolicyOut], about("The policies.")]


class PutPolicy(Strict, kw_only=True):
    """A policy as in a file, under ``policy``."""

    name: Annotated[str, about("The policy's name.", "production")]
    policy: Annotated[
        Object, about("The policy, as in its file.", {"approve": [{"any": ["team:sre"]}], "risk": "high"})
    ]
