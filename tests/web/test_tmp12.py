import pytest
from tests.web.test_channels_agree import CHANNELS, Gate
from tests.web.test_edited_answers import opened, PAYLOAD
from tests.web.web_env import WebEnv
@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", ["approved", None])
async def test_pending(web: WebEnv, channel: str, kind) -> None:
    task = await opened(web, risk="low", approve=[{"any": ["ann@acme.example", "otto@acme.example", "emma@acme.example"], "need": 2}])
    it = Gate(web, task["task_id"], task["digest"], "ann")
    body = {"payload": {**PAYLOAD, "amount": 30}, "digest": task["digest"], **({"outcome": kind} if kind else {})}
    r = await web.post(f"/v1/tasks/{task['task_id']}/revise", body, "otto")
    assert r.status == 200, r.text
    code = await CHANNELS[channel][1](it)
    now = (await web.get(f"/v1/tasks/{task['task_id']}", "oscar"))["task"]
    print(channel, kind, repr(code), [v["person"] for v in now.get("votes", [])], now["state"])
    assert code and "per_ann" not in [v["person"] for v in now.get("votes", [])]
