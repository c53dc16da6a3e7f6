"""A sign-in link by mail, for whoever asks for one. The answer is the same for every address, known or not, in words
and in time: who is known is looked up after it was given. Who is known already, by a key or a link, is mailed one that
leads back to where they were. What stands in the mail stands nowhere else.
"""

import asyncio
import itertools
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from signoff.core.directory.model import Person
from signoff.core.errors import Busy, Invalid, NotFound, Refused, TooMany
from signoff.core.intent.notifications import NotificationKind
from signoff.core.text.times import local_time_text
from signoff.engine.clock import Clock
from signoff.engine.delivery.retry_policy import SIGN_IN, after
from signoff.engine.directory.snapshot import Directory, Snapshot
from signoff.engine.identity.key_restrictions import AddressChange
from signoff.engine.identity.rate_limit import Limit, caller_key
from signoff.engine.identity.sessions import Sessions
from signoff.notify.channel import NotSent, Personal
from signoff.notify.letter import Letter
from signoff.store.store import Store

log = logging.getLogger("signoff.signin")

LIFE: Final = timedelta(minutes=15)
OPERATOR_MAKES_ONE: Final = (
    "Whoever runs the server can make you a sign-in link: signoff db signin-link ADDRESS."
)
_LONGEST: Final = 254
_MOST_AT_ONCE: Final = 100


class MailedLinks:
    """``mail``: None where no mail server is set up.

    What strangers ask for is limited for each address and caller together (three in a quarter of an hour, ten a day)
    and for each address (twelve an hour): whoever asks in somebody's name takes nothing from them, as the link in
    the mail is theirs to use. Who is signed in has a limit of their own. Unknown addresses cost nothing but the
    answer, so that nobody can use up what is for all; how many mails one caller can set off is limited where they
    are sent.
    """

    def __init__(
        self, store: Store, directory: Directory, sessions: Sessions, clock: Clock, mail: Personal | None,
        base_url: Callable[[], str], pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._store = store
        self._directory = directory
        self._sessions = sessions
        self._clock = clock
        self._mail = mail
        self._base_url = base_url
        self._pause = pause
        self._of_stranger = (Limit(3, timedelta(minutes=15)), Limit(10, timedelta(days=1)))
        self._of_address = Limit(12, timedelta(hours=1))
        self._of_person = (Limit(5, timedelta(minutes=15)), Limit(30, timedelta(days=1)))
        self._sent = Limit(600, timedelta(minutes=10))
        self._work: set[asyncio.Task[None]] = set()

    @property
    def possible(self) -> bool:
        """Whether this server can send mail at all."""
        return self._mail is not None

    def ask(self, address: str, caller: str, onward: str = "/") -> None:
        """Send it soon, if this is somebody's address; returns at once. ``onward``: the page to which it leads. Raises
        TooMany, Busy, or Invalid for what is no address at all.
        """
        address = address.strip().casefold()
        name, _, domain = address.rpartition("@")
        if not name or not domain or len(address) > _LONGEST or not address.isprintable():
            raise Invalid("invalid_email", "This is not an e-mail address.", field="email")
        caller = caller_key(caller)
        checks = [(limit, f"{caller}\0{address}") for limit in self._of_stranger]
        self._begin(self._send(address, caller, onward), [*checks, (self._of_address, address)])

    async def reaches(self, workspace: str, person: str) -> str:
        """The address to which this person's sign-in links go; "" where none can arrive."""
        found = (await self._directory.of(workspace)).people.get(person)
        to = found.mail_address if found is not None and found.active else ""
        return to if self.possible and not to.endswith("@localhost") else ""

    async def ask_again(self, workspace: str, person: str, onward: str) -> str:
        """Send one soon to a person who is known but not surely enough; the address it goes to. ``onward``: the page to
        which it leads. Raises TooMany or Busy, and NotFound where no mail can arrive.
        """
        to = await self.reaches(workspace, person)
        if not to:
            raise NotFound(
                "mail_not_set_up", "No sign-in link can be mailed to you.", hint=OPERATOR_MAKES_ONE
            )
        checks = [(limit, f"{workspace}\0{person}") for limit in self._of_person]
        self._begin(self._onward(workspace, person, onward), checks)
        return to

    def tell_moved(self, moved: AddressChange) -> None:
        """Say at the old address that sign-in links go elsewhere now; returns at once. Where that cannot be mailed, the
        log and the record of changes say it.
        """
        if self._mail is not None:
            self._start(self._tell(moved, self._mail))

    async def _tell(self, moved: AddressChange, mail: Personal) -> None:
        id, now, space = str(uuid.uuid4()), self._clock.now(), moved.directory.workspace
        facts = (
            ("For", f"{moved.directory.display(moved.person.id)}, in {space.organization}/{space.name}"),
            ("Changed by", moved.by),
            ("At", local_time_text(now, moved.person.zone)),
        )
        await self._deliver(
            mail,
            Letter(
                id=id, kind=NotificationKind.MESSAGE, at=now, to=moved.before, thread=id, headline="Signoff",
                facts=facts,
                question="Your messages and sign-in links go to another address now",
                closing="If you did not expect this, tell an admin now: whoever reads that address signs in as you.",
                link=f"{self._base_url()}/", link_label="Open Signoff",
            )
        )  # fmt: skip

    def _begin(self, work: Coroutine[Any, Any, None], checks: Sequence[tuple[Limit, str]]) -> None:
        try:
            now = self._clock.now()
            for limit, key in checks:
                limit.check(key, now)
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

    async def _send(self, address: str, caller: str, onward: str) -> None:
        for workspace in await self._store.directory.workspaces():
            directory = await self._directory.of(workspace.id)
            for person in directory.people.values():
                if person.active and address in (person.email.casefold(), person.mail_address.casefold()):
                    try:
                        self._sent.check(caller, self._clock.now())
                    except TooMany:
                        log.warning(
                            "too many sign-in links were asked for from one address; this one was not mailed"
                        )
                        return
                    await self._to(person, directory, onward)

    async def _onward(self, workspace: str, person: str, onward: str) -> None:
        directory = await self._directory.of(workspace)
        await self._to(directory.people[person], directory, onward)

    async def _to(self, person: Person, directory: Snapshot, onward: str) -> None:
        if self._mail is None:
            return
        now = self._clock.now()
        token = await self._sessions.login_link(person.workspace, person.id, LIFE)
        id = str(uuid.uuid4())
        after = f"?next={quote(onward, safe='')}" if onward != "/" else ""
        where = f"{directory.workspace.organization}/{directory.workspace.name}"
        await self._deliver(
            self._mail,
            Letter(
                id=id, kind=NotificationKind.MESSAGE, at=now, to=person.mail_address, thread=id, headline="Signoff",
                question="Your sign-in link", facts=(("For", f"{directory.display(person.id)}, in {where}"),
                ("Works until", f"{local_time_text(now + LIFE, person.zone)}, once")),
                closing="If you did not ask for this, do nothing. The link is yours alone: do not forward it.",
                link=f"{self._base_url()}/login/{token}{after}", link_label="Sign in",
            )
        )  # fmt: skip

    async def _deliver(self, mail: Personal, letter: Letter) -> None:
        """Send it; one that is refused for now is tried again for as long as somebody may wait for it."""
        for attempt in itertools.count(1):
            try:
                await mail.deliver(letter)
                return
            except NotSent as failure:
                retry = after(SIGN_IN, attempt, failure)
                if retry is None or (not retry.counted and attempt > SIGN_IN.attempts):
                    raise
                log.info("something about signing in is mailed again soon: %s", failure.reason)
            await self._pause(retry.pause.total_seconds())


async def _tried(work: Coroutine[Any, Any, None]) -> None:
    """Whoever asked was answered before: what fails now stands in the log."""
    try:
        await work
    except NotSent as failure:
        log.warning("something about signing in could not be mailed: %s", failure.reason)
    except Exception:
        log.exception("something about signing in could not be mailed")
