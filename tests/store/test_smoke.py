from signoff.store.store import Store
from signoff.store.work import *
from tests.conftest import NOON
from tests.store.samples import *


async def test_smoke(store: Store) -> None:
    a, b = ready(NOON), waiting(NOON)
    await store.transact(Want(), leave(both(submission(a), submission(b))))
    got = await store.intents.get(a.id)
    assert got.intent.plan == PLAN
    assert len(await store.intents.history(a.id)) == 1
    seen = []

    def work(found):
        seen.append(found)
        return step(leased(found.intents[a.id]), NOON)

    await store.transact(Want(ids=(a.id, b.id), ready=Ready(WS, AGENT, 5), due=5), work)
    assert seen[0].ready == [a.id]
    assert set(seen[0].intents) == {a.id, b.id}
    print(
        await store.intents.counts(WS),
        len(await store.intents.open_tasks(WS)),
        await store.intents.inbox(WS, "x", 5),
    )
