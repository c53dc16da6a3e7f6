"""API keys."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from msgspec import Meta, Struct

from signoff.wire.common import ABSENT, Name, Ok, OrEmpty, OrNone, Strict, Text, Word
from signoff.wire.fields import CreatedAt, ExpiresAt, KeyId, Secret, Warnings, about, time

KeyHolderKind: TypeAlias = Annotated[
    str, about("Whose key it is.", "agent", words=("person", "agent", "service"))
]


class KeyOut(Struct, kw_only=True):
    """A key, without its secret. ``token``: the secret, shown only at creation."""

    key_id: KeyId
    service_account_id: Annotated[
        Text,
        about(
            "The id of its agent or service; absent for a person's key.",
            "sa_01998a3c6f007d1e8a4bc35d9e7f1b21",
        ),
    ] = ABSENT
    kind: KeyHolderKind
    holder_id: Annotated[str, about("The id of its holder.", "sa_01998a3c6f007d1e8a4bc35d9e7f1b21")]
    holder_name: Annotated[Text, about("The holder's name.", "infra-validator")] = ABSENT
    name: Annotated[
        Text,
        about("The terminal that it was created for by signing in; absent for other keys.", "ann-laptop"),
    ] = ABSENT
    key_hint: Annotated[str, about("The end of the secret, by which it can be recognized.", "…x3Qa")]
    status: Annotated[str, about("Whether it is valid.", "active", words=("active", "expired", "revoked"))]
    created_at: CreatedAt
    expires_at: Annotated[
        datetime | None, time("When it stops being valid; null if never.", "2030-03-01T00:00:00Z")
    ] = None
    revoked_at: Annotated[OrNone[datetime], time("When it was revoked.")] = ABSENT
    token: OrEmpty[Secret] = ABSENT


class AccountKey(Ok, kw_only=True):
    """A new key of an account."""

    key: Annotated[KeyOut, about("The key.")]
    api_key: Secret


class KeyResponse(Ok, kw_only=True):
    """One key."""

    key: Annotated[KeyOut, about("The key.")]


class KeysResponse(Ok, kw_only=True):
    """Keys, oldest first, including revoked ones, without secrets."""

    keys: Annotated[list[KeyOut], about("The keys.")]


class StartDeviceLogin(Strict, kw_only=True):
    """A terminal asks to sign in as the person who confirms its code in a browser."""

    _EXAMPLE: ClassVar = ("host",)

    host: Annotated[
        Annotated[str, Meta(max_length=64)],
        about("The terminal's computer, as shown to the person.", "ann-laptop"),
    ] = ""


class DeviceLoginOut(Ok, kw_only=True):
    """The codes of a terminal that asks to sign in. Show ``user_code`` and ``verification_uri``, and poll."""

    device_code: Annotated[
        str,
        about("Secret; the terminal polls with it.", "Qm9yZWQ_VGhpcyBpcyBhbiBleGFtcGxlIG9ubHkuLi4"),
    ]
    user_code: Annotated[str, about("What the person types on the page and compares.", "WDJB-MJHT")]
    verification_uri: Annotated[str, about("The page.", "https://signoff.example/device")]
    expires_in: Annotated[int, about("For how many seconds the codes are valid.", 600)]
    interval: Annotated[int, about("Seconds between two polls.", 5)]


class PollDeviceLogin(Strict, kw_only=True):
    """Ask whether the person has allowed it."""

    device_code: Annotated[
        Word, about("The secret code from the start.", "Qm9yZWQ_VGhpcyBpcyBhbiBleGFtcGxlIG9ubHkuLi4")
    ]


class DeviceLoginPolled(Ok, kw_only=True):
    """Whether the terminal is signed in. The key is in the first answer with ``allowed``, and in no other."""

    status: Annotated[str, about("Whether the person has decided.", "allowed", words=("pending", "allowed"))]
    key_id: OrEmpty[KeyId] = ABSENT
    api_key: OrEmpty[Secret] = ABSENT
    expires_at: OrNone[ExpiresAt] = ABSENT


class CreateKey(Strict, kw_only=True):
    """A key for exactly one of an agent, a service and a person; a missing holder is created.

    name, roles: those of a new person; the default role is ``approver``.
    """

    _EXAMPLE: ClassVar = ("agent", "expires_in_seconds")

    agent: Annotated[str | None, about("The agent's name or address.", "infra-validator")] = None
    service: Annotated[str | None, about("The service's name.", "ci")] = None
    person: Annotated[str | None, about("The person's address.", "ann@acme.example")] = None
    name: Annotated[Name, about("The name of a new person.", "Ann Berg")] = ""
    roles: Annotated[list[str], about("The roles of a new person; approver by default.", ["approver"])] = []
    expires_in_seconds: Annotated[
        Annotated[float, Meta(gt=0, le=315_360_000)] | None,
        about("How long the key is valid, in seconds; by default it does not expire.", 2592000),
    ] = None


class NewKeyOut(Ok, kw_only=True):
    """A new key. ``api_key``: the secret, shown once and not stored. ``warnings``: the consequences of adding
    its person, and for which requests its answers do not count.
    """

    kind: KeyHolderKind
    address: Annotated[str, about("The holder's address.", "agent://acme/prod/infra-validator")]
    key_id: KeyId
    api_key: Secret
    expires_at: OrNone[ExpiresAt] = ABSENT
    warnings: Warnings = ()
