"""A sign-in link by mail, for whoever asks for one. The answer is the same for every address, known or not, in words
and in time: who is known is looked up after it was given. Who is known already, by a key or a link, is mailed one that
leads back to where they were. What stands in the mail stands nowhere else.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from signoff.core.errors import Busy, Invalid, NotFound, Refused
from signoff.core.notices import NoticeKind
from signoff.engine.audience import email_of
from signoff.engine.clock import Clock
from signoff.engine.directory import Directory, Snapshot
from signoff.engine.keyonly import Moved
from signoff.engine.letters import moment
from signoff.engine.limits import Limit
from signoff.engine.sessions import Sessions
from signoff.notify.channel import NotSent, Personal
from signoff.notify.letter import Letter
from signoff.store.entries import Person
from signoff.store.store import Store

log = logging.getLogger("signoff.signin")

LIFE: Final = timedelta(minutes=15)
OPERATOR_MAKES_ONE: Final = (
    "Whoever runs the server can make you a sign-in link: signoff db signin-link ADDRESS."
)
_LONGEST: Final = 254
_MOST_AT_ONCE: Final = 100


class MailedLinks:
    """``mail``: None where no mail server is set up. Of one address three in a quarter of an hour and ten a day; from
    one caller sixty in ten minutes (behind a proxy all are one caller).
    """

    def __init__(
        self, store: Store, directory: Directory, sessions: Sessions, clock: Clock, mail: Personal | None,
        base_url: Callable[[], str],
    ) -> None:  # fmt: skip
        self._store = store
        self._directory = directory
        self._sessions = sessions
        self._clock = clock
        self._mail = mail
        self._base_url = base_url
        self._limits = (Limit(3, timedelta(minutes=15)), Limit(10, timedelta(days=1)))
        self._callers = Limit(60, timedelta(minutes=10))
        self._work: set[asyncio.Task[None]] = set()

    @property
    def possible(self) -> bool:
        """Whether this server can send mail at all."""
        return self._mail is not None

    def ask(self, address: str, caller: str) -> None:
        """Send it soon, if this is somebody's address; returns at once. Raises TooMany, Busy, or Invalid for what is no
        address at all.
        """
        address = address.strip().casefold()
        name, _, domain = address.rpartition("@")
        if not name or not domain or len(address) > _LONGEST or not address.isprintable():
            raise Invalid("invalid_email", "This is not an e-mail address.", field="email")
        self._begin(self._send(address), address, caller)

    async def reaches(self, workspace: str, person: str) -> str:
        """The address to which this person's sign-in links go; "" where none can arrive."""
        found = (await self._directory.of(workspace)).people.get(person)
        to = email_of(found) if found is not None and found.active else ""
        return to if self.possible and not to.endswith("@localhost") else ""

    async def ask_again(self, workspace: str, person: str, onward: str, caller: str) -> str:
        """Send one soon to a person who is known but not surely enough; the address it goes to. ``onward``: the page to
        which it leads. Raises TooMany or Busy, and NotFound where no mail can arrive.
        """
        to = await self.reaches(workspace, person)
        if not to:
            raise NotFound(
                "mail_not_set_up", "No sign-in link can be mailed to you.", hint=OPERATOR_MAKES_ONE
            )
        self._begin(self._onward(workspace, person, onward), to.casefold(), caller)
        return to

    def tell_moved(self, moved: Moved) -> None:
        """Say at the old address that sign-in links go elsewhere now; returns at once. Where that cannot be mailed, the
        log and the record of changes say it.
        """
        if self._mail is not None:
            self._start(self._tell(moved, self._mail))

    async def _tell(self, moved: Moved, mail: Personal) -> None:
        id, now, space = str(uuid.uuid4()), self._clock.now(), moved.book.workspace
        facts = (
            ("For", f"{moved.book.display(moved.person.id)}, in {space.organization}/{space.name}"),
            ("Changed by", moved.by),
            ("At", moment(now, moved.person.zone)),
        )
        await mail.deliver(
            Letter(
                id=id, kind=NoticeKind.MESSAGE, at=now, to=moved.before, thread=id, headline="Signoff", facts=facts,
                question="Your messages and sign-in links go to another address now",
                closing="If you did not expect this, tell an admin now: whoever reads that address signs in as you.",
                link=f"{self._base_url()}/", link_label="Open Signoff",
            )
        )  # fmt: skip

    def _begin(self, work: Coroutine[Any, Any, None], address: str, caller: str) -> None:
        try:
            now = self._clock.now()
            self._callers.check(caller, now)
            for limit in self._limits:
                limit.check(address, now)
            if len(self._work) >= _MOST_AT_ONCE:
                raise Busy("busy", "Too many ask at once.", retry_after=5)
        except Refused:
            work.close()
            raise
        self._start(work)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_tried(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def settle(self) -> None:
        """Wait until everything that was asked for is dealt with."""
        while self._work:
            await asyncio.gather(*self._work)

    async def close(self) -> None:
        """Drop what is under way: who asked asks again."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _send(self, address: str) -> None:
        for workspace in await self._store.directory.workspaces():
            book = await self._directory.of(workspace.id)
            for person in book.people.values():
                if person.active and address in (person.email.casefold(), email_of(person).casefold()):
                    await self._to(person, book)

    async def _onward(self, workspace: str, person: str, onward: str) -> None:
        book = await self._directory.of(workspace)
        await self._to(book.people[person], book, f"?next={quote(onward, safe='')}")

    async def _to(self, person: Person, book: Snapshot, onward: str = "") -> None:
        if self._mail is None:
            return
        now = self._clock.now()
        token = await self._sessions.login_link(person.workspace, person.id, LIFE)
        id = str(uuid.uuid4())
        where = f"{book.workspace.organization}/{book.workspace.name}"
        await self._mail.deliver(
            Letter(
                id=id, kind=NoticeKind.MESSAGE, at=now, to=email_of(person), thread=id, headline="Signoff",
                question="Your sign-in link", facts=(("For", f"{book.display(person.id)}, in {where}"),
                ("Works until", f"{moment(now + LIFE, person.zone)}, once")),
                closing="If you did not ask for this, do nothing. The link is yours alone: do not forward it.",
                link=f"{self._base_url()}/login/{token}{onward}", link_label="Sign in",
            )
        )  # fmt: skip


async def _tried(work: Coroutine[Any, Any, None]) -> None:
    """Whoever asked was answered before: what fails now stands in the log."""
    try:
        await work
    except NotSent as failure:
        log.warning("something about signing in could not be mailed: %s", failure.reason)
    except Exception:
        log.exception("something about signing in could not be mailed")
