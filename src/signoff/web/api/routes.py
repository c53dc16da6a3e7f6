"""The API's table of contents: every endpoint once. Routing, the OpenAPI document and the page at /docs come
from it. Hot paths stand first; a literal segment stands before a parameter in the same place.
An agent's address is one to three segments, so what follows it is matched from the right.
"""

from typing import Final

from signoff import wire
from signoff.web.api import (
    acts,
    audit,
    deliveries,
    intents,
    messages,
    people,
    slack,
    stream,
    system,
    tasks,
    workflows,
)
from signoff.web.axp import accounts, inbox, portal, scenarios
from signoff.web.http.call import Access, Endpoint
from signoff.web.http.query import Kind, Parameter
from signoff.wire.common import Nothing

_SSE: Final = "text/event-stream"
_SINCE: Final = Parameter(
    "since", "sequence number after which to begin; exclusive", Kind.COUNT, clamped=True, blank=True
)
_WAIT: Final = Parameter(
    "wait_seconds", "how long to hold the stream when there is nothing new: 1 to 60, default 15", Kind.COUNT,
    least=1, most=60, clamped=True, blank=True,
)  # fmt: skip
_LIMIT: Final = Parameter("limit", "how many at most: 1 to 200, default 50", Kind.COUNT, least=1, most=200)
_CURSOR: Final = Parameter("cursor", "next_cursor of the page before")
_Q: Final = Parameter(
    "q", "words that all stand in its ids, type, people, agents, questions or payload (without secrets)"
)
_TYPE: Final = Parameter("intent_type", "only this type")
_CORRELATION: Final = Parameter("correlation_id", "only with this correlation id")
_OWNER: Final = Parameter("owner_agent", "whose inbox; default: the key's own address", blank=True)
# AXP's clients name the owner beside every act; whose act it is, the key alone says.
_FOR: Final = Parameter("owner_agent", "as AXP's clients send it; the key alone says who acts", blank=True)
_PLACE: Final = (
    Parameter("org_id", "the organisation; of another one than the key's nothing is listed", blank=True),
    Parameter("workspace_id", "the workspace; of another one than the key's nothing is listed", blank=True),
)
_INTENTS: Final = (
    Parameter("status", "statuses, separated by commas; pending: all that are not final"),
    _TYPE,
    _CORRELATION,
    _Q,
    _LIMIT,
    _CURSOR,
)
_TASKS: Final = (
    Parameter(
        "mine", "true: open tasks that the caller may answer, or closed ones that they answered", Kind.FLAG
    ),
    Parameter("state", "open (default) or closed"),
    Parameter("intent_id", "only of this intent"),
    _TYPE,
    _CORRELATION,
    _Q,
    _LIMIT,
    _CURSOR,
)
_AGENTS: Final = Parameter(
    "limit", "how many at most: 1 to 1000, default 1000", Kind.COUNT, least=1, most=1000, blank=True
)
_ABOUT: Final = Parameter(
    "about", "only of one: person:EMAIL, agent:NAME, service:NAME, team:NAME, policy:NAME, workflow:TYPE"
)
_DRY_RUN: Final = (Parameter("dry_run", "true: only say what would change", Kind.FLAG),)
_INBOX: Final = (_OWNER, Parameter("status", "pending, active or done", blank=True))
_POST: Final = (
    _SINCE,
    _WAIT,
    Parameter("status", "only deliveries with one of these statuses, separated by commas", blank=True),
)
_SLACK: Final = "Slack writes it and adds to it; its signature is what counts"
_CREATE: Final = "AXP's clients send fields of their own; each is a warning in the answer"
_RESULT: Final = "whatever stands in it is the agent's result or the answer's data"
_PROBE: Final = "a probe: load balancers add what they like, and the answer is always the same"
_BUNDLE_LIMIT: Final = 512 * 1024

# fmt: off
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("POST", "/v1/intents", "intents",
        intents.create, "Submit an intent",
        request=wire.intents.CreateIntent, response=wire.intents.CreatedOut, any_body=_CREATE),
    Endpoint("GET", "/v1/intents", "intents",
        intents.page, "List intents, newest first", response=wire.intents.Intents, query=_INTENTS),
    Endpoint("POST", "/v1/intents/bulk-cancel", "intents",
        intents.bulk_cancel, "Cancel stale intents",
        request=wire.intents.BulkCancel, response=wire.intents.BulkCanceled),
    Endpoint("GET", "/v1/intents/{intent_id}", "intents",
        intents.get, "Read an intent, or one step of it", response=wire.intents.GotIntent),
    Endpoint("GET", "/v1/intents/{intent_id}/events/stream", "intents",
        stream.events, "Follow an intent's events", response=wire.intents.Events, query=(_SINCE, _WAIT), media=_SSE),
    Endpoint("GET", "/v1/intents/{intent_id}/events", "intents",
        intents.events, "List an intent's events", response=wire.intents.Events, query=(_SINCE,)),
    Endpoint("POST", "/v1/intents/{intent_id}/resume", "intents",
        intents.resume, "Answer, report a result, or report progress",
        request=wire.intents.Resume, response=wire.intents.Acted, query=(_FOR,), any_body=_RESULT),
    Endpoint("POST", "/v1/intents/{intent_id}/resolve", "intents",
        intents.resolve, "End an intent", request=wire.intents.Resolve, response=wire.intents.Acted, query=(_FOR,)),
    Endpoint("POST", "/v1/intents/{intent_id}/controls", "intents",
        intents.controls, "Patch controls", request=wire.intents.Controls, response=wire.intents.Acted, query=(_FOR,)),
    Endpoint("PATCH", "/v1/intents/{intent_id}/controls", "intents",
        intents.controls, "Patch controls", request=wire.intents.Controls, response=wire.intents.Acted, query=(_FOR,)),
    Endpoint("POST", "/v1/intents/{intent_id}/policy", "intents",
        intents.policy, "Patch grants and envelope",
        request=wire.intents.Policy, response=wire.intents.Acted, query=(_FOR,)),
    Endpoint("PATCH", "/v1/intents/{intent_id}/policy", "intents",
        intents.policy, "Patch grants and envelope",
        request=wire.intents.Policy, response=wire.intents.Acted, query=(_FOR,)),
    Endpoint("POST", "/v1/intents/{intent_id}/retry", "intents",
        intents.retry, "Submit a failed intent again, as a new one",
        request=wire.intents.Retry, response=wire.intents.Retried),
    Endpoint("POST", "/v1/intents/{intent_id}/rerun", "intents",
        intents.rerun, "Rerun the step that failed after an approval, once",
        request=wire.intents.RerunRequest, response=wire.intents.RerunAnswer),
    Endpoint("GET", "/v1/intents/{intent_id}/revisions", "intents",
        acts.revisions, "List payload revisions", response=wire.intents.Revisions),
    Endpoint("GET", "/v1/intents/{intent_id}/messages", "intents",
        messages.of_intent, "List notifications and their delivery status", response=wire.messages.MessagesAnswer),
    Endpoint("GET", "/v1/intents/{intent_id}/audit", "audit",
        audit.trail, "Get the audit trail", response=wire.audit.Audit),
    Endpoint("POST", "/v1/tasks/{task_id}/answer", "tasks",
        tasks.answer, "Answer a task", request=wire.tasks.Answer, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/delegate", "tasks",
        acts.delegate, "Delegate the caller's vote", request=wire.tasks.Hand, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/reassign", "tasks",
        acts.reassign, "Ask other people", request=wire.tasks.Reask, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/mark-reviewing", "tasks",
        acts.mark_reviewing, "Mark a task as being reviewed", request=wire.tasks.Bare, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/unmark-reviewing", "tasks",
        acts.unmark_reviewing, "Clear the review mark", request=wire.tasks.Bare, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/snooze", "tasks",
        acts.snooze, "Snooze a task for the caller", request=wire.tasks.Sleep, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/unsnooze", "tasks",
        acts.unsnooze, "Cancel a snooze", request=wire.tasks.Bare, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/comment", "tasks",
        acts.comment, "Comment on a task", request=wire.tasks.Say, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/revise", "tasks",
        acts.revise, "Change what is decided; voids votes", request=wire.tasks.Revision, response=wire.tasks.Answered),
    Endpoint("POST", "/v1/tasks/{task_id}/withdraw", "tasks",
        acts.withdraw, "Withdraw the request", request=wire.tasks.Say, response=wire.intents.Acted),
    Endpoint("GET", "/v1/tasks/{task_id}/explain", "tasks",
        acts.explain, "Who may decide, and the scheduled contacts", response=wire.tasks.ExplainOut),
    Endpoint("GET", "/v1/tasks/{task_id}/messages", "tasks",
        messages.of_task, "List notifications and their delivery status", response=wire.messages.MessagesAnswer),
    Endpoint("GET", "/v1/tasks/understaffed", "tasks",
        people.understaffed, "List understaffed tasks", response=wire.tasks.UnderstaffedTasks),
    Endpoint("GET", "/v1/tasks/{task_id}", "tasks", tasks.get, "Read a task", response=wire.tasks.TaskAnswer),
    Endpoint("GET", "/v1/tasks", "tasks", tasks.page, "List tasks", response=wire.tasks.Tasks, query=_TASKS),
    Endpoint("GET", "/v1/me/tasks", "tasks", tasks.mine, "Open tasks, as AXP lists them", response=wire.tasks.MyTasks),
    Endpoint("POST", "/v1/approvals/{approval_id}/decision", "tasks",
        tasks.decide, "Decide, as AXP's approvals do", request=wire.tasks.Decision, response=wire.tasks.ApprovalAnswer),
    Endpoint("POST", "/v1/agents/{address:path}/deliveries/claim", "deliveries",
        deliveries.claim, "Claim deliveries under a lease",
        request=wire.deliveries.Claim, response=wire.deliveries.Claimed),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/report", "deliveries",
        deliveries.report, "Report a step's result or error",
        request=wire.deliveries.Report, response=wire.deliveries.Reported),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/renew", "deliveries",
        deliveries.renew, "Renew a lease", request=wire.deliveries.Renew, response=wire.deliveries.Renewed),
    Endpoint("POST", "/v1/deliveries/{delivery_id}/release", "deliveries",
        deliveries.release, "Return a delivery", request=wire.deliveries.Release, response=Nothing),
    Endpoint("GET", "/v1/agents/{address:path}/intents/stream", "agents",
        stream.deliveries, "Follow an agent's deliveries",
        response=wire.deliveries.Deliveries, query=_POST, media=_SSE),
    Endpoint("GET", "/v1/agents/{address:path}/intents", "agents",
        deliveries.poll, "List an agent's deliveries", response=wire.deliveries.Deliveries, query=(_SINCE,)),
    Endpoint("GET", "/v1/agents/{address:path}", "agents",
        accounts.agent, "Read an agent", response=wire.accounts.AgentAnswer),
    Endpoint("GET", "/v1/agents", "agents",
        accounts.agents, "List agents", response=wire.accounts.Agents, query=(*_PLACE, _AGENTS)),
    Endpoint("POST", "/v1/scenarios/apply", "scenarios",
        scenarios.apply, "Start a scenario bundle",
        request=wire.scenarios.Bundle, response=wire.scenarios.ScenarioApplied, limit=_BUNDLE_LIMIT, any_body=_CREATE),
    Endpoint("POST", "/v1/scenarios/bundle", "scenarios",
        scenarios.apply, "Start a scenario bundle",
        request=wire.scenarios.Bundle, response=wire.scenarios.ScenarioApplied, limit=_BUNDLE_LIMIT, any_body=_CREATE),
    Endpoint("POST", "/v1/scenarios/validate", "scenarios",
        scenarios.validate, "Check a scenario bundle",
        request=wire.scenarios.Bundle, response=wire.scenarios.ScenarioCheck, limit=_BUNDLE_LIMIT, any_body=_CREATE),
    Endpoint("POST", "/v1/workflows", "workflows",
        workflows.apply, "Apply a workflow",
        request=wire.workflows.WorkflowSource, response=wire.workflows.AppliedOut, query=_DRY_RUN),
    Endpoint("GET", "/v1/workflows", "workflows", workflows.page, "List workflows", response=wire.workflows.Workflows),
    Endpoint("GET", "/v1/workflows/{intent_type}", "workflows",
        workflows.get, "Read the workflow of an intent type", response=wire.workflows.WorkflowAnswer),
    Endpoint("GET", "/v1/people", "people", people.people, "List people", response=wire.people.People),
    Endpoint("POST", "/v1/people", "people",
        people.add_person, "Add a person", request=wire.people.CreatePerson, response=wire.people.PersonAnswer),
    Endpoint("PATCH", "/v1/people/{person_id}", "people",
        people.change_person, "Change a person", request=wire.people.ChangePerson, response=wire.people.PersonAnswer),
    Endpoint("GET", "/v1/people/{person_id}/sessions", "people",
        people.sessions, "List a person's sessions", response=wire.people.SessionList),
    Endpoint("POST", "/v1/people/{person_id}/sessions/end", "people",
        people.end_sessions, "End all sessions of a person", response=wire.people.SessionsEnded),
    Endpoint("POST", "/v1/people/{person_id}/sessions/{session_id}/end", "people",
        people.end_session, "End one session", response=wire.people.SessionsEnded),
    Endpoint("GET", "/v1/people/{person_id}/waiting", "people",
        people.waiting, "List a person's open tasks", response=wire.people.PersonWaiting),
    Endpoint("POST", "/v1/people/{person_id}/reassign", "people",
        people.reassign_all, "Reassign a person's open tasks", request=wire.people.ReassignAll,
        response=wire.people.ReassignedAll),
    Endpoint("GET", "/v1/teams", "people", people.teams, "List teams", response=wire.teams.Teams),
    Endpoint("GET", "/v1/teams/{name}", "people", people.team, "Read a team", response=wire.teams.TeamAnswer),
    Endpoint("PUT", "/v1/teams/{name}", "people",
        people.put_team, "Create or replace a team", request=wire.teams.PutTeam, response=wire.teams.TeamAnswer),
    Endpoint("GET", "/v1/policies", "people", people.policies, "List policies", response=wire.policies.Policies),
    Endpoint("POST", "/v1/policies", "people",
        people.put_policy, "Create or replace a policy",
        request=wire.policies.PutPolicy, response=wire.policies.PolicyAnswer),
    Endpoint("GET", "/v1/policies/{name}/explain", "people",
        people.explain_policy, "Who may decide a task under a policy, and the scheduled contacts",
        response=wire.tasks.ExplainOut, query=(Parameter("at", "when it would open; default: now"),)),
    Endpoint("POST", "/v1/apply", "people",
        people.apply, "Apply people, teams, policies and workflows, all or nothing",
        request=wire.changes.CharterSource, response=wire.changes.AppliedCharter, query=_DRY_RUN, limit=_BUNDLE_LIMIT),
    Endpoint("GET", "/v1/proposals", "people",
        people.proposals, "List proposals", response=wire.changes.ProposalList, query=(_LIMIT,)),
    Endpoint("GET", "/v1/proposals/{proposal_id}", "people",
        people.proposal, "Read a proposal", response=wire.changes.ProposalAnswer),
    Endpoint("POST", "/v1/proposals/{proposal_id}/confirm", "people",
        people.confirm, "Confirm a proposal", response=wire.changes.ProposalAnswer),
    Endpoint("POST", "/v1/proposals/{proposal_id}/refuse", "people",
        people.refuse, "Refuse a proposal", response=wire.changes.ProposalAnswer),
    Endpoint("GET", "/v1/changes", "people",
        people.changes, "List changes, newest first", response=wire.changes.Changes, query=(_ABOUT, _LIMIT, _CURSOR)),
    Endpoint("GET", "/v1/service-accounts", "accounts",
        accounts.page, "List agents and services", response=wire.accounts.Accounts, query=_PLACE),
    Endpoint("POST", "/v1/service-accounts", "accounts",
        accounts.create, "Register an agent",
        request=wire.accounts.CreateAccount, response=wire.accounts.AccountAnswer),
    Endpoint("GET", "/v1/service-accounts/{account_id}", "accounts",
        accounts.get, "Read an account", response=wire.accounts.AccountAnswer),
    Endpoint("PATCH", "/v1/service-accounts/{account_id}", "accounts",
        accounts.change, "Change an account",
        request=wire.accounts.ChangeAccount, response=wire.accounts.AccountAnswer),
    Endpoint("DELETE", "/v1/service-accounts/{account_id}", "accounts",
        accounts.remove, "Revoke an account and its keys", response=wire.accounts.Removed),
    Endpoint("POST", "/v1/service-accounts/{account_id}/keys", "accounts",
        accounts.create_account_key, "Create a key for an account",
        request=wire.accounts.CreateAccountKey, response=wire.keys.AccountKey),
    Endpoint("POST", "/v1/service-accounts/{account_id}/keys/{key_id}/revoke", "accounts",
        accounts.revoke_account_key, "Revoke a key", response=wire.keys.KeyAnswer),
    Endpoint("POST", "/v1/keys", "keys",
        accounts.create_key, "Create a key",
        request=wire.keys.CreateKey, response=wire.keys.NewKeyOut),
    Endpoint("GET", "/v1/keys", "keys", accounts.keys, "List keys", response=wire.keys.Keys),
    Endpoint("POST", "/v1/keys/{key_id}/revoke", "keys",
        accounts.revoke_key, "Revoke a key", response=wire.keys.KeyAnswer),
    Endpoint("GET", "/v1/inbox", "inbox", inbox.page, "Read an inbox", response=inbox.Threads, query=_INBOX),
    Endpoint("GET", "/v1/inbox/{thread_id}", "inbox",
        inbox.get, "Read a thread", response=inbox.ThreadAnswer, query=(_OWNER,)),
    Endpoint("POST", "/v1/me/slack/code", "system",
        slack.code, "Create a code to link a Slack account", response=wire.system.ChatCode),
    Endpoint("POST", "/v1/slack/actions", "system",
        slack.actions, "Button presses and commands from Slack, signed by it",
        access=Access.OPEN, any_query=_SLACK, any_body=_SLACK),
    Endpoint("GET", "/v1/channels", "system",
        messages.channels, "Delivery status of each channel", response=wire.messages.ChannelsAnswer),
    Endpoint("GET", "/v1/me", "system", system.me, "The key's actor", response=wire.system.Me),
    Endpoint("GET", "/v1/portal/personal/context", "system",
        portal.context, "The key's organization and workspace, for AXP's command line", response=portal.PortalContext),
    Endpoint("POST", "/v1/portal/personal/workspace-selection", "system",
        portal.select, "Select the workspace, as AXP's command line does",
        request=portal.Selection, response=portal.PortalContext),
    Endpoint("GET", "/health", "system",
        system.health, "Liveness probe", response=wire.system.Health, access=Access.OPEN, any_query=_PROBE),
    Endpoint("GET", "/v1/health", "system",
        system.health, "Liveness probe", response=wire.system.Health, access=Access.OPEN, any_query=_PROBE),
    Endpoint("GET", "/ready", "system",
        system.ready, "Readiness probe", response=wire.system.Ready, access=Access.OPEN, any_query=_PROBE),
)
# fmt: on
