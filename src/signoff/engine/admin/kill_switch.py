"""Kills and resumes agents.

A killed agent gets no work and nothing that it sends is accepted, from the commit of the kill on, on every server:
``refuse_killed`` checks each request and each command on the locked row, and a claim finds nothing. The steps that it
holds are taken back, so that a result of before the kill is not accepted later either.
"""

import asyncio
from typing import Final

from signoff.core.directory.actors import Actor
from signoff.core.directory.authorization import Action, authorize
from signoff.core.directory.model import Account, DirectoryChange
from signoff.core.errors import Busy, Refused
from signoff.core.intent.commands import Recall
from signoff.core.intent.model import Delivery, Intent, Status
from signoff.engine.admin.accounts import Accounts
from signoff.engine.commit.engine import Engine
from signoff.store.store import Store

_PAGE: Final = 200
_HELD: Final = (Status.ACKNOWLEDGED, Status.IN_PROGRESS)  # of an intent whose step an agent holds


class KillSwitch:
    def __init__(self, accounts: Accounts, engine: Engine, store: Store) -> None:
        self._accounts = accounts
        self._engine = engine
        self._store = store

    async def kill(self, actor: Actor, account_id: str) -> Account:
        """Kill an agent; killing it again only takes back what it still holds."""
        account = await self._accounts.set_killed(actor, account_id, killed=True)
        await self._recall(actor, account.address)
        return account

    async def resume(self, actor: Actor, account_id: str) -> Account:
        """Resume a killed agent; without effect for any other."""
        authorize(actor, Action.KILL_AGENT)
        account = await self._accounts.account(actor, account_id)
        if account.killed_at is not None:
            # A claim that was being committed during the kill may have missed it.
            await self._recall(actor, account.address)
        return await self._accounts.set_killed(actor, account_id, killed=False)

    async def events(self, actor: Actor, limit: int, killed: bool | None) -> list[DirectoryChange]:
        """The kills (``killed``), the resumes (False) or both (None), newest first."""
        authorize(actor, Action.READ_CHANGES)
        return await self._store.people.kills(actor.workspace, limit, killed)

    async def _recall(self, actor: Actor, agent: str) -> None:
        """Take back every step that the agent holds."""
        for status in _HELD:
            after = ""
            while page := await self._store.intents.in_hand(actor.workspace, status.value, after, _PAGE):
                after = page[-1].id
                held = [one for one in page if isinstance(one.open, Delivery) and one.open.agent == agent]
                done = await asyncio.gather(
                    *(self._take_back(actor, one) for one in held), return_exceptions=True
                )
                for failure in done:
                    if failure is not None:
                        raise failure

    async def _take_back(self, actor: Actor, intent: Intent) -> None:
        held = intent.open
        if not isinstance(held, Delivery):
            return
        try:
            await self._engine.handle(actor, intent.id, Recall(held.agent, held.step_run))
        except Busy:
            raise
        except Refused:  # it has ended
            return
