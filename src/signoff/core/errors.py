"""Every refusal of the server, as one tree.

    Refused ─┬─ Malformed 400        ├─ NotFound 404       ├─ TooLarge 413
             ├─ Unauthenticated 401  ├─ Conflict 409       ├─ Invalid 422
             └─ Forbidden 403        └─ Gone 410           ├─ Misdirected 421
                                                           ├─ TooMany 429
                                                           └─ Busy 503

A refusal carries a stable ``code``, a sentence for a person, the field at fault, and what to do next.
Raising one rolls back its transaction, so nothing is left half-done.
"""

from typing import Any, ClassVar


class Refused(Exception):
    """The request was understood but refused.

    code: a stable code for programs; field: the dotted path of the offending field, or None; hint: the next step for
    the caller, or None; details: additional values, as JSON.
    """

    status: ClassVar[int] = 400

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.hint = hint
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


class Malformed(Refused):
    """The bytes are not a valid request: not JSON, duplicate keys, NaN, too deep."""

    status = 400


class Unauthenticated(Refused):
    """The key is missing, unknown, expired or revoked."""

    status = 401


class Forbidden(Refused):
    """The caller may see this, but may not do it."""

    status = 403


class NotFound(Refused):
    """Unknown, or not visible to this caller: the two are indistinguishable."""

    status = 404


class Conflict(Refused):
    """The state has changed: already decided, final, a stale token, another body under the same key."""

    status = 409


class Gone(Refused):
    """It existed once, such as a used or expired link."""

    status = 410


class TooLarge(Refused):
    """More bytes than the limit allows."""

    status = 413


class Misdirected(Refused):
    """Sent to a host name that is not this server's."""

    status = 421


class Invalid(Refused):
    """Well-formed, but invalid."""

    status = 422


class TooMany(Refused):
    """Too many attempts; try again later."""

    status = 429

    def __init__(self, code: str, message: str, *, retry_after: int, hint: str = "") -> None:
        super().__init__(code, message, hint=hint or f"Try again in {retry_after} s.")
        self.retry_after = retry_after


class Busy(Refused):
    """Temporarily unavailable: a full queue or an unreachable database. Nothing was written; try again."""

    status = 503

    def __init__(self, code: str, message: str, *, retry_after: int = 1, hint: str = "") -> None:
        super().__init__(code, message, hint=hint or f"Try again in {retry_after} s.")
        self.retry_after = retry_after
