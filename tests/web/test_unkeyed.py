"""An Idempotency-Key has an effect, or is refused by name where no response is stored."""

from typing import Any

import pytest

from tests.web.web_env import VALIDATOR, WORKFLOW, WebEnv


@pytest.mark.parametrize(
    ("who", "path", "body"),
    [
        ("oscar", "/v1/keys", {"service": "deploy"}),
        ("oscar", "/v1/service-accounts", {"name": "new-agent"}),
        ("oscar", "/v1/service-accounts/{account}/keys", {}),
        ("agent", f"/v1/agents/{VALIDATOR}/deliveries/claim", {}),
        ("ci", "/v1/intents/bulk-cancel", {}),
        ("oscar", "/v1/people", {"email": "new@acme.example"}),
        ("oscar", "/v1/policies", {"name": "p", "policy": {}}),
        ("oscar", "/v1/workflows", WORKFLOW),
        ("oscar", "/v1/apply", {"policies": {"p": {}}}),
    ],
)
async def test_idempotency_key_without_effect_is_refused(
    web: WebEnv, who: str, path: str, body: dict[str, Any]
) -> None:
    accounts = (await web.get("/v1/service-accounts", "oscar"))["service_accounts"]
    path = path.format(account=accounts[0]["service_account_id"])
    refused = await web.post(path, body, who, idempotency_key="k1")
    assert (refused.status, refused.code) == (422, "idempotency_key_unsupported"), refused.text
    assert refused["error"]["field"] == "Idempotency-Key"
    assert (await web.post(path, body, who)).status == 200
