"""The setting of a person's digest, by API and page; invalid values are refused."""

import pytest

from tests.web.inbox.reading import reader
from tests.web.web_env import WebEnv

ANN = "/v1/people/ann@acme.example"


async def test_roundup_is_set_by_api_and_page(web: WebEnv) -> None:
    wanted = {"channels": ["email"], "digest": "15m"}
    kept = await web.call("PATCH", ANN, {"preferences": wanted}, "ann")
    assert kept["person"]["preferences"] == wanted
    ann = await reader(web, "ann")
    assert "one message for what arrives within 15m" in (await ann.get("/me")).text
    assert (await ann.post("/people/per_ann/channels", first="email", digest="1h")).status == 303
    person = next(p for p in (await web.get("/v1/people", "ann"))["people"] if p["id"] == "per_ann")
    assert person["preferences"] == {"channels": ["email"], "digest": "1h"}
    assert (await ann.post("/people/per_ann/channels", first="email", digest="")).status == 303
    person = next(p for p in (await web.get("/v1/people", "ann"))["people"] if p["id"] == "per_ann")
    assert person["preferences"] == {"channels": ["email"]}


@pytest.mark.parametrize("digest", ["x", "1m", "2d", 15, "", {}])
async def test_invalid_window_is_refused(web: WebEnv, digest: object) -> None:
    answer = await web.call("PATCH", ANN, {"preferences": {"digest": digest}}, "ann")
    assert (answer.status, "digest" in answer.json["error"]["field"]) == (422, True)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"digest": "15m"}, "digest"),  # the risk is medium
        ({"digest": "15m", "risk": "high"}, "digest"),
        ({"digest": "1m", "risk": "low"}, "digest"),
        ({"digest": "3d", "risk": "low"}, "digest"),
    ],
)
async def test_digest_of_a_policy_without_effect_is_refused(
    web: WebEnv, policy: dict[str, str], field: str
) -> None:
    answer = await web.post("/v1/policies", {"name": "quiet", "policy": policy}, "oscar")
    assert (answer.status, answer.json["error"]["field"].rpartition(".")[2]) == (422, field)


async def test_digest_of_a_policy_is_explained(web: WebEnv) -> None:
    policy = {"approve": [{"any": ["ann@acme.example"]}], "digest": "15m", "risk": "low"}
    assert (await web.post("/v1/policies", {"name": "quiet", "policy": policy}, "oscar")).status == 200
    page = await (await reader(web, "oscar")).get("/policies/quiet")
    assert "one message for what arrives within 15m" in page.text


async def test_person_can_disable_the_roundup_of_a_policy(web: WebEnv) -> None:
    kept = await web.call("PATCH", ANN, {"preferences": {"digest": False}}, "ann")
    assert kept["person"]["preferences"] == {"digest": False}
    ann = await reader(web, "ann")
    assert "Low-risk decisions come at once." in (await ann.get("/me")).text
    assert (await ann.post("/people/per_ann/channels", first="email", digest="no")).status == 303
    assert "Low-risk decisions come at once." in (await ann.get("/me")).text
