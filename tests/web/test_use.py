"""The outcome of an intent permits one action: the first to use it may act, and nobody after."""

import asyncio

import pytest

from tests.web.web_env import Answer, WebEnv


async def use(web: WebEnv, intent_id: str, name: str = "first", who: str = "ci") -> Answer:
    return await web.post(f"/v1/intents/{intent_id}/use", {"use": name}, who)


async def decided(web: WebEnv, outcome: str = "approved") -> str:
    intent_id, task = await web.ask()
    answer = await web.post(f"/v1/tasks/{task}/answer", {"outcome": outcome}, "ann")
    assert answer.status == 200, answer.text
    return intent_id


@pytest.mark.parametrize("outcome", ["approved", "rejected"])
async def test_outcome_is_used_once(web: WebEnv, outcome: str) -> None:
    intent_id = await decided(web, outcome)
    first = await use(web, intent_id)
    assert (first.status, first["use"]) == (200, "first")
    assert (first["ending"], first["approved"]) == (outcome, outcome == "approved"), (
        "a rejection is used, too"
    )
    assert (await use(web, intent_id)).json == first.json
    second = await use(web, intent_id, "second")
    assert (second.status, second.code) == (409, "already_used")
    assert second["error"]["details"] == {"used_at": first["used_at"]}
    assert (await use(web, intent_id, who="oscar")).code == "already_used"


async def test_one_of_many_concurrent_uses_succeeds(web: WebEnv) -> None:
    intent_id = await decided(web)
    answers = await asyncio.gather(*(use(web, intent_id, str(number)) for number in range(6)))
    assert sorted(one.status for one in answers) == [200] + [409] * 5


async def test_only_the_requester_or_an_admin_uses_a_final_outcome(web: WebEnv) -> None:
    intent_id, _ = await web.ask()
    assert (await use(web, intent_id)).code == "not_final"
    done = await decided(web)
    assert (await use(web, done, who="ann")).code == "not_yours"
    assert (await use(web, done, who="agent")).code == "intent_not_found"
    assert (await use(web, done, who="sam")).code == "intent_not_found"
    assert (await use(web, done, who="oscar")).status == 200


@pytest.mark.parametrize("body", [{}, {"use": ""}, {"use": 1}, {"use": "a", "by": "b"}, {"use": "x" * 256}])
async def test_use_requires_a_name(web: WebEnv, body: object) -> None:
    assert (await web.post(f"/v1/intents/{await decided(web)}/use", body)).status == 422


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "\u200b", " ", "a\u202eb"])
async def test_name_of_a_use_must_be_printable(web: WebEnv, name: str) -> None:
    done = await decided(web)
    refused = await use(web, done, name)
    assert (refused.status, refused.code, refused["error"]["field"]) == (422, "invalid_name", "use")
    assert (await use(web, done)).status == 200
