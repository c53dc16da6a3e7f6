"""scratch"""
from datetime import timedelta
from typing import Any
import pytest
from msgspec.structs import replace
from signoff.core.directory.rotation import Absence
from tests.web.policy_steps import MANIFEST, applied, gate
from tests.web.web_env import HOME, PLAIN, WebEnv

async def drift(web: WebEnv, what: str) -> None:
    found = (await web.get("/v1/export/manifest", "aud"))["manifest"]
    planned = await web.post("/v1/apply?dry_run=true", found, "oscar")
    if planned.status != 200:
        print("DRIFT", what, planned.status, planned.text[:300])
    else:
        odd = [c for c in planned["changes"] if c["action"] != "unchanged"]
        print("DRIFT", what, "ok" if not odd else odd)

async def test_drift(web: WebEnv) -> None:
    await applied(web, MANIFEST)
    await drift(web, "start")
    await applied(web, {"people": {"otto@acme.example": {"absences": [{"from":"2030-01-01","until":"2030-02-01","delegate":"ann@acme.example"}]}}})
    await drift(web, "absence")
    await applied(web, {"people": {"ann@acme.example": {"active": False}}})
    await drift(web, "delegate inactive")
    await applied(web, {"people": {"ann@acme.example": {"active": True, "roles": ["member"]}}})
    await drift(web, "delegate without role")
    await applied(web, {"people": {"ann@acme.example": {"roles": ["approver"]}}})
    await applied(web, {"policies": {"two": {"approve": [{"any": ["team:dba"], "need": 2}]}, "annonly": {"approve": [{"any": ["ann@acme.example"]}]}}})
    await drift(web, "two")
    found = (await web.get("/v1/export/manifest", "aud"))["manifest"]
    print(found["teams"], found["people"].keys())
    await applied(web, {"people": {"rita@acme.example": {"active": False}}})
    await drift(web, "team short")
    await applied(web, {"people": {"ann@acme.example": {"active": False}}})
    await drift(web, "only approver inactive")
    r = await web.call("PATCH", "/v1/people/ann@acme.example", {"active": True}, "oscar"); print(r.status, r.text[:100])
    # preferences, digest, channels
    r = await web.post("/v1/apply", {"people": {"ann@acme.example": {"preferences": {"channels": ["email"], "digest": "15m"}, "hours": {"zone": "Europe/Berlin","days":"mon-fri","from":"09:00","to":"17:00"}}}}, "oscar"); print(r.status, r.text[:200])
    await drift(web, "prefs")
    r = await web.post("/v1/apply", {"teams": {"dba": {"members": ["ann@acme.example"], "mailbox":"dba@acme.example"}}}, "oscar"); print(r.status, r.text[:200])
    await drift(web, "mailbox")
    r = await web.post("/v1/apply", {"workspace": {"default_policy": "annonly", "unlisted_types":"gate"}}, "oscar"); print(r.status, r.text[:200])
    await drift(web, "default")
    r = await web.post("/v1/workflows", {"workflow":"w","intent_type":"intent.w.v1","steps":[{"id":"a","human":{"type":"approval","title":"Go {x}?","policy":"annonly"}}]}, "oscar"); print(r.status, r.text[:200])
    await drift(web, "workflow")
    r = await web.post("/v1/workflows", {"workflow":"w2","intent_type":"intent.w2.v1","steps":[{"id":"a","agent":"agent://other/prod/x"},{"id":"b","human":{"type":"approval","title":"Go {x}?","approvers":["ann@acme.example"]}}]}, "oscar"); print(r.status, r.text[:200])
    await drift(web, "workflow2")
    await applied(web, {"people": {"ann@acme.example": {"active": False}}})
    await drift(web, "workflow's approver inactive")
