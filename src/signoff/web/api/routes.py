"""The API's table of contents: every endpoint once. Routing, the OpenAPI document and the page at /docs come
from it. Hot paths stand first; a literal segment stands before a parameter in the same place.
An agent's address is one to three segments, so what follows it is matched from the right.
"""

from typing import Final

from signoff.web.api import (
    accounts,
    audit,
    deliveries,
    inbox,
    intents,
    portal,
    scenarios,
    stream,
    system,
    tasks,
    workflows,
)
from signoff.web.api.shapes import agents as ag
from signoff.web.api.shapes import answers as an
from signoff.web.api.shapes import directory as d
from signoff.web.api.shapes import requests as r
from signoff.web.api.shapes import tasks as t
from signoff.web.api.shapes.common import Nothing
from signoff.web.call import Access, Endpoint

_SSE: Final = "text/event-stream"
_SINCE: Final = ("since", "sequence number after which to begin; exclusive")
_WAIT: Final = ("wait_seconds", "how long to hold the stream when there is nothing new: 1 to 60, default 15")
_LIMIT: Final = ("limit", "how many at most")
_CURSOR: Final = ("cursor", "next_cursor of the page before")
_OWNER: Final = ("owner_agent", "whose inbox; default: the key's own address")
_INTENTS: Final = (
    ("status", "statuses, separated by commas; pending: all that are not final"),
    ("intent_type", "only this type"),
    _LIMIT,
    _CURSOR,
)
_TASKS: Final = (
    ("mine", "true: those the caller may answer"),
    ("state", "open (default) or closed"),
    _LIMIT,
    _CURSOR,
)
_DRY_RUN: Final = (("dry_run", "true: only say what would change"),)
_INBOX: Final = (_OWNER, ("status", "pending, active or done"))
_BUNDLE_LIMIT: Final = 512 * 1024

# fmt: off
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("POST", "/v1/intents", "intents",
        intents.create, "Submit an intent", request=r.CreateIntent, response=an.CreatedOut),
    Endpoint("GET", "/v1/intents", "intents",
        intents.page, "List intents, newest first", response=an.Intents, query=_INTENTS),
    Endpoint("POST", "/v1/intents/bulk-cancel", "intents",
        intents.bulk_cancel, "Cancel what has not moved for a while",
        request=r.BulkCancel, response=an.BulkCanceled),
    Endpoint("GET", "/v1/intents/{intent_id}", "intents",
        intents.get, "Read an intent, or one step of it", response=an.GotIntent),
    Endpoint("GET", "/v1/intents/{intent_id}/events/stream", "intents",
        stream.events, "Follow an intent's events", response=an.Events, query=(_SINCE, _WAIT), media=_SSE),
    Endpoint("GET", "/v1/intents/{intent_id}/events", "intents",
        intents.events, "An intent's events", response=an.Events, query=(_SINCE,)),
    Endpoint("POST", "/v1/intents/{intent_id}/resume", "intents",
        intents.resume, "Decide, report a result, or let it go on", request=r.Resume, response=an.Acted),
    Endpoint("POST", "/v1/intents/{intent_id}/resolve", "intents",
        intents.resolve, "End an intent from outside", request=r.Resolve, response=an.Acted),
    Endpoint("POST", "/v1/intents/{intent_id}/controls", "intents",
        intents.controls, "Patch its control map", request=r.Controls, response=an.Acted),
    Endpoint("PATCH", "/v1/intents/{intent_id}/controls", "intents",
        intents.controls, "Patch its control map", request=r.Controls, response=an.Acted),
    Endpoint("POST", "/v1/intents/{intent_id}/policy", "intents",
        intents.policy, "Patch its grants and envelope", request=r.Policy, response=an.Acted),
    Endpoint("PATCH", "/v1/intents/{intent_id}/policy", "intents",
        intents.policy, "Patch its grants and envelope", request=r.Policy, response=an.Acted),
    Endpoint("POST", "/v1/intents/{intent_id}/retry", "intents",
        intents.retry, "Submit a failed intent again, as a new one", request=r.Retry, response=an.Retried),
    Endpoint("GET", "/v1/intents/{intent_id}/audit", "audit",
        audit.trail, "Its whole history with its hash chain", response=an.Audit),
    Endpoint("POST", "/v1/tasks/{task_id}/answer", "tasks",
        tasks.answer, "Answer a task", request=r.Answer, response=t.Answered),
    Endpoint("GET", "/v1/tasks/{task_id}", "tasks", tasks.get, "Read a task", response=t.TaskAnswer),
    Endpoint("GET", "/v1/tasks", "tasks", tasks.page, "List tasks", response=t.Tasks, query=_TASKS),
    Endpoint("GET", "/v1/me/tasks", "tasks", tasks.mine, "Open tasks, as AXP lists them", response=t.MyTasks),
    Endpoint("POST", "/v1/approvals/{approval_id}/decision", "tasks",
        tasks.decide, "Decide, as AXP's approvals do", request=r.Decision, response=an.ApprovalAnswer),
    Endpoint("POST", "/v1/agents/{address:path}/deliveries/claim", "deliveries",
        deliveries.claim, "Take deliveries under a lease", request=r.Claim, response=ag.Claimed),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/report", "deliveries",
        deliveries.report, "Report a step's result or error", request=r.Report, response=ag.Reported),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/renew", "deliveries",
        deliveries.renew, "Hold a delivery longer", request=r.Renew, response=ag.Renewed),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/release", "deliveries",
        deliveries.release, "Give a delivery back", request=r.Release, response=Nothing),
    Endpoint("GET", "/v1/agents/{address:path}/intents/stream", "agents",
        stream.deliveries, "Follow an agent's deliveries",
        response=ag.Deliveries, query=(_SINCE, _WAIT), media=_SSE),
    Endpoint("GET", "/v1/agents/{address:path}/intents", "agents",
        deliveries.poll, "An agent's deliveries", response=ag.Deliveries, query=(_SINCE,)),
    Endpoint("GET", "/v1/agents/{address:path}", "agents",
        accounts.agent, "Read an agent", response=d.AgentAnswer),
    Endpoint("GET", "/v1/agents", "agents",
        accounts.agents, "List agents", response=d.Agents, query=(_LIMIT,)),
    Endpoint("POST", "/v1/scenarios/apply", "scenarios",
        scenarios.apply, "Set a scenario bundle in motion",
        request=r.Bundle, response=an.ScenarioApplied, limit=_BUNDLE_LIMIT),
    Endpoint("POST", "/v1/scenarios/bundle", "scenarios",
        scenarios.apply, "Set a scenario bundle in motion",
        request=r.Bundle, response=an.ScenarioApplied, limit=_BUNDLE_LIMIT),
    Endpoint("POST", "/v1/scenarios/validate", "scenarios",
        scenarios.validate, "Check a scenario bundle",
        request=r.Bundle, response=an.ScenarioCheck, limit=_BUNDLE_LIMIT),
    Endpoint("POST", "/v1/workflows", "workflows",
        workflows.apply, "Apply a workflow", request=r.WorkflowSource, response=d.AppliedOut, query=_DRY_RUN),
    Endpoint("GET", "/v1/workflows", "workflows", workflows.page, "List workflows", response=d.Workflows),
    Endpoint("GET", "/v1/workflows/{intent_type}", "workflows",
        workflows.get, "Read the workflow of an intent type", response=d.WorkflowAnswer),
    Endpoint("GET", "/v1/service-accounts", "accounts",
        accounts.page, "List agents and services", response=d.Accounts),
    Endpoint("POST", "/v1/service-accounts", "accounts",
        accounts.create, "Register an agent", request=d.CreateAccount, response=d.AccountAnswer),
    Endpoint("GET", "/v1/service-accounts/{account_id}", "accounts",
        accounts.get, "Read an account", response=d.AccountAnswer),
    Endpoint("PATCH", "/v1/service-accounts/{account_id}", "accounts",
        accounts.change, "Change an account", request=d.ChangeAccount, response=d.AccountAnswer),
    Endpoint("DELETE", "/v1/service-accounts/{account_id}", "accounts",
        accounts.remove, "Revoke an account and its keys", response=d.Removed),
    Endpoint("POST", "/v1/service-accounts/{account_id}/keys", "accounts",
        accounts.create_account_key, "Make a key for an account",
        request=d.CreateAccountKey, response=d.AccountKey),
    Endpoint("POST", "/v1/service-accounts/{account_id}/keys/{key_id}/revoke", "accounts",
        accounts.revoke_account_key, "Revoke a key", response=d.KeyAnswer),
    Endpoint("POST", "/v1/keys", "keys",
        accounts.create_key, "Make a key for an agent, a service or a person",
        request=d.CreateKey, response=d.NewKeyOut),
    Endpoint("GET", "/v1/keys", "keys", accounts.keys, "List keys", response=d.Keys),
    Endpoint("POST", "/v1/keys/{key_id}/revoke", "keys",
        accounts.revoke_key, "Revoke a key", response=d.KeyAnswer),
    Endpoint("GET", "/v1/inbox", "inbox", inbox.page, "Read an inbox", response=inbox.Threads, query=_INBOX),
    Endpoint("GET", "/v1/inbox/{thread_id}", "inbox",
        inbox.get, "Read a thread", response=inbox.ThreadAnswer, query=(_OWNER,)),
    Endpoint("GET", "/v1/me", "system", system.me, "Whom the key stands for", response=system.Me),
    Endpoint("GET", "/v1/portal/personal/context", "system",
        portal.context, "Where the key belongs, as AXP's command line asks", response=portal.PortalContext),
    Endpoint("GET", "/health", "system",
        system.health, "Whether the process answers", response=system.Health, access=Access.OPEN),
    Endpoint("GET", "/v1/health", "system",
        system.health, "Whether the process answers", response=system.Health, access=Access.OPEN),
    Endpoint("GET", "/ready", "system",
        system.ready, "Whether the process can work", response=system.Ready, access=Access.OPEN),
)
# fmt: on
