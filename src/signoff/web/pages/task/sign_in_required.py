"""For a reader whose assurance is insufficient for a decision: shows what is missing, e-mails a sign-in link that
returns to the task, and keeps the draft in their browser until then.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from signoff.core.directory.actors import Actor
from signoff.core.errors import Refused
from signoff.engine.delivery.signin_mail import LIFE
from signoff.web.pages.kit import cookies
from signoff.web.pages.kit.handler import PageRequest

Pairs = list[tuple[str, str]]
_OWN: Final = ("comment", "f.", "x.")


class SignInRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """The note on the card. to: the address to which a sign-in link can be e-mailed, "" if there is none; sent: the
    address to which one has just been sent; lost: whether the draft is too long to be saved; refused: the action that
    was refused.
    """

    to: str
    email: str
    sent: str = ""
    lost: bool = False
    refused: Refused | None = None


async def missing_sign_in(
    request: PageRequest, reader: Actor, task_id: str, weak: bool, refusal: Refused | None
) -> tuple[SignInRequirement | None, Refused | None]:
    """Return what the reader's sign-in lacks for this decision, None if it is sufficient, and a note. If they
    have pressed the button, a link is e-mailed.
    """
    if not weak:
        return None, refusal
    refused = refusal if refusal is not None and refusal.code == "stronger_sign_in_required" else None
    other, sent, lost = None if refused else refusal, "", False
    if request.field("mail"):
        try:
            sent, lost = await _mail(request, reader, task_id)
        except Refused as problem:
            other = problem
    links = request.state.sign_in_requests
    to = await links.reaches(reader.workspace, reader.id) if links is not None else ""
    directory = await request.state.directory.of(reader.workspace)
    made = SignInRequirement(
        to=to, email=directory.people[reader.id].email, sent=sent, lost=lost, refused=refused
    )
    return made, other


async def _mail(request: PageRequest, reader: Actor, task_id: str) -> tuple[str, bool]:
    """E-mail the reader a sign-in link that returns here; returns the e-mail address, and whether the draft was too
    long to save.
    """
    links = request.state.sign_in_requests
    if links is None:
        return "", False
    to = await links.ask_again(reader.workspace, reader.id, f"/tasks/{task_id}")
    written = [(name, value) for name, value in request.form if value and name.startswith(_OWN)]
    packed = urlsafe_b64encode(urlencode(written).encode()).decode().rstrip("=")
    value = f"{task_id}.{reader.id}.{packed}"
    lost = len(value) > cookies.LONGEST_DRAFT
    if written and not lost:
        request.cookies.append(cookies.drafted(request.call, value, int(LIFE.total_seconds())))
    return to, lost


def saved_answer(request: PageRequest, reader: Actor, task_id: str) -> Pairs:
    """The reader's own draft for this task, saved in this browser before they signed in."""
    name, _, packed = cookies.draft_of(request.call).rpartition(".")
    if name != f"{task_id}.{reader.id}":
        return []
    try:
        written = urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        return [pair for pair in parse_qsl(written, max_num_fields=100) if pair[0].startswith(_OWN)]
    except ValueError:
        return []


def drop_answer(request: PageRequest, reader: Actor, task_id: str) -> None:
    """Delete the draft, because the answer was sent."""
    if saved_answer(request, reader, task_id):
        request.cookies.append(cookies.drafted(request.call, "", 0))
