"""The roles of people in a workspace, and which of them may decide by default."""

from typing import Final

OWNER, ADMIN, APPROVER, MEMBER, AUDITOR = ROLES = ("owner", "admin", "approver", "member", "auditor")
DECIDING: Final = frozenset({OWNER, ADMIN, APPROVER})
DECIDING_ROLES: Final = tuple(f"role:{role}" for role in sorted(DECIDING))
