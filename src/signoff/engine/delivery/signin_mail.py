"""Mail about signing in: a sign-in link for a person who asks for one, a warning to a former address, and a notice of
a new key.

The reply to a request is the same for every address, known or not, in text and in time: the person is looked up after
the reply. The link is created when its mail is sent, and is not stored anywhere else.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from signoff.core.directory.model import ApiKey, Person
from signoff.core.errors import Busy, Invalid, NotFound, Refused, TooMany
from signoff.core.intent.notifications import NotificationKind
from signoff.core.plan.schedules import ADMIN, SIGN_IN, RetryPolicy
from signoff.core.text.times import local_time_text
from signoff.engine.clock import Clock
from signoff.engine.delivery.outbox_items import AddressChanged, KeyCreated, LinkRequest, SignInMail
from signoff.engine.delivery.send_outcomes import Dead, Sent, Skipped
from signoff.engine.delivery.sender import Sender
from signoff.engine.directory.snapshot import DirectoryCache, Snapshot
from signoff.engine.identity.key_restrictions import AddressChange
from signoff.engine.identity.rate_limit import Limit, caller_key
from signoff.notify.channel import NotSent
from signoff.notify.personal_message import PersonalMessage
from signoff.store.store import Store
from signoff.store.transaction import OutboxKind, OutboxRow

log = logging.getLogger("signoff.signin")

MAIL: Final = "email"
LIFE: Final = timedelta(minutes=15)
OPERATOR_MAKES_ONE: Final = (
    "The operator of the server can create a sign-in link for you: signoff db signin-link EMAIL."
)
_MAX_ADDRESS: Final = 254
_MAX_LOOKUPS: Final = 100


class SignInRequests:
    """Accepts requests for sign-in links and puts the mails into the outbox. ``mails``: whether this server sends mail.

    Requests by people who are not signed in are limited per address and caller (three per 15 minutes, ten per day)
    and per address (twelve per hour). Requesting someone else's link does no harm, because only that person
    receives it. A signed-in person has a separate limit. A request for an unknown address costs only a reply, so nobody
    can exhaust a shared limit that way. The number of mails that one caller can cause is limited when they are queued.
    """

    def __init__(
        self,
        store: Store,
        directory: DirectoryCache,
        clock: Clock,
        mails: bool,
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        """``queued``: called when a mail has been put into the outbox."""
        self._store = store
        self._directory = directory
        self._clock = clock
        self.possible = mails
        self._queued = queued
        self._of_stranger = (Limit(3, timedelta(minutes=15)), Limit(10, timedelta(days=1)))
        self._of_address = Limit(12, timedelta(hours=1))
        self._of_person = (Limit(5, timedelta(minutes=15)), Limit(30, timedelta(days=1)))
        self._of_caller = Limit(600, timedelta(minutes=10))
        # Attempts that the other workers of this server must know of.
        self.limits = (*self._of_stranger, self._of_address, *self._of_person, self._of_caller)
        self._lookups: set[asyncio.Task[None]] = set()

    def ask(self, address: str, caller: str, onward: str = "/") -> None:
        """Queue a mail if a person has this address; returns immediately. ``onward``: the page that the link leads to.
        Raises TooMany, Busy, or Invalid for an invalid address.
        """
        address = address.strip().casefold()
        name, _, domain = address.rpartition("@")
        if not name or not domain or len(address) > _MAX_ADDRESS or not address.isprintable():
            raise Invalid("invalid_email", "This is not an e-mail address.", field="email")
        caller = caller_key(caller)
        checks = [(limit, f"{caller}\0{address}") for limit in self._of_stranger]
        self._begin(self._look_up(address, caller, onward), [*checks, (self._of_address, address)])

    async def reaches(self, workspace: str, person: str) -> str:
        """The address of this person's sign-in links; "" if links cannot be e-mailed."""
        found = (await self._directory.of(workspace)).people.get(person)
        to = found.mail_address if found is not None and found.active else ""
        return to if self.possible and not to.endswith("@localhost") else ""

    async def ask_again(self, workspace: str, person: str, onward: str) -> str:
        """Queue a mail to a known person who needs a stronger sign-in; returns its address. ``onward``: the page that
        the link leads to. Raises TooMany or Busy, or NotFound if no mail can reach them.
        """
        to = await self.reaches(workspace, person)
        if not to:
            raise NotFound(
                "mail_not_set_up", "No sign-in link can be e-mailed to you.", hint=OPERATOR_MAKES_ONE
            )
        checks = [(limit, f"{workspace}\0{person}") for limit in self._of_person]
        request = LinkRequest(person, self._clock.now(), onward)
        self._begin(self._queue(workspace, request), checks)
        return to

    def tell_moved(self, moved: AddressChange) -> None:
        """Queue a warning to the former address that mail now goes to a new one; returns immediately. Without a mail
        server, only the log and the change log show it.
        """
        if self.possible:
            changed = AddressChanged(moved.person.id, moved.before, moved.by, self._clock.now())
            self._start(self._queue(moved.directory.workspace.id, changed))

    def tell_key(self, key: ApiKey, address: str) -> None:
        """Queue a notice to the person for whom a key was created; returns immediately. Without a mail server, only
        their page and the change log show it. ``address``: where a terminal asked for it, or "".
        """
        if self.possible:
            self._start(self._tell_key(key, address))

    async def _tell_key(self, key: ApiKey, address: str) -> None:
        if not await self.reaches(key.workspace, key.actor_id):
            return
        directory = await self._directory.of(key.workspace)
        by = directory.display(key.created_by) if key.created_by not in ("", key.actor_id) else ""
        notification = KeyCreated(key.actor_id, by, key.created_at, key.expires_at, key.name, address)
        await self._queue(key.workspace, notification)

    def _begin(self, work: Coroutine[Any, Any, None], checks: Sequence[tuple[Limit, str]]) -> None:
        try:
            now = self._clock.now()
            for limit, key in checks:
                limit.check(key, now)
            if len(self._lookups) >= _MAX_LOOKUPS:
                raise Busy("busy", "Too many requests for sign-in links at the moment.", retry_after=5)
        except Refused:
            work.close()
            raise
        self._start(work)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def drain(self) -> None:
        """Wait until all queued requests are in the outbox."""
        while self._lookups:
            await asyncio.gather(*self._lookups)

    async def _look_up(self, address: str, caller: str, onward: str) -> None:
        for workspace in await self._store.directory.workspaces():
            directory = await self._directory.of(workspace.id)
            for person in directory.people.values():
                if person.active and address in (person.email.casefold(), person.mail_address.casefold()):
                    try:
                        self._of_caller.check(caller, self._clock.now())
                    except TooMany:
                        log.warning("too many sign-in links for one caller; this one was not mailed")
                        return
                    await self._queue(workspace.id, LinkRequest(person.id, self._clock.now(), onward))

    async def _queue(self, workspace: str, request: LinkRequest | AddressChanged | KeyCreated) -> None:
        id = str(uuid.uuid4())
        kind, body = OutboxKind.SIGN_IN, msgspec.json.encode(request)
        row = OutboxRow(id, workspace, id, 0, kind, MAIL, request.person, body, self._clock.now())
        await self._store.outbox.put(row)
        self._queued()


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Run it and log errors: the caller already has their reply."""
    try:
        await work
    except Exception:
        log.exception("a mail about signing in could not be queued")


class SignInMailer(Sender[SignInMail]):
    def policy_of(self, item: SignInMail) -> RetryPolicy:
        """Warnings and notices are retried for longer: nobody waits for them, but they must arrive."""
        return SIGN_IN if isinstance(item.request, LinkRequest) else ADMIN

    async def send(self, item: SignInMail) -> Sent | Skipped:
        mail = self._channels.personal.get(MAIL)
        if mail is None:
            raise NotSent("no mail server is configured", permanent=True)
        directory = await self._directory.of(item.row.workspace)
        person = directory.people.get(item.request.person)
        if person is None:
            return Skipped()
        match item.request:
            case LinkRequest() as request:
                if not person.active or self._clock.now() - request.at >= LIFE:  # replaced by a newer request
                    return Skipped()
                message = await self._link(item.row, request, person, directory)
            case AddressChanged() as changed:
                message = self._warning(item.row, changed, person, directory)
            case KeyCreated() as created:
                if not person.active:
                    return Skipped()
                message = self._notice(item.row, created, person, directory)
        return Sent(await mail.deliver(message))

    async def dead(self, item: SignInMail, outcome: Dead) -> bool:
        """Only log the failure: no page could show it."""
        return True

    async def _link(
        self, row: OutboxRow, request: LinkRequest, person: Person, directory: Snapshot
    ) -> PersonalMessage:
        now, space = self._clock.now(), directory.workspace
        token = await self._sessions.login_link(person.workspace, person.id, LIFE)
        query = f"?next={quote(request.onward, safe='')}" if request.onward != "/" else ""
        return PersonalMessage(
            id=row.id,
            kind=NotificationKind.MESSAGE,
            at=now,
            to=person.mail_address,
            thread=row.id,
            headline="Signoff",
            question="Your sign-in link",
            facts=(
                ("For", f"{directory.display(person.id)}, in {space.organization}/{space.name}"),
                ("Valid until", f"{local_time_text(now + LIFE, person.zone)}; works once"),
            ),
            closing="If you did not request this, ignore it. The link is personal: do not forward it.",
            link=f"{self._base_url()}/login/{token}{query}",
            link_label="Sign in",
        )

    def _notice(
        self, row: OutboxRow, created: KeyCreated, person: Person, directory: Snapshot
    ) -> PersonalMessage:
        space = directory.workspace
        until = local_time_text(created.until, person.zone) if created.until else "it is revoked"
        terminal = (
            (("Terminal", f"{created.terminal} (as it calls itself), from {created.address}"),)
            if created.address
            else ()
        )
        return PersonalMessage(
            id=row.id,
            kind=NotificationKind.MESSAGE,
            at=self._clock.now(),
            to=person.mail_address,
            thread=row.id,
            headline="Signoff",
            question="A terminal was signed in as you" if created.address else "A key of yours was created",
            facts=(
                ("For", f"{directory.display(person.id)}, in {space.organization}/{space.name}"),
                *terminal,
                ("Created by", created.by or "you"),
                ("At", local_time_text(created.at, person.zone)),
                ("Valid until", until),
            ),
            closing="If you did not expect this, revoke the key on your page and tell an admin: anyone who has it can "
            "act as you.",
            link=f"{self._base_url()}/me#keys",
            link_label="See your keys",
        )

    def _warning(
        self, row: OutboxRow, changed: AddressChanged, person: Person, directory: Snapshot
    ) -> PersonalMessage:
        space = directory.workspace
        return PersonalMessage(
            id=row.id,
            kind=NotificationKind.MESSAGE,
            at=self._clock.now(),
            to=changed.to,
            thread=row.id,
            headline="Signoff",
            question="Your messages and sign-in links go to another address now",
            facts=(
                ("For", f"{directory.display(person.id)}, in {space.organization}/{space.name}"),
                ("Changed by", changed.by),
                ("At", local_time_text(changed.at, person.zone)),
            ),
            closing="If you did not expect this, tell an admin: anyone who reads that mailbox can sign in as you.",
            link=f"{self._base_url()}/",
            link_label="Open Signoff",
        )
