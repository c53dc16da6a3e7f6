"""The roles of people in a workspace, and which of them may decide by default."""

from typing import Final

OWNER, ADMIN, APPROVER, MEMBER, AUDITOR = ROLES = ("owner", "admin", "approver", "member", "auditor")
ADMINS: Final = frozenset({OWNER, ADMIN})
DECIDING: Final = frozenset({OWNER, ADMIN, APPROVER})
# The same as approver names.
ADMIN_ROLES: Final = (f"role:{OWNER}", f"role:{ADMIN}")
DECIDING_ROLES: Final = tuple(f"role:{role}" for role in sorted(DECIDING))
