"""Erasure of one person's delivery addresses, waiting messages and addresses in the change log."""

import msgspec
from msgspec.structs import replace

from signoff.core.directory.model import DirectoryChange
from signoff.core.ids import new_intent_id
from signoff.store.store import Store
from signoff.store.tables.messages import Message
from signoff.store.transaction import OutboxKind, OutboxRow
from tests.conftest import NOON
from tests.store.directory_samples import SPACE
from tests.store.samples import SECOND

WS = SPACE.id
INTENT = new_intent_id(1_770_000_000_000, bytes(10))

REPLY = """
insert into replies (workspace, actor, route, key, fingerprint, body, expires_at)
values (:workspace, :actor, 'r', 'k', 'f', :body, :at)
"""


async def test_erasure_removes_recipients_of_messages_and_deletes_waiting_ones(store: Store) -> None:
    await store.directory.add_workspace(SPACE)
    for person in ("per_ann", "per_otto"):
        row = OutboxRow(person, WS, INTENT, 0, OutboxKind.TEST, "email", person, b"{}", NOON)
        message = Message(
            id=person,
            workspace=WS,
            intent_id=INTENT,
            visit=0,
            seq=0,
            kind="test",
            person=person,
            channel="email",
            at=NOON,
            called_at=NOON,
            reference=f"ref-{person}",
            error=f"no {person}",
        )
        await store.write((REPLY, {"workspace": WS, "actor": person, "body": b"{}", "at": 1}))
        await store.messages.start(row, message, NOON - SECOND)
    assert await store.erasures.messages(WS, "per_ann") == 1
    assert await store.erasures.messages(WS, "per_ann") == 0
    left = {one.message.person: one.message for one in await store.messages.of_intent(INTENT)}
    assert (left["per_ann"].reference, left["per_ann"].error, left["per_ann"].target) == ("", "", "")
    assert (left["per_otto"].reference, left["per_otto"].error) == ("ref-per_otto", "no per_otto")
    assert [row[0] for row in await store.read("select target from outbox")] == ["per_otto"]
    assert [row[0] for row in await store.read("select actor from replies")] == ["per_otto"]


async def test_erased_address_is_replaced_as_value_and_as_key(store: Store) -> None:
    await store.directory.add_workspace(SPACE)
    said = {"people": {"ann@x.example": {"cc": ["Ann@X.example", "otto@x.example"]}}, "note": "account-7"}
    change = DirectoryChange(
        id="chg_1",
        workspace=WS,
        at=NOON,
        actor_kind="person",
        actor_id="per_o",
        via="api",
        kind="policy",
        name="p",
        subject="policy:p",
        before="",
        after=msgspec.json.encode(said).decode(),
    )
    await store.people.save([change, replace(change, id="chg_2", after='{"to": "otto@x.example"}')])
    addresses = {"ann@x.example": "per_ann", "account-7": "per_ann"}
    assert await store.erasures.records(WS, "person:per_ann", addresses, "Ann") == 1
    found = {one.id: msgspec.json.decode(one.after) for one in await store.people.changes(WS, 9)}
    assert found["chg_1"] == {
        "people": {"per_ann": {"cc": ["per_ann", "otto@x.example"]}},
        "note": "account-7",  # an account's id means something else in entries that are not about the person
    }
    assert found["chg_2"] == {"to": "otto@x.example"}


async def test_card_is_found_by_its_channel_and_provider_id(store: Store) -> None:
    await store.directory.add_workspace(SPACE)
    for id, channel, step_run, seq, reference in (
        ("a", "slack", 2, 3, "r1"),
        ("b", "msteams", 2, 5, "r1"),
        ("c", "slack", 0, 9, "r1"),
        ("d", "slack", 3, 7, "r1"),
        ("e", "slack", 3, 8, "r2"),
        ("f", "slack", 3, 9, ""),
    ):
        row = OutboxRow(id, WS, INTENT, seq, OutboxKind.TEST, channel, "per_ann", b"{}", NOON)
        message = Message(
            id=id,
            workspace=WS,
            intent_id=INTENT,
            visit=step_run,
            seq=seq,
            kind="task.opened",
            person="per_ann",
            channel=channel,
            at=NOON,
            called_at=NOON,
            reference=reference,
        )
        await store.messages.start(row, message, NOON - SECOND)
    found = [
        await store.messages.by_reference(channel, reference)
        for channel, reference in (
            ("slack", "r1"),
            ("msteams", "r1"),
            ("slack", "r2"),
            ("email", "r1"),
            ("slack", ""),
        )
    ]
    assert [one.id if one else None for one in found] == ["d", "b", "e", None, None]


async def test_address_of_several_removed_people_means_the_last_one(store: Store) -> None:
    await store.directory.add_workspace(SPACE)

    def entry(number: int, who: str, kind: str, after: str) -> DirectoryChange:
        return DirectoryChange(
            id=f"chg_{number}",
            workspace=WS,
            at=NOON,
            actor_kind="person",
            actor_id="per_o",
            via="api",
            kind=kind,
            name="ann@x.example",
            subject=f"{'person' if kind == 'person' else kind}:{who}",
            before="{}",
            after=after,
        )

    rows = [
        ("per_1", "person", ""),
        ("per_2", "person", ""),
        ("per_3", "person", "{}"),
        ("ann@x.example", "team", ""),
    ]
    for number, (who, kind, after) in enumerate(rows):
        await store.people.save([entry(number, who, kind, after)])
    assert await store.erasures.removed_as(WS, "ann@x.example") == "per_2"
    assert await store.erasures.removed_as(WS, "otto@x.example") == ""
    assert await store.erasures.removed_as("ws_other", "ann@x.example") == ""


async def test_addresses_and_accounts_are_found_as_written(store: Store) -> None:
    await store.directory.add_workspace(SPACE)
    person = {"email": "ann@x.example", "addresses": {"sms": "+49 1"}}
    linked = {"account": "U0ANN", "team": "T1"}
    change = DirectoryChange(
        id="chg_1",
        workspace=WS,
        at=NOON,
        actor_kind="person",
        actor_id="per_o",
        via="api",
        kind="person",
        name="ann@x.example",
        subject="person:per_ann",
        before="",
        after=msgspec.json.encode(person).decode(),
    )
    chat = replace(change, id="chg_2", kind="slack", name="p", after=msgspec.json.encode(linked).decode())
    await store.people.save([change, chat])
    found = await store.erasures.addresses(WS, "person:per_ann")
    assert found == {"ann@x.example", "+49 1", "U0ANN"}
    assert await store.erasures.records(WS, "person:per_ann", dict.fromkeys(found, "per_ann"), "") == 2
    left = repr(await store.people.changes(WS, 9))
    assert [one for one in found if one in left] == []
