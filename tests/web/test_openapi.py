"""The API's description, generated from the table of endpoints and the structs, is complete, true and uniform.
tests/web/documented.py checks every response against it.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from docs import codes, errors
from signoff.core.directory.actors import ActorKind
from signoff.core.errors import Unauthenticated
from signoff.core.intent.model import Status, Waiting
from signoff.core.intent.upcoming import ContactKind
from signoff.core.plan.task_types import MEANS, Ending, Risk, Strength, TaskType
from signoff.core.policy.default_policy import UNLISTED
from signoff.engine.admin.accounts import DELIVERY_MODES
from signoff.engine.clock import FixedClock
from signoff.engine.delivery.channel_registry import ChannelRegistry
from signoff.store.store import Store
from signoff.web.api import openapi
from signoff.web.api.routes import ENDPOINTS
from signoff.web.http.call import Access
from signoff.web.shapes.events import EVENT_TYPES
from signoff.wire import fields
from tests.engine.engine_env import EngineEnv
from tests.notify.messaging_env import email
from tests.notify.smtp_sink import smtp_sink
from tests.web.web_env import HOME, WebEnv

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = openapi.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {row["operationId"]: row for path in DOCUMENT["paths"].values() for row in path.values()}
Where = tuple[str, ...]


def parts(part: Any, where: Where = ()) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Every object of a document, with its path."""
    if isinstance(part, dict):
        yield where, part
    for name, value in (
        part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    ):
        yield from parts(value, (*where, str(name)))


def schemas(document: dict[str, Any]) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Every schema object of a document."""
    for where, part in parts(document):
        if not {"example", "examples", "enum"} & {*where} and (
            "type" in part or "anyOf" in part or "$ref" in part
        ):
            yield where, part


def sent() -> set[str]:
    """The schemas of requests."""
    found: set[str] = set()
    todo = [row["requestBody"] for row in OPERATIONS.values() if "requestBody" in row]
    while todo:
        names = {part["$ref"].rpartition("/")[2] for _, part in parts(todo.pop()) if "$ref" in part} - found
        found |= names
        todo += [SCHEMAS[name] for name in names]
    return found


def test_every_field_is_described_and_has_an_example() -> None:
    for name, schema in SCHEMAS.items():
        assert schema.get("description"), name
        for field, said in schema.get("properties", {}).items():
            assert said.get("description", "").endswith((".", ".)")), (
                f"{name}.{field}: {said.get('description')}"
            )
            of_structs = any("$ref" in part for _, part in parts(said))
            assert of_structs or said.get("examples"), f"{name}.{field} has no example"
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (operation["operationId"], parameter["name"])
            assert "example" in parameter, (operation["operationId"], parameter["name"])


def test_every_example_is_valid() -> None:
    def check(schema: dict[str, Any], value: Any, where: Where) -> None:
        made = jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        problem = next(iter(made.iter_errors(value)), None)
        assert problem is None, f"{'/'.join(where)}: {problem}"

    tried = 0
    for where, part in parts(DOCUMENT):
        if "example" in part and "schema" in part:
            check(part["schema"], part["example"], where)
            tried += 1
        if where[:2] == ("components", "schemas"):
            for value in part.get("examples", ()) if isinstance(part.get("examples"), list) else ():
                check({name: word for name, word in part.items() if name != "examples"}, value, where)
                tried += 1
    assert tried > 900


def test_free_objects_declare_additional_properties() -> None:
    for where, part in schemas(DOCUMENT):
        if part.get("type") in ("object", ["object", "null"]) and "properties" not in part:
            assert "additionalProperties" in part, where


def test_document_contains_no_default() -> None:
    assert not [where for where, part in schemas(DOCUMENT) if "default" in part]
    assert SCHEMAS["CreateIntentRequest"]["required"] == ["intent_type"]
    assert {"ok", "warnings"} <= {*SCHEMAS["CreatedOut"]["required"]}, "what an answer always holds"


def test_request_schema_says_whether_it_takes_other_fields() -> None:
    for row in ENDPOINTS:
        if row.request is not None:
            said = SCHEMAS[row.request.__name__].get("additionalProperties")
            assert (said is False) == (not row.any_body), row.path
    # "True" makes generators send each field twice, in their spelling too: only where other fields have a use.
    assert [name for name in sorted(sent()) if SCHEMAS[name].get("additionalProperties")] == ["ResumeRequest"]


def test_times_have_the_date_time_format() -> None:
    for name, schema in SCHEMAS.items():
        for field, said in schema.get("properties", {}).items():
            if field.endswith("_at") or field in ("at", "lease_until"):
                assert said.get("format") == "date-time", f"{name}.{field}"


@pytest.mark.parametrize(
    ("words", "of"),
    [
        (fields.STATUSES, Status),
        (fields.WAITING_REASONS, Waiting),
        (fields.ENDINGS, Ending),
        (fields.ACTORS, ActorKind),
        (fields.RISKS, Risk),
        (fields.STRENGTHS, Strength),
        (fields.TASK_TYPES, TaskType),
        (fields.EVENT_TYPES, EVENT_TYPES),
        (fields.DELIVERY_MODES, DELIVERY_MODES),
        (SCHEMAS["MeResponse"]["properties"]["unlisted_types"]["enum"], UNLISTED),
        (SCHEMAS["OutcomeOut"]["properties"]["means"]["enum"], MEANS),
        (SCHEMAS["ContactOut"]["properties"]["kind"]["enum"], ContactKind),
    ],
)
def test_enumerations_equal_those_of_the_rules(words: Any, of: Any) -> None:
    assert [*words] == [str(one) for one in of]


def test_each_operation_names_its_errors() -> None:
    for row in ENDPOINTS:
        answers = OPERATIONS[row.name]["responses"]
        assert {"200", "400", "503", "default"} <= {*answers}
        assert ("401" in answers) == (row.access.value == "key" or Unauthenticated in row.refuses), row.path
        for status, answer in answers.items():
            if "$ref" in answer:
                assert answer["$ref"].rpartition("/")[2] in DOCUMENT["components"]["responses"], (
                    row.path,
                    status,
                )
    assert OPERATIONS["getTask"]["responses"]["404"] == {"$ref": "#/components/responses/NotFound"}
    assert OPERATIONS["createIntent"]["responses"]["429"] == {"$ref": "#/components/responses/TooMany"}


def test_error_codes_of_an_operation_exist_with_their_status() -> None:
    raised = {(code, str(place.status)) for code, places in errors.codes().items() for place in places}
    known = codes.known()
    assert {row.name for row in ENDPOINTS} >= known.keys()
    for name, row in known.items():
        of_none = {(code, status) for status in row for code in row[status]} - raised
        assert of_none == set(), f"{name}: remove them from error_codes.json"
    named = OPERATIONS["answerTask"]["x-error-codes"]
    assert {"already_decided", "idempotency_conflict"} <= {*named["409"]}
    assert "body_not_allowed" not in named["422"]
    assert "`already_decided`" in OPERATIONS["answerTask"]["description"]
    assert "agent_killed" in OPERATIONS["listPeople"]["x-error-codes"]["403"]
    assert (
        "403" not in OPERATIONS["sendHeartbeat"]["x-error-codes"]
        or "agent_killed" not in (OPERATIONS["sendHeartbeat"]["x-error-codes"]["403"])
    )


def test_rate_limit_is_named_only_where_it_applies() -> None:
    def limited(code: str) -> set[str]:
        return {
            name
            for name, operation in OPERATIONS.items()
            if code in operation.get("x-error-codes", {}).get("429", ())
        }

    with_key = {row.name for row in ENDPOINTS if row.access is Access.KEY}
    assert limited("too_many_requests") == with_key
    streams = {row.name for row in ENDPOINTS if row.media == "text/event-stream"}
    assert limited("too_many_streams") == {*streams, "claimDeliveries"}
    assert limited("too_many_open") == {
        "createIntent",
        "retryIntent",
        "rerunIntentStep",
        "applyScenario",
        "applyScenarioBundle",
    }
    for operation in OPERATIONS.values():
        named = operation.get("x-error-codes", {})
        assert ("429" in named) == ("429" in operation["responses"]), operation["operationId"]


# Of these parts of the source, and why no operation answers with them.
RULES = (
    "core/intent/",
    "engine/admin/accounts.py",
    "engine/admin/apply_manifest.py",
    "engine/admin/proposals.py",
    "engine/bulk_answers.py",
    "engine/identity/device_logins.py",
    "engine/rerun.py",
    "engine/planning/",
    "web/api/",
    "web/axp/",
)
OF_OTHERS = {
    "bulk_not_allowed": "what became of one task, in the response to the whole act",
    "not_equal": "the same",
    "nothing_to_apply": "AXP's clients get it with 200",
    "stale_policy_generation": "AXP's clients get it with 200",
    "not_ready": "a claim returns nothing instead",
    "system_only": "no request makes such a command",
}


def test_every_error_code_is_named_by_an_operation() -> None:
    named = {
        (code, status)
        for operation in OPERATIONS.values()
        for status, names in operation.get("x-error-codes", {}).items()
        for code in names
    }
    missing = {
        code
        for code, places in errors.codes().items()
        for place in places
        if place.file.startswith(RULES) and place.status < 500 and (code, str(place.status)) not in named
    }
    assert missing == OF_OTHERS.keys()


def test_openapi_3_0_edition_uses_only_its_keywords() -> None:
    made = openapi.openapi_3_0.edition(DOCUMENT)
    assert made["openapi"] == "3.0.3"
    assert made["paths"].keys() == DOCUMENT["paths"].keys()
    assert made["components"]["schemas"].keys() == SCHEMAS.keys()
    for where, part in schemas(made):
        if "properties" in where[-1:]:
            continue
        assert isinstance(part.get("type", ""), str), where
        assert part.get("type") != "null", where
        assert not {"examples", "const"} & part.keys(), where
        assert isinstance(part.get("exclusiveMinimum", False), bool), where
        assert "$ref" not in part or len(part) == 1, where
    key = made["components"]["schemas"]["CreateKey"]["properties"]
    assert key["expires_in_seconds"] == {
        "description": "How long the key is valid, in seconds; by default it does not expire.",
        "type": "number",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 315360000,
        "nullable": True,
        "example": 2592000,
    }
    assert made["components"]["schemas"]["ReportRequest"]["properties"]["error"] == {
        "description": "The error, if it failed.",
        "nullable": True,
        "type": "object",
        "allOf": [{"$ref": "#/components/schemas/AgentError"}],
    }


async def test_both_editions_are_served_as_checked_in(web: WebEnv) -> None:
    for name, text in (("openapi", openapi.text()), ("openapi-3.0", openapi.text_3_0())):
        served = await web.get(f"/{name}.json", "")
        assert (served.status, served.text) == (200, text)
        assert text == (ROOT / "docs" / f"{name}.json").read_text("utf-8"), "run: make docs"


# -- every example of a request is one that the server accepts


# What some examples are warned of with good reason: AXP's maps do nothing here.
EXPECTED = ("has no effect",)


class Told:
    """Sends the description's example requests to a server that has what they name."""

    def __init__(self, web: WebEnv) -> None:
        self.web = web
        self.tried: set[str] = set()

    async def send(self, operation: str, who: str, *fine: int, **ids: str) -> Any:
        row = next(row for row in ENDPOINTS if row.name == operation)
        body = OPERATIONS[operation]["requestBody"]["content"]["application/json"]["example"]
        path = row.path.replace(":path", "").format(**ids)
        answer = await self.web.call(row.method, path, body, who)
        assert answer.status in (fine or (200,)), f"{operation}: {answer.text}"
        for warning in answer.json.get("warnings", ()):
            assert any(known in warning for known in EXPECTED), f"{operation}: {warning}"
        self.tried.add(operation)
        return answer

    async def intent(self) -> dict[str, str]:
        """The ids of a new request from the example, and of its task."""
        self.web.clock.move(timedelta(milliseconds=2))
        made = (await self.send("createIntent", "ci"))["intent_id"]
        return {"intent_id": made, "task_id": f"{made[:-4]}0001", "approval_id": made}


@pytest.fixture
async def mailing(store: Store, clock: FixedClock) -> AsyncIterator[WebEnv]:
    """With an SMTP server, so that people can be notified."""
    async with smtp_sink() as server:
        env = EngineEnv(store, clock, ChannelRegistry(email(server.url)))
        async with env.running():
            web = WebEnv(env)
            await web.furnish()
            yield web
            web.state.stop()
            await web.http.aclose()


async def test_server_accepts_every_example(mailing: WebEnv) -> None:
    web = mailing
    told = Told(web)
    await web.join("ben", "approver")
    await web.join("ada", "admin")  # Oscar made the key of ci, so he does not choose who decides
    await told.send("applyManifest", "oscar")
    await told.send("createPerson", "oscar")
    await told.send("updatePerson", "oscar", person_id="ann@acme.example")
    await told.send("putTeam", "oscar", name="sre")
    await told.send("putPolicy", "oscar")
    web.keys["worker"] = (await told.send("createKey", "oscar"))["api_key"]
    await told.send("applyWorkflow", "oscar")
    await told.send("selectPortalWorkspace", "ci")
    await told.send("startDeviceLogin", "")
    await told.send("pollDeviceLogin", "", 410)  # there is no such terminal

    ids = await told.intent()
    for name in ("postIntentControls", "patchIntentControls", "postIntentPolicy", "patchIntentPolicy"):
        await told.send(name, "ci", **ids)
    for name in ("markTaskReviewing", "unmarkTaskReviewing", "snoozeTask", "unsnoozeTask", "commentOnTask"):
        await told.send(name, "ann", **ids)
    await told.send("delegateTask", "ann", **ids)
    await told.send("reassignTask", "ada", **ids)
    await told.send("cancelStaleIntents", "oscar")
    await told.send("withdrawTask", "ci", **ids)
    await told.send("retryIntent", "ci", **ids)
    await told.send("rerunIntentStep", "ci", 409, **ids)  # nothing of it has failed after an approval
    await told.send("resolveIntent", "ci", **await told.intent())
    await told.send("resumeIntent", "ann", **await told.intent())
    await told.send("decideApproval", "ann", **await told.intent())
    await told.send("reviseTask", "ann", **await told.intent())
    ids = await told.intent()
    await told.send("answerTask", "ann", **ids)
    await told.send("useIntentOutcome", "ci", **ids)
    await told.intent()
    await told.send("reassignPersonTasks", "ada", person_id="ann@acme.example")

    await told.send("sendHeartbeat", "worker")
    await web.call("PUT", "/v1/agents/stranger/policy", {"policy_type": "denylist"}, "oscar")
    for name in ("addAgentSender", "setAgentPolicy", "setAgentLimits"):
        await told.send(name, "oscar", address="stranger")
    await told.send("claimDeliveries", "worker", address="infra-validator")
    work = (await web.send(to_agent="infra-validator", intent_type="without.workflow"))[:-4] + "0001"
    await web.post("/v1/agents/infra-validator/deliveries/claim", {}, "worker")
    await told.send("renewDelivery", "worker", delivery_id=work)
    await told.send("reportDelivery", "worker", delivery_id=work)
    await told.send("releaseDelivery", "worker", 409, delivery_id=work)  # it is done
    account = (await told.send("createAccount", "oscar"))["id"]
    await told.send("updateAccount", "oscar", account_id=account)
    await told.send("createAccountKey", "oscar", account_id=account)
    assert (await told.send("validateScenario", "oscar"))["valid"]
    await told.send("applyScenario", "oscar")
    await told.send("applyScenarioBundle", "oscar")
    stale = await told.send("answerTasks", "ann")  # it names a task that is not there
    assert (stale["refused"], stale["recorded"]) == (1, 0)
    await told.send("sendTestMessage", "oscar", person_id="ann@acme.example")
    await told.send("createWorkspace", "oscar")
    await told.send("renameWorkspace", "oscar", workspace_id=HOME)
    assert told.tried == {row.name for row in ENDPOINTS if row.request is not None}
