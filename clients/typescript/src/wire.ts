// Made by `make docs` from the API's description; do not edit.

/** A JSON object whose members are up to its author. */
export type JsonObject = { readonly [name: string]: any };

/** Absent from `from` until `until`, exclusive; the delegate may answer in the meantime. */
export interface AbsenceOut {
  /** From when. */
  readonly from: string;
  /** Until when, exclusive. */
  readonly until: string;
  /** Who may answer in the meantime. */
  readonly delegate?: string;
}

/** 409 with the existing account. */
export interface AccountExists {
  /** False: the request was refused. */
  readonly ok: boolean;
  /** The account that exists. */
  readonly service_account: AccountOut;
  /** What went wrong. */
  readonly error: ExistsError;
  /** The error's message, for clients that read it here. */
  readonly message: string;
  /** The error's message, for clients that read it here. */
  readonly detail: string;
  /** Names this request in the server's log. */
  readonly request_id: string;
}

/** A new key of an account. */
export interface AccountKey {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The key. */
  readonly key: KeyOut;
  /** The secret: shown once, and not stored. */
  readonly api_key: string;
}

/** An agent or a service. last_seen_at: when this agent last asked for work or sent a heartbeat, to the minute, absent if never; last_seen_client: the program that did so; last_seen: the time as text. */
export interface AccountOut {
  /** The id of the agent or service. */
  readonly service_account_id: string;
  /** The same as service_account_id. */
  readonly id: string;
  /** What it is. */
  readonly kind: "agent" | "service";
  /** Its name in the workspace. */
  readonly name: string;
  /** The same as name. */
  readonly service_account_name: string;
  /** The display name. */
  readonly display_name: string;
  /** What it is for. */
  readonly description: string;
  /** The organization. */
  readonly org_id: string;
  /** The id of the workspace. */
  readonly workspace_id: string;
  /** Whether it may act: active or killed. */
  readonly status: string;
  /** The address of the agent. */
  readonly agent_address: string;
  /** The same as agent_address. */
  readonly address: string;
  /** The id of the address. */
  readonly address_id: string;
  /** How the agent gets its work. */
  readonly delivery_mode: "stream" | "poll" | "http" | "inbox";
  /** The URL to which its work is pushed, if its delivery mode is http. */
  readonly callback_url?: string;
  /** The id of its creator. */
  readonly created_by_actor_id: string;
  /** When it was created. */
  readonly created_at: string;
  /** When it last changed. */
  readonly updated_at: string;
  /** When it last asked for work or sent a heartbeat, to the minute; absent if never. */
  readonly last_seen_at?: string;
  /** The program that did so. */
  readonly last_seen_client?: string;
  /** The same, as text. */
  readonly last_seen?: string;
  /** When it was killed; absent if it was not, or was resumed. */
  readonly killed_at?: string;
  /** The name of who killed it; only for people. */
  readonly killed_by?: string;
  /** What this agent reported today (in UTC); only for people, itself and the service that registered it. */
  readonly metrics?: AgentMetrics;
}

/** One account; its ids and address are also at the top level. `webhook_secret`: only if it was just created. */
export interface AccountResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The account. */
  readonly service_account: AccountOut;
  /** The id of the agent or service. */
  readonly service_account_id: string;
  /** The same as service_account_id. */
  readonly id: string;
  /** The same as agent_address. */
  readonly address: string;
  /** The address of the agent. */
  readonly agent_address: string;
  /** The secret that signs pushes; only if it was just created. */
  readonly webhook_secret?: string;
}

/** All accounts of the workspace. */
export interface AccountsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The accounts. */
  readonly service_accounts: readonly AccountOut[];
}

/** An actor, with a display name. */
export interface ActorOut {
  /** What the actor is. */
  readonly kind: "person" | "agent" | "service" | "system";
  /** The actor's id. */
  readonly id: string;
  /** The actor's address, if it is a program. */
  readonly address?: string;
  /** The display name. */
  readonly name?: string;
}

/** One more pattern of senders; one that is there already is not added again. */
export interface AddSenderEntry {
  /** An address, agent://organization/workspace/*, agent://organization/*, or * for any sender. */
  readonly sender_pattern: string;
}

/** Why the step failed. `retryable`: whether a retry could help. */
export interface AgentError {
  /** A stable code. Default: agent_failed. */
  readonly code?: string;
  /** What went wrong. */
  readonly message?: string;
  /** Whether a retry could help. */
  readonly retryable?: boolean;
}

/** What an agent has reported in its heartbeats. */
export interface AgentMetrics {
  /** How many requests it worked on. */
  readonly intents_total: number;
  /** How many of them succeeded. */
  readonly intents_succeeded: number;
  /** How many of them failed. */
  readonly intents_failed: number;
  /** How long one took on average, in milliseconds. */
  readonly avg_latency_ms?: number;
  /** What they cost, in US dollars. */
  readonly cost_usd: number;
  /** When it last reported. */
  readonly reported_at?: string;
}

/** One agent. */
export interface AgentResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The agent. */
  readonly agent: AccountOut;
}

/** All agents of the workspace. */
export interface AgentsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The agents. */
  readonly agents: readonly AccountOut[];
}

/** One person's answer. `stage`, `revision`, `digest`: as the task showed them; a mismatch is a 409. `number`: the number of your answer at this stage; needed only to return to an answer that you have changed. */
export interface AnswerRequest {
  /** The outcome that was chosen. */
  readonly outcome: string;
  /** Why; some tasks require it. */
  readonly comment?: string;
  /** The form's data, if the task has a form. */
  readonly data?: object;
  /** The stage that the task showed; if it is another one now, nothing is answered. */
  readonly stage?: number | null;
  /** The revision that the task showed; if it is another one now, nothing is answered. */
  readonly revision?: number | null;
  /** The number of the person's answer at this stage; only to return to an answer that was changed. */
  readonly number?: number | null;
  /** The digest that the task showed; if it is another one now, nothing is answered. */
  readonly digest?: string | null;
}

/** An applied workflow. `changed`: False if the same template was active and its agents registered; warnings: what may block it, as text. */
export interface AppliedOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** False if the same template was active and its agents registered. */
  readonly changed: boolean;
  /** Whether this was only a dry run. */
  readonly dry_run: boolean;
  /** The workflow. */
  readonly workflow: WorkflowOut;
  /** The addresses of the agents that it registers. */
  readonly agents: readonly string[];
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** A decision in AXP's format. */
export interface ApprovalOut {
  /** The task's id, in AXP's terms. */
  readonly approval_id: string;
  /** The decision. */
  readonly decision: "approve" | "reject";
  /** The comment; null without one. */
  readonly comment: string | null;
  /** When it was decided. */
  readonly decided_at: string;
}

/** The decision was counted. */
export interface ApprovalResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The decision, in AXP's format. */
  readonly approval: ApprovalOut;
  /** The task's id, in AXP's terms. */
  readonly approval_id: string;
  /** The outcome. */
  readonly status: string;
  /** When it was decided. */
  readonly decided_at: string;
  /** The intent. */
  readonly intent: IntentOut;
}

/** One event of the hash chain. `body`: the text that was hashed; `private`: the erasable text, kept separately. An entry whose bytes are no longer an event has the type `unreadable` and no time. */
export interface AuditEventOut {
  /** Its number in the history, from 1. */
  readonly seq: number;
  /** When it happened. */
  readonly at?: string;
  /** The event. */
  readonly type: string;
  /** Who caused it. */
  readonly actor: ActorOut;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
  /** What happened, as text. */
  readonly summary: string;
  /** The comment. */
  readonly comment?: string;
  /** For an answer: how the person saw the task; only for the person, owners, admins and auditors. */
  readonly viewed?: ViewedOut;
  /** The event's fields. */
  readonly event: JsonObject;
  /** The text that was hashed. */
  readonly body: string;
  /** The text that can be erased, kept separately from the body. */
  readonly private?: string;
  /** The hash of the body and of the previous event's hash. */
  readonly hash: string;
}

/** One event. comment, event: with secrets masked; body, private: the hashed and the erasable text, if requested. */
export interface AuditRecord {
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The number of the event in the intent's history, from 1. */
  readonly seq: number;
  /** When it happened. */
  readonly at?: string;
  /** The stored type of the event. */
  readonly type: string;
  /** The kind of the actor; empty if the event cannot be read. */
  readonly actor_kind: string;
  /** The id of the actor. */
  readonly actor_id: string;
  /** The name of the actor. */
  readonly actor_name: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
  /** What happened, in a sentence. */
  readonly summary: string;
  /** The comment, with secrets masked; empty if there is none. */
  readonly comment: string;
  /** The event's data, with secrets masked. */
  readonly event?: JsonObject;
  /** The hash of this event in the hash chain. */
  readonly hash: string;
  /** The text that was hashed, if requested. */
  readonly body?: string;
  /** The erasable text, kept separately, if requested. */
  readonly private?: string;
}

/** The events of some intents, oldest first; an intent's events are in order, and never split across two pages. */
export interface AuditRecords {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Where the next page begins; absent on the last one. */
  readonly next_cursor?: string;
  /** The events. */
  readonly records: readonly AuditRecord[];
}

/** An intent's whole history. `verified`: the result of the server's own check of the hash chain. */
export interface AuditResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The number of the last event. */
  readonly seq: number;
  /** The hash of the last event. */
  readonly head: string;
  /** The server's own check of the chain. */
  readonly verified: boolean;
  /** What is wrong with the chain. */
  readonly problem?: string;
  /** The history, oldest first. */
  readonly events: readonly AuditEventOut[];
  /** Who opened its tasks: everyone, for owners, admins and auditors; otherwise only the caller. It is not part of the hash chain. */
  readonly views?: readonly ViewOut[];
}

/** One answer to up to 500 similar low-risk tasks (those with the same `bulk_form`). */
export interface BulkAnswerRequest {
  /** The outcome for all of them. */
  readonly outcome: string;
  /** Why. */
  readonly comment?: string;
  /** The tasks, as they were shown. */
  readonly tasks: readonly BulkTask[];
}

/** Cancel intents without recent changes, oldest first, as far as the caller may cancel them. A dry run (the default) only reports what it would cancel. `q`: search words, as in the list of intents. */
export interface BulkCancelRequest {
  /** Only intents that have not changed for this many hours. Default: 24. */
  readonly older_than_hours?: number;
  /** True (the default) only reports what would be canceled. Default: true. */
  readonly dry_run?: boolean;
  /** The reason, which is kept in the history. Default: canceled in bulk. */
  readonly reason?: string;
  /** The maximum number to cancel. Default: 500. */
  readonly limit?: number;
  /** Only these statuses. */
  readonly status_filter?: readonly string[];
  /** Only this type. */
  readonly intent_type?: string;
  /** Only with this correlation id. */
  readonly correlation_id?: string;
  /** Only intents that these search words find. */
  readonly q?: string;
}

/** The intents that were canceled, or in a dry run would be. */
export interface BulkCancelResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whether this was only a dry run. */
  readonly dry_run: boolean;
  /** How many a real run would cancel. */
  readonly would_cancel: number;
  /** How many were canceled. */
  readonly canceled: number;
  /** Their ids. */
  readonly intent_ids: readonly string[];
}

/** Each task of a bulk answer, in the order of the request, and how many were recorded, refused and decided. */
export interface BulkResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** How many were recorded. */
  readonly recorded: number;
  /** How many were refused. */
  readonly refused: number;
  /** How many tasks are now decided. */
  readonly decided: number;
  /** What the action has done, as text. */
  readonly receipt: ReceiptOut;
  /** The result for each, in the order of the request. */
  readonly results: readonly BulkResult[];
}

/** The result for one task of a bulk answer. `recorded`: whether the answer counts; `decided`: whether the task is now closed; `receipt`: what was recorded; `code`, `message`, `hint`: why the answer was refused. */
export interface BulkResult {
  /** The task's id. */
  readonly task_id: string;
  /** Whether the answer counts. */
  readonly recorded: boolean;
  /** Whether the task is now closed. */
  readonly decided: boolean;
  /** What was recorded. */
  readonly receipt?: ReceiptOut;
  /** Why it was refused: a stable code. */
  readonly code?: string;
  /** Why it was refused. */
  readonly message?: string;
  /** What to do next. */
  readonly hint?: string;
}

/** One of the tasks of a bulk answer. `stage`, `revision`, `digest`: as the task showed them, all required. */
export interface BulkTask {
  /** The task's id. */
  readonly task_id: string;
  /** The stage that the task showed. */
  readonly stage: number;
  /** The revision that the task showed. */
  readonly revision: number;
  /** The digest that the task showed. */
  readonly digest: string;
}

/** An AXP ScenarioBundle. */
export interface BundleRequest {
  /** The bundle's own id. */
  readonly scenario_id?: string;
  /** What it is, in one line. */
  readonly title?: string;
  /** What it is for. */
  readonly description?: string;
  /** Repeating a request with the same key does not start it again. */
  readonly idempotency_key?: string;
  /** The agents that it needs. */
  readonly agents?: readonly object[];
  /** The people that it asks. */
  readonly humans?: readonly object[];
  /** The steps. */
  readonly workflow?: object | null;
  /** The intent to start. */
  readonly intent: object;
}

/** What this server supports of AXP. */
export interface Capabilities {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The families of AXP's endpoints that are supported, at least in part. */
  readonly capabilities: readonly string[];
  /** The intent types with a workflow. Other types are accepted too, unless the workspace refuses them. */
  readonly supported_intent_types: readonly string[];
}

/** The fields to change; omitted fields are unchanged. `rotate_webhook_secret`: whether to create a new secret. */
export interface ChangeAccount {
  /** The display name. */
  readonly display_name?: string | null;
  /** What it is for. */
  readonly description?: string | null;
  /** How the agent gets its work. */
  readonly delivery_mode?: "stream" | "poll" | "http" | "inbox" | null;
  /** The URL to which its work is pushed, if its delivery mode is http. */
  readonly callback_url?: string | null;
  /** Whether to create a new webhook secret. */
  readonly rotate_webhook_secret?: boolean;
}

/** What an apply does to one entry: create, change, remove or unchanged. `fields`: the fields that differ. */
export interface ChangeOut {
  /** What happens to the entry. */
  readonly action: "create" | "change" | "unchanged" | "remove";
  /** What the entry is. */
  readonly kind: "person" | "team" | "policy" | "workflow" | "workspace" | "agent";
  /** The entry's name. */
  readonly name: string;
  /** The fields that differ. */
  readonly fields: readonly string[];
  /** The entry before. */
  readonly before?: JsonObject;
  /** The entry after. */
  readonly after?: JsonObject;
}

/** The fields to change; the rest is unchanged. People may change their own zone, hours, absences and preferences. */
export interface ChangePerson {
  /** The display name. */
  readonly name?: string | null;
  /** The roles; approver by default. */
  readonly roles?: readonly string[] | null;
  /** Whether they may sign in. */
  readonly active?: boolean | null;
  /** Addresses by channel. */
  readonly addresses?: object | null;
  /** The IANA time zone. */
  readonly zone?: string | null;
  /** Working hours: zone, days, from, to; false removes them. */
  readonly hours?: object | boolean | null;
  /** Absences: from, until, delegate. */
  readonly absences?: readonly object[] | null;
  /** How to contact them. */
  readonly preferences?: object | null;
}

/** The change log, newest first. */
export interface ChangesResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Where the next page begins; absent on the last one. */
  readonly next_cursor?: string;
  /** The changes. */
  readonly changes: readonly RecordedChange[];
}

/** set_up: whether this server sends over it; failing: whether sends are currently failing; since: when the oldest failing message was triggered; retrying: how many messages are retried; failed: how many failed permanently within a day; last_error: the last of their errors. */
export interface ChannelOut {
  /** The channel. */
  readonly channel: string;
  /** Whether this server sends over it. */
  readonly set_up: boolean;
  /** Whether sends are currently failing. */
  readonly failing: boolean;
  /** When the oldest failing message was triggered. */
  readonly since?: string;
  /** The number of messages that are retried. */
  readonly retrying: number;
  /** The number that failed permanently within a day. */
  readonly failed: number;
  /** The last of their errors. */
  readonly last_error?: string;
  /** The recipient of the last message that failed. */
  readonly target?: string;
  /** When the mail server, the chat service or the receiver last accepted a message. */
  readonly last_arrived_at?: string;
}

/** The channels that this server sends over, and any other that has failed lately. */
export interface ChannelsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The channels. */
  readonly channels: readonly ChannelOut[];
}

/** Claim deliveries under a lease. `wait_seconds`: how long to wait if there are none. */
export interface ClaimRequest {
  /** The name of the claiming process, shown to people. */
  readonly holder?: string;
  /** The maximum number to claim. Default: 1. */
  readonly limit?: number;
  /** How long the lease lasts, in seconds. Default: 30. */
  readonly lease_seconds?: number;
  /** How long to wait if there are none. */
  readonly wait_seconds?: number;
}

/** The claimed deliveries; empty if there were none in the given time. agent: the requested address; max_report_bytes: the maximum size of a report; notice: why this agent may never get a delivery. */
export interface ClaimResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The claimed deliveries. */
  readonly deliveries: readonly DeliveryOut[];
  /** The requested address. */
  readonly agent: string;
  /** The maximum size of a report. */
  readonly max_report_bytes: number;
  /** Why this agent may never get a delivery. */
  readonly notice?: string;
}

/** A question or comment by a person or the requester. */
export interface CommentOut {
  /** The id of the author. */
  readonly actor: string;
  /** What the actor is. */
  readonly kind: "person" | "agent" | "service" | "system";
  /** The author's name. */
  readonly name: string;
  /** The comment. */
  readonly comment?: string;
  /** When it happened. */
  readonly at: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
}

/** A comment on the task. */
export interface CommentRequest {
  /** The comment. */
  readonly comment?: string;
}

/** The delivery of an intent's result to its `reply_to`. */
export interface Completion {
  /** Whether it was delivered. */
  readonly delivered: boolean;
  /** Why not. */
  readonly reason?: string;
  /** The address whose inbox gets the result. */
  readonly reply_to?: string;
  /** The thread's id: the intent's. */
  readonly thread_id?: string;
  /** The message's id. */
  readonly message_id?: string;
  /** What was delivered. */
  readonly completion?: { readonly [name: string]: string };
}

/** A scheduled contact: its time (`local`: in `zone`), and whom it will reach in the current state. kind: opening (for people who are notified when their working hours begin), reminder, escalation, deadline. */
export interface ContactOut {
  /** Why they are contacted. */
  readonly kind: "opening" | "reminder" | "escalation" | "snooze_over" | "deadline";
  /** The number of the reminder or escalation, from 1. */
  readonly number: number;
  /** When it is due. */
  readonly at: string;
  /** The same time, in the zone's local time. */
  readonly local: string;
  /** The IANA time zone. */
  readonly zone: string;
  /** Who is asked: people, teams, roles. */
  readonly to: readonly string[];
  /** Whom it will reach. */
  readonly people: readonly string[];
}

/** The organization and workspace that the key belongs to. */
export interface Context {
  /** The organization. */
  readonly org_id: string;
  /** The id of the workspace. */
  readonly workspace_id: string;
}

/** AXP's three free-form maps, with all patches. */
export interface ControlPolicy {
  /** The grants. */
  readonly grants: JsonObject;
  /** The controls. */
  readonly controls: JsonObject;
  /** The envelope. */
  readonly envelope: JsonObject;
}

/** A patch of the free-form control map, which is stored and shown. `actor` and the following: as in `Resolve`. */
export interface ControlsRequest {
  /** The controls to set, by name; null removes one. */
  readonly controls_patch?: object;
  /** The reason, which is kept in the history. */
  readonly reason?: string;
  /** The generation that the caller has seen; if it is another one now, nothing is changed. */
  readonly expected_policy_generation?: number | null;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly actor?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly owner_agent?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly internal_scheduler?: boolean;
}

/** How much work an agent is given; each limit is absent if there is none. Days and hours are those of UTC. */
export interface CostPolicy {
  /** The most new requests with work for it in an hour. */
  readonly max_intents_per_hour?: number | null;
  /** The most new requests with work for it in a day. */
  readonly max_intents_per_day?: number | null;
  /** The cost that it may report in a day before it is given no more work. */
  readonly max_cost_per_day_usd?: number | null;
  /** What happens at a limit: block, which refuses new requests. Default: block. */
  readonly action_on_breach?: "block";
}

/** The limits of an agent, and what counts against them now. */
export interface CostPolicyResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The address of the agent. */
  readonly address: string;
  /** Its limits. */
  readonly policy: LimitsOut;
}

/** A new agent. `name` may be a plain name or a whole address; org_id, workspace_id: those of the key, if given. created_by_actor_id: accepted for AXP's schema, but the key determines the creator. */
export interface CreateAccount {
  /** A plain name, or a whole address. */
  readonly name: string;
  /** The organization; the key's own, if given. */
  readonly org_id?: string;
  /** The workspace; the key's own, if given. */
  readonly workspace_id?: string;
  /** As AXP's clients send it; the key determines the creator. */
  readonly created_by_actor_id?: string;
  /** The display name. */
  readonly display_name?: string;
  /** What it is for. */
  readonly description?: string;
  /** How the agent gets its work. Default: stream. */
  readonly delivery_mode?: "stream" | "poll" | "http" | "inbox";
  /** The URL to which its work is pushed, if its delivery mode is http. */
  readonly callback_url?: string;
}

/** A key for the account in the path. The other fields are AXP's and have no effect: keys have no names here, and the calling key determines the creator. */
export interface CreateAccountKey {
  /** When the key stops being valid; never, if absent. */
  readonly expires_at?: string | null;
  /** As AXP's clients send it; keys have no names here. */
  readonly name?: string;
  /** As AXP's clients send it; keys have no names here. */
  readonly display_name?: string;
  /** As AXP's clients send it; keys have no names here. */
  readonly description?: string;
  /** As AXP's clients send it; the key determines the creator. */
  readonly created_by_actor_id?: string;
}

/** An intent. Its plan comes from the workflow of its type, or else from `human_task`, or else from `to_agent`. `on_behalf_of`: the person whom it is for (address or id), who is then on the requester's side. */
export interface CreateIntentRequest {
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The address of the agent that it is for, if its type has no workflow. */
  readonly to_agent?: string;
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload?: object;
  /** The address whose inbox gets the result. */
  readonly reply_to?: string;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id?: string;
  /** As AXP's clients send it; only the key determines the requester. */
  readonly from_agent?: string;
  /** The person whom it is for, by address or id, who is then on the requester's side. */
  readonly on_behalf_of?: string;
  /** When the intent times out, whatever it is waiting for. */
  readonly deadline_at?: string | null;
  /** Seconds until the first reminder. */
  readonly remind_after_seconds?: number | null;
  /** Seconds between reminders. */
  readonly remind_interval_seconds?: number | null;
  /** The maximum number of reminders. */
  readonly max_reminders?: number | null;
  /** Who else is asked after the reminders: a person, team or role. */
  readonly escalate_to?: string;
  /** The maximum number of attempts at an agent step. */
  readonly max_delivery_attempts?: number | null;
  /** A task in AXP's terms that asks people immediately, if its type has no workflow. */
  readonly human_task?: object | null;
}

/** A key for exactly one of an agent, a service and a person; a missing holder is created. name, roles: those of a new person; the default role is `approver`. */
export interface CreateKey {
  /** The agent's name or address. */
  readonly agent?: string | null;
  /** The service's name. */
  readonly service?: string | null;
  /** The person's address. */
  readonly person?: string | null;
  /** The name of a new person. */
  readonly name?: string;
  /** The roles of a new person; approver by default. */
  readonly roles?: readonly string[];
  /** How long the key is valid, in seconds; by default it does not expire. */
  readonly expires_in_seconds?: number | null;
}

/** A new person; roles default to `approver`. */
export interface CreatePerson {
  /** The e-mail address, which names the person. */
  readonly email: string;
  /** The display name. */
  readonly name?: string;
  /** The roles; approver by default. */
  readonly roles?: readonly string[] | null;
  /** Whether they may sign in. */
  readonly active?: boolean | null;
  /** Addresses by channel. */
  readonly addresses?: object | null;
  /** The IANA time zone. */
  readonly zone?: string | null;
  /** Working hours: zone, days, from, to; false removes them. */
  readonly hours?: object | boolean | null;
  /** Absences: from, until, delegate. */
  readonly absences?: readonly object[] | null;
  /** How to contact them. */
  readonly preferences?: object | null;
}

/** A new workspace in the key's organization. owner: the e-mail address of its first owner, by default the caller's; owner_name: their name. */
export interface CreateWorkspace {
  /** The workspace's name. */
  readonly name: string;
  /** The e-mail address of its first owner; the caller's by default. */
  readonly owner?: string;
  /** The first owner's name. */
  readonly owner_name?: string;
}

/** An intent was created; it is durable. */
export interface CreatedOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** When it was created. */
  readonly created_at: string;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id: string;
  /** The intent. */
  readonly intent: IntentOut;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** A person who may decide now, and why. */
export interface DeciderOut {
  /** The person's address. */
  readonly person: string;
  /** The display name. */
  readonly name: string;
  /** The absent person for whom they are the delegate. */
  readonly instead_of?: string;
  /** Why they may decide. */
  readonly why: string;
  /** The outcome that they have chosen already. */
  readonly voted?: string;
}

/** AXP's approval decision: approve or reject. `stage`, `revision`, `digest`: as the task showed them, if the client knows them. */
export interface DecisionRequest {
  /** The decision. */
  readonly decision: "approve" | "reject";
  /** Why. */
  readonly comment?: string;
  /** The same as comment. */
  readonly reason?: string;
  /** The outcome, if the task has outcomes other than approved and rejected. */
  readonly outcome?: string | null;
  /** The same decision again; it must not differ. */
  readonly approved?: boolean | null;
  /** The stage that the task showed; if it is another one now, nothing is answered. */
  readonly stage?: number | null;
  /** The revision that the task showed; if it is another one now, nothing is answered. */
  readonly revision?: number | null;
  /** The digest that the task showed; if it is another one now, nothing is answered. */
  readonly digest?: string | null;
}

/** The delegate: a person's address or id. */
export interface DelegateRequest {
  /** The delegate: a person's address or id. */
  readonly to: string;
  /** Why, for the delegate. */
  readonly comment?: string;
}

/** An agent's open deliveries after a cursor. `next_cursor`: the value of `?since=` to continue. */
export interface DeliveriesResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The open deliveries. */
  readonly intents: readonly ShownDelivery[];
  /** Where to continue: the value of ?since=. */
  readonly next_cursor: number;
}

/** A claimed agent step. `token`: the fencing token; `idempotency_key`: the same on every attempt. */
export interface DeliveryOut {
  /** The delivery's id. */
  readonly delivery_id: string;
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The id of the step in the plan. */
  readonly step_id: string;
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** The fencing token of the claim. */
  readonly token: number;
  /** When the lease ends unless it is renewed. */
  readonly lease_until: string;
  /** How long the lease lasts, in seconds. */
  readonly lease_seconds: number;
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload: JsonObject;
  /** What the step gives its agent in addition to the payload. */
  readonly input: JsonObject;
  /** The results of the steps before it, by step. */
  readonly previous_results: JsonObject;
  /** The revision that each previous result belongs to. */
  readonly result_revisions: { readonly [name: string]: number };
  /** The number of the payload's revision, from 1. */
  readonly revision: number;
  /** The same on every attempt; for the services that the agent calls. */
  readonly idempotency_key: string;
  /** Who asks. */
  readonly requester: ActorOut;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id: string;
  /** When it was created. */
  readonly created_at: string;
  /** The deadline of the step. */
  readonly deadline_at?: string;
  /** The trace that the work belongs to (W3C Trace Context). */
  readonly traceparent?: string;
}

/** The codes of a terminal that asks to sign in. Show `user_code` and `verification_uri`, and poll. */
export interface DeviceLoginOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Secret; the terminal polls with it. */
  readonly device_code: string;
  /** What the person types on the page and compares. */
  readonly user_code: string;
  /** The page. */
  readonly verification_uri: string;
  /** For how many seconds the codes are valid. */
  readonly expires_in: number;
  /** Seconds between two polls. */
  readonly interval: number;
}

/** Whether the terminal is signed in. The key is in the first answer with `allowed`, and in no other. */
export interface DeviceLoginPolled {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whether the person has decided. */
  readonly status: "pending" | "allowed";
  /** The id of the key; not the secret. */
  readonly key_id?: string;
  /** The secret: shown once, and not stored. */
  readonly api_key?: string;
  /** When it stops being valid. */
  readonly expires_at?: string;
}

/** An empty body. A comment is refused, because it would not be recorded. */
export interface EmptyRequest {
}

/** Success, without any data. */
export interface EmptyResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
}

/** The one format of every error; `message` and `detail` repeat it for clients that read those. */
export interface ErrorBody {
  /** False: the request was refused. */
  readonly ok: boolean;
  /** What went wrong. */
  readonly error: ErrorDetail;
  /** The error's message, for clients that read it here. */
  readonly message: string;
  /** The error's message, for clients that read it here. */
  readonly detail: string;
  /** Names this request in the server's log. */
  readonly request_id: string;
}

/** code: a stable code for programs; field: the dotted path of the field at fault; hint: what to do next. */
export interface ErrorDetail {
  /** A stable code. */
  readonly code: string;
  /** What went wrong, for people; may change. */
  readonly message: string;
  /** The dotted path of the field at fault. */
  readonly field?: string | null;
  /** What to do next. */
  readonly hint?: string | null;
  /** Additional values. */
  readonly details: JsonObject;
}

/** One event in an intent's history. */
export interface EventOut {
  /** The intent's id. */
  readonly intent_id: string;
  /** Its number, for ?since=. Numbers grow, with gaps. */
  readonly seq: number;
  /** What happened. */
  readonly event_type: "intent.created" | "intent.delivered" | "intent.acknowledged" | "intent.delivery_failed" | "intent.in_progress" | "intent.human_task_assigned" | "intent.reminder" | "intent.escalated" | "intent.answered" | "intent.stage_passed" | "intent.delegated" | "intent.reassigned" | "intent.review_marked" | "intent.snoozed" | "intent.unsnoozed" | "intent.commented" | "intent.revised" | "intent.understaffed" | "intent.nobody_reached" | "intent.waiting" | "intent.updated" | "intent.completed" | "intent.failed" | "intent.canceled" | "intent.timed_out";
  /** The status from this event on. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** When it happened. */
  readonly at: string;
  /** What it waits for, while it waits. */
  readonly waiting_reason?: "WAITING_FOR_HUMAN" | "WAITING_FOR_AGENT" | "WAITING_FOR_TOOL" | "WAITING_FOR_TIME";
  /** The same as waiting_reason, where AXP's clients look for it. */
  readonly lifecycle_waiting_reason?: "WAITING_FOR_HUMAN" | "WAITING_FOR_AGENT" | "WAITING_FOR_TOOL" | "WAITING_FOR_TIME";
  /** The agent that has to act. */
  readonly handler?: string;
  /** The id of the actor who caused it. */
  readonly actor: string;
  /** The same as actor. */
  readonly actor_id: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
  /** Who has to act. */
  readonly pending_with?: PendingWith;
  /** The task that asks people. */
  readonly human_task?: HumanTask;
  /** Additional values, which depend on the kind of event. */
  readonly details: JsonObject;
  /** The result, at the event that completes the intent. */
  readonly result?: JsonObject;
}

/** Events after a cursor, in order. */
export interface EventsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The events. */
  readonly events: readonly EventOut[];
}

/** The `error` of every refusal. */
export interface ExistsError {
  /** A stable code. */
  readonly code: string;
  /** What went wrong. */
  readonly message: string;
  /** Additional values. */
  readonly details: JsonObject;
}

/** The contact schedule of a task if nobody answers, and who may decide. */
export interface ExplainOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The policy that decides, with its version. */
  readonly policy?: string;
  /** Why this policy. */
  readonly because?: string;
  /** The task's id. */
  readonly task_id?: string;
  /** When the task was opened. */
  readonly opened_at: string;
  /** When the open task expires. */
  readonly due_at?: string;
  /** The sign-in that is required to decide. */
  readonly strength: "link" | "session" | "step_up";
  /** The required sign-in, as text. */
  readonly proof: string;
  /** The risk: the policy's or a check's, whichever is higher. */
  readonly risk: "low" | "medium" | "high" | "critical";
  /** Whether the requester's side may decide. */
  readonly self_approval: boolean;
  /** Who may decide now. */
  readonly may_decide: readonly DeciderOut[];
  /** Who may not decide, because they are on the requester's side. */
  readonly requesters_side: readonly string[];
  /** Whom the open stage asks. */
  readonly asked: readonly string[];
  /** The stages, in order. */
  readonly stages: readonly StageOut[];
  /** Every scheduled contact, in order. */
  readonly contacts: readonly ContactOut[];
  /** What happens if nobody answers. */
  readonly on_expiry: string;
}

/** The process is alive. */
export interface HealthResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The service's name. */
  readonly service: string;
  /** The server's version. */
  readonly version: string;
}

/** An agent's heartbeat; the body may be empty. */
export interface Heartbeat {
  /** What the agent did since its last heartbeat: intents_total, intents_succeeded, intents_failed, avg_latency_ms, cost_usd. A repeat with the same X-Trace-Id is not counted again. */
  readonly metrics?: object;
}

/** The heartbeat was recorded. */
export interface HeartbeatResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** healthy, or killed: then it must stop its work. */
  readonly status: "healthy" | "killed";
  /** The same. */
  readonly health_status: "healthy" | "killed";
  /** What had no effect, as text. */
  readonly warnings?: readonly string[];
}

/** Working hours, from `from` until `until` in the zone's local time. */
export interface HoursOut {
  /** The IANA time zone. */
  readonly zone: string;
  /** The days. */
  readonly days: readonly string[];
  /** From when, in local time. */
  readonly from: string;
  /** Until when, in local time. */
  readonly to: string;
}

/** A task in AXP's terms. */
export interface HumanTask {
  /** The question, in one line. */
  readonly title: string;
  /** The type of the task, which sets its outcomes. */
  readonly task_type: "approval" | "review" | "confirmation" | "form" | "clarification" | "assignment" | "manual_action" | "override";
  /** The outcomes that can be chosen. */
  readonly allowed_outcomes: readonly string[];
  /** Whether an answer needs a comment. */
  readonly required_comment: boolean;
  /** Whether an answer has to name its evidence. */
  readonly evidence_required: boolean;
  /** The task's description. */
  readonly description?: string;
  /** Who is asked: people, teams, roles. */
  readonly assignees?: readonly string[];
  /** The JSON Schema of the answer's data. */
  readonly form_schema?: JsonObject;
  /** Who else is notified. */
  readonly notify?: readonly string[];
  /** The task's id. */
  readonly task_id?: string;
}

/** The response to a write on an intent. `applied`: true if the write had an effect, including a repeat of an answer that had one; false if the policy generation was stale, or a patch changed nothing. `receipt`: the receipt of a withdrawal. */
export interface IntentChangedResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whether it had an effect; also true for a repeated answer that had one. */
  readonly applied: boolean;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings?: readonly string[];
  /** How often the grants, controls or envelope were patched. */
  readonly policy_generation: number;
  /** Why it had none. */
  readonly reason?: string;
  /** The intent. */
  readonly intent: IntentOut;
  /** The last event that it caused. */
  readonly event?: EventOut;
  /** Where the result was sent, if the intent is final. */
  readonly completion_delivery?: Completion;
  /** What the action has done, as text. */
  readonly receipt?: ReceiptOut;
}

/** An intent. Members that do not apply are omitted. */
export interface IntentOut {
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The same as status, where AXP's clients look for it. */
  readonly lifecycle_status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** What it waits for, while it waits. */
  readonly waiting_reason?: "WAITING_FOR_HUMAN" | "WAITING_FOR_AGENT" | "WAITING_FOR_TOOL" | "WAITING_FOR_TIME";
  /** The same as waiting_reason, where AXP's clients look for it. */
  readonly lifecycle_waiting_reason?: "WAITING_FOR_HUMAN" | "WAITING_FOR_AGENT" | "WAITING_FOR_TOOL" | "WAITING_FOR_TIME";
  /** When it was created. */
  readonly created_at: string;
  /** When it last changed. */
  readonly updated_at: string;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id: string;
  /** The address of the requester, from its key. */
  readonly from_agent: string;
  /** The address that the request claimed to come from, if it is not the key's. */
  readonly claimed_from_agent?: string;
  /** The address of the agent that it is for. */
  readonly to_agent: string;
  /** The address whose inbox gets the result. */
  readonly reply_to?: string;
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload: JsonObject;
  /** True if the payload was deleted by `retention_payloads`. */
  readonly payload_deleted?: boolean;
  /** The result. */
  readonly result?: JsonObject;
  /** Why it failed. */
  readonly error?: Problem;
  /** The outcome that was chosen. */
  readonly outcome?: string;
  /** How the decision ended; expiry is not a rejection. */
  readonly ending?: "approved" | "rejected" | "expired" | "withdrawn" | "superseded" | "undeliverable";
  /** The id of the person who decided. */
  readonly decided_by?: string;
  /** When it was decided. */
  readonly decided_at?: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via?: string;
  /** The comment of the person who decided. */
  readonly comment?: string;
  /** When the intent times out, whatever it is waiting for. */
  readonly deadline_at?: string;
  /** When the open task expires. */
  readonly due_at?: string;
  /** Seconds until the first reminder. */
  readonly remind_after_seconds?: number;
  /** Seconds between reminders. */
  readonly remind_interval_seconds?: number;
  /** The maximum number of reminders. */
  readonly max_reminders?: number;
  /** The number of reminders sent. */
  readonly remind_count: number;
  /** Who else is asked after the reminders: a person, team or role. */
  readonly escalate_to?: string;
  /** The maximum number of attempts at an agent step. */
  readonly max_delivery_attempts?: number;
  /** The number of the attempt at this step, from 1. */
  readonly delivery_attempt?: number;
  /** The task that asks people. */
  readonly human_task?: HumanTask;
  /** Who has to act. */
  readonly pending_with?: PendingWith;
  /** How often the grants, controls or envelope were patched. */
  readonly policy_generation: number;
  /** AXP's three free-form maps, with all patches. */
  readonly workflow_control_policy: ControlPolicy;
  /** The steps of its plan. */
  readonly steps?: readonly StepState[];
  /** For a step that is shown as an intent: the whole intent. */
  readonly parent_intent_id?: string;
  /** For a step that is shown as an intent: the whole intent. */
  readonly root_intent_id?: string;
  /** The id of the step in the plan. */
  readonly step_id?: string;
  /** The scenario that it was started from. */
  readonly scenario_id?: string;
  /** The failed intent that this one repeats. */
  readonly retry_of?: string;
  /** The intent whose failed step this one runs again. */
  readonly rerun_of?: string;
}

/** An intent in its current state. payload: with secrets masked; seq, head: the number and hash of its last event. */
export interface IntentRecord {
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The outcome that was chosen; empty if there is none. */
  readonly outcome: string;
  /** How the decision ended; empty if there is none. */
  readonly ending: string;
  /** What the actor is. */
  readonly requester_kind: "person" | "agent" | "service" | "system";
  /** The id of the requester. */
  readonly requester_id: string;
  /** The name of the requester. */
  readonly requester_name: string;
  /** The address of the agent that it is for; empty if there is none. */
  readonly to_agent: string;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id: string;
  /** When it was created. */
  readonly created_at: string;
  /** When it last changed. */
  readonly updated_at: string;
  /** When the open task expires. */
  readonly deadline_at?: string;
  /** The number of its last event. */
  readonly seq: number;
  /** The hash of its last event. */
  readonly head: string;
  /** The payload, with secrets masked. */
  readonly payload?: JsonObject;
}

/** Intents, oldest first. */
export interface IntentRecords {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Where the next page begins; absent on the last one. */
  readonly next_cursor?: string;
  /** The intents. */
  readonly records: readonly IntentRecord[];
}

/** An intent. The members that most programs read are also at the top level. */
export interface IntentResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The same as status, where AXP's clients look for it. */
  readonly lifecycle_status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload: JsonObject;
  /** The result. */
  readonly result?: JsonObject;
  /** The intent. */
  readonly intent: IntentOut;
}

/** Intents, newest first. */
export interface IntentsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Where the next page begins; absent on the last one. */
  readonly next_cursor?: string;
  /** The intents. */
  readonly intents: readonly IntentOut[];
}

/** A key, without its secret. `token`: the secret, shown only at creation. */
export interface KeyOut {
  /** The id of the key; not the secret. */
  readonly key_id: string;
  /** The id of its agent or service; absent for a person's key. */
  readonly service_account_id?: string;
  /** Whose key it is. */
  readonly kind: "person" | "agent" | "service";
  /** The id of its holder. */
  readonly holder_id: string;
  /** The holder's name. */
  readonly holder_name?: string;
  /** The terminal that it was created for by signing in; absent for other keys. */
  readonly name?: string;
  /** The end of the secret, by which it can be recognized. */
  readonly key_hint: string;
  /** Whether it is valid. */
  readonly status: "active" | "expired" | "revoked";
  /** When it was created. */
  readonly created_at: string;
  /** When it stops being valid; null if never. */
  readonly expires_at: string | null;
  /** When it was revoked. */
  readonly revoked_at?: string;
  /** The secret: shown once, and not stored. */
  readonly token?: string;
}

/** One key. */
export interface KeyResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The key. */
  readonly key: KeyOut;
}

/** Keys, oldest first, including revoked ones, without secrets. */
export interface KeysResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The keys. */
  readonly keys: readonly KeyOut[];
}

/** The agent is killed, or active again. */
export interface KillResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** killed, or active. */
  readonly status: "killed" | "active";
  /** The agent. */
  readonly agent: MeshAgent;
}

/** How much work an agent is given; each limit is absent if there is none. Days and hours are those of UTC. */
export interface LimitsOut {
  /** The most new requests with work for it in an hour. */
  readonly max_intents_per_hour?: number;
  /** The most new requests with work for it in a day. */
  readonly max_intents_per_day?: number;
  /** The cost that it may report in a day before it is given no more work. */
  readonly max_cost_per_day_usd?: number;
  /** What happens at a limit: block, which refuses new requests. */
  readonly action_on_breach: "block";
  /** New requests counted in this hour. */
  readonly intents_this_hour: number;
  /** New requests counted today. */
  readonly intents_today: number;
  /** The cost reported today, in US dollars. */
  readonly cost_today_usd: number;
}

/** `command`: what to type in the chat. The code works once, until `expires_at`. */
export interface LinkCodeResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The code; works once. */
  readonly code: string;
  /** What to type in the chat. */
  readonly command: string;
  /** When it stops being valid. */
  readonly expires_at: string;
}

/** AXP scenario templates: this server has none. */
export interface Macros {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Always empty. */
  readonly macros: readonly JsonObject[];
}

/** The current people, teams, policies, workflows and settings, as a document for `POST /v1/apply`. */
export interface ManifestExport {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The document. */
  readonly manifest: JsonObject;
}

/** A manifest: people (by address), teams and policies (by name), workflows, settings of the workspace, and what to `remove`: names of people, teams, policies and workflows. */
export interface ManifestRequest {
  /** People, by address. */
  readonly people?: object;
  /** Teams, by name. */
  readonly teams?: object;
  /** Policies, by name. */
  readonly policies?: object;
  /** Workflows, as in their files. */
  readonly workflows?: readonly object[];
  /** Settings of the workspace. */
  readonly workspace?: object;
  /** What to remove: people, teams, policies and workflows (by intent type). */
  readonly remove?: object;
}

/** What was changed, or in a dry run would be, in order. `proposal`: the proposal that another admin has to confirm before anything is applied; its id is empty in a dry run. warnings: the open tasks that it leaves with too few people. `seen`: the digest of the shown changes; a real run that sends it applies exactly these or nothing. */
export interface ManifestResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whether this was only a dry run. */
  readonly dry_run: boolean;
  /** Whether anything was, or would be, changed. */
  readonly changed: boolean;
  /** What was, or would be, changed, in order. */
  readonly changes: readonly ChangeOut[];
  /** The digest of the shown changes; a real run that sends it applies exactly these or nothing. */
  readonly seen: string;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
  /** The proposal that waits for a second admin; nothing is applied before they confirm it. */
  readonly proposal?: ProposalOut;
}

/** The key's holder and workspace. self_approval: whether the requester's side may decide a request made now; self_approval_setting: `off`, `on`, or `alone` (on while the workspace has one person). */
export interface MeResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The key's holder. */
  readonly actor: SelfOut;
  /** The workspace's name. */
  readonly workspace: string;
  /** The id of the workspace. */
  readonly workspace_id: string;
  /** The organization. */
  readonly organization: string;
  /** Whether the requester's side may decide a request made now. */
  readonly self_approval: boolean;
  /** The setting; alone means on while the workspace has one person. */
  readonly self_approval_setting: "on" | "off" | "alone";
  /** The policy for human steps that a request brings itself. */
  readonly default_policy?: string;
  /** What happens to a type without a workflow. */
  readonly unlisted_types: "allow" | "gate" | "refuse";
  /** What runs there. */
  readonly server: ServerOut;
}

/** An agent, and its health. */
export interface MeshAgent {
  /** The id of the address. */
  readonly address_id: string;
  /** The address of the agent. */
  readonly address: string;
  /** The display name. */
  readonly display_name: string;
  /** healthy: it was seen in the last three minutes; unreachable: before that; unknown: never; killed: it was killed and not resumed. This server never sends degraded. */
  readonly health_status: "healthy" | "degraded" | "unreachable" | "killed" | "unknown";
  /** When it last sent a heartbeat or asked for work, to the minute; absent if never. */
  readonly last_heartbeat_at?: string;
  /** When it was created. */
  readonly created_at: string;
  /** When it was killed; absent if it was not, or was resumed. */
  readonly killed_at?: string;
  /** How many requests it reported in the window; absent if none, or for others. */
  readonly intents_period?: number;
  /** The cost that it reported in the window. */
  readonly cost_period?: number;
  /** What it reported in the window. */
  readonly metrics?: AgentMetrics;
}

/** One agent. */
export interface MeshAgentResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The agent. */
  readonly agent: MeshAgent;
}

/** The agents of the workspace. */
export interface MeshAgentsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The agents. */
  readonly agents: readonly MeshAgent[];
  /** All agents of the workspace, regardless of the filter and the limit. */
  readonly summary: MeshSummary;
}

/** An agent was killed or resumed. */
export interface MeshEvent {
  /** The id of the entry in the change log. */
  readonly event_id: string;
  /** The address of the agent. */
  readonly address: string;
  /** agent.killed, or agent.resumed. */
  readonly event_type: "agent.killed" | "agent.resumed";
  /** The id of the person who did it. */
  readonly actor_id: string;
  /** When it happened. */
  readonly created_at: string;
  /** Always empty. */
  readonly details: JsonObject;
}

/** The kills and resumes of agents, newest first. */
export interface MeshEventsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The events. */
  readonly events: readonly MeshEvent[];
}

/** How many agents of the workspace there are, by health. */
export interface MeshSummary {
  /** All agents. */
  readonly total: number;
  /** Those seen in the last three minutes. */
  readonly healthy: number;
  /** Always 0. */
  readonly degraded: number;
  /** Those seen before that. */
  readonly unreachable: number;
  /** Those that were killed and not resumed. */
  readonly killed: number;
  /** Those never seen. */
  readonly unknown: number;
}

/** state: waiting, sent, skipped (no longer needed) or failed; called_at: when its event happened; at: when it last changed; next_attempt_at: when it is tried or retried; instead: the channel that was used instead; summary: the status as text. A message without a person was sent to a service. */
export interface MessageOut {
  /** The message's id. */
  readonly message_id: string;
  /** The task's id. */
  readonly task_id?: string;
  /** What it is about. */
  readonly kind: string;
  /** The id of the person; absent if it went to a service. */
  readonly person?: string;
  /** The display name. */
  readonly name?: string;
  /** The channel. */
  readonly channel: string;
  /** Where it was sent. */
  readonly target?: string;
  /** Whether it was sent; skipped means that it was no longer needed. */
  readonly state: string;
  /** The status, as text. */
  readonly summary: string;
  /** The number of attempts. */
  readonly attempts: number;
  /** The channel's own id for it. */
  readonly reference?: string;
  /** Why the last attempt failed. */
  readonly error?: string;
  /** The channel that was used instead. */
  readonly instead?: string;
  /** When its event happened. */
  readonly called_at: string;
  /** When it last changed. */
  readonly at: string;
  /** When it is tried, or retried. */
  readonly next_attempt_at?: string;
}

/** Messages, in the order of their events. */
export interface MessagesResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The messages. */
  readonly messages: readonly MessageOut[];
}

/** A task as AXP lists it. */
export interface MyTask {
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The address of the requester, from its key. */
  readonly from_agent: string;
  /** When the task was opened. */
  readonly assigned_at: string;
  /** When the open task expires. */
  readonly due_at?: string;
  /** The task that asks people. */
  readonly human_task: HumanTask;
}

/** Open tasks, as AXP lists them. */
export interface MyTasksResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The tasks. */
  readonly tasks: readonly MyTask[];
}

/** A new key. `api_key`: the secret, shown once and not stored. `warnings`: the consequences of adding its person, and for which requests its answers do not count. */
export interface NewKeyOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whose key it is. */
  readonly kind: "person" | "agent" | "service";
  /** The holder's address. */
  readonly address: string;
  /** The id of the key; not the secret. */
  readonly key_id: string;
  /** The secret: shown once, and not stored. */
  readonly api_key: string;
  /** When it stops being valid. */
  readonly expires_at?: string;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** A new workspace. `api_key`: its owner's key, shown once and not stored; only if the owner is the caller. */
export interface NewWorkspaceOut {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The workspace. */
  readonly workspace: WorkspaceOut;
  /** The e-mail address of its owner. */
  readonly owner: string;
  /** A key of its owner, shown once and not stored; only if the owner is the caller. */
  readonly api_key?: string;
}

/** A step to which an answer may lead. after: which of yes, no, changes and silence lead to it; off_main_path: whether it runs only if an earlier step does not succeed; agent: who runs it; input: what that agent gets in addition to the payload; to, message: who is notified, and the text. */
export interface NextStep {
  /** The id of the step in the plan. */
  readonly step_id: string;
  /** What the step is. */
  readonly kind: "agent" | "human" | "delay" | "notify";
  /** The answers that lead to it. */
  readonly after: readonly string[];
  /** Whether it runs only if an earlier step does not succeed. */
  readonly off_main_path: boolean;
  /** Who runs it. */
  readonly agent?: string;
  /** What the step gives its agent in addition to the payload. */
  readonly input?: JsonObject;
  /** Who is notified. */
  readonly to?: readonly string[];
  /** Of what. */
  readonly message?: string;
}

/** A task that was left unchanged, and why. */
export interface NotReassigned {
  /** The task's id. */
  readonly task_id: string;
  /** A stable code. */
  readonly code: string;
  /** Why it was left unchanged. */
  readonly message: string;
}

/** What a webhook carries about one event. `body`: the body of its request, unsigned. */
export interface NotificationOut {
  /** Names the notification; the same whenever it is read. */
  readonly id: string;
  /** The number of its event in the history. */
  readonly seq: number;
  /** The kind of notification. */
  readonly type: string;
  /** Its first line. */
  readonly title: string;
  /** The body of the webhook's request. */
  readonly body: JsonObject;
}

/** Notifications about an intent, in the order of its events. seq: the number of the last event so far. */
export interface NotificationsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The number of the last event; pass it as `since` the next time. */
  readonly seq: number;
  /** The notifications. */
  readonly notifications: readonly NotificationOut[];
}

/** An organization to which the key belongs. */
export interface Organization {
  /** The organization. */
  readonly org_id: string;
  /** Its name. */
  readonly name: string;
  /** That it is active. */
  readonly status: string;
  /** The key's roles there. */
  readonly roles: readonly string[];
  /** The ids of its workspaces. */
  readonly workspaces: readonly string[];
}

/** One outcome of a task. means: approve, reject or changes; label: the label of its button. */
export interface OutcomeOut {
  /** The outcome, as an answer names it. */
  readonly name: string;
  /** Its meaning, which determines the route. */
  readonly means: "approve" | "reject" | "changes";
  /** The label of its button. */
  readonly label: string;
}

/** A payload, and the last revision that had it. */
export interface PayloadOut {
  /** The last revision that had this payload. */
  readonly revision: number;
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload: JsonObject;
}

/** Who has to act: an agent, people, or the runtime itself. */
export interface PendingWith {
  /** Who it is. */
  readonly type: "agent" | "human" | "internal";
  /** The agent's address, or the names of those asked. */
  readonly ref: string;
  /** The same, to show. */
  readonly name: string;
}

/** Everyone in the workspace, by address. */
export interface PeopleResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The people. */
  readonly people: readonly PersonOut[];
}

/** How much was erased. waiting: open requests that still contain comments of the person; repeat the erasure when they are final. */
export interface PersonErased {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The person's id. */
  readonly person_id: string;
  /** Comments that were erased. */
  readonly comments: number;
  /** Messages whose address was erased. */
  readonly messages: number;
  /** Entries of the change log and other records that were changed. */
  readonly records: number;
  /** Open requests that still contain comments of the person. */
  readonly waiting: number;
}

/** A person. `teams`: their memberships; `away`: whether they are absent now. addresses, zone, hours, absences and preferences are visible to the person and to owners, admins and auditors. */
export interface PersonOut {
  /** The person's id. */
  readonly id: string;
  /** The e-mail address, which names the person. */
  readonly email: string;
  /** The display name. */
  readonly name: string;
  /** The roles. */
  readonly roles: readonly string[];
  /** Whether they may sign in. */
  readonly active: boolean;
  /** Their teams. */
  readonly teams: readonly string[];
  /** Whether they are absent now. */
  readonly away: boolean;
  /** Their addresses, by channel. */
  readonly addresses?: { readonly [name: string]: string };
  /** The IANA time zone. */
  readonly zone?: string;
  /** Their working hours. */
  readonly hours?: HoursOut;
  /** Their absences. */
  readonly absences?: readonly AbsenceOut[];
  /** How they want to be contacted. */
  readonly preferences?: JsonObject;
  /** When it was created. */
  readonly created_at: string;
}

/** One person. warnings: open tasks that the change leaves understaffed, and the end of self-approval. */
export interface PersonResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The person. */
  readonly person: PersonOut;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** A person's open tasks, which should be reassigned before they leave. complete: whether these are all. */
export interface PersonWaiting {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The tasks. */
  readonly tasks: readonly WaitingTask[];
  /** Whether these are all. */
  readonly complete: boolean;
}

/** All policies, by name. */
export interface PoliciesResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The policies. */
  readonly policies: readonly PolicyOut[];
}

/** A named policy in its current version. `source`: as it was applied; strength: the required assurance; broken: why this release cannot use it. */
export interface PolicyOut {
  /** The policy's name. */
  readonly name: string;
  /** The version of this name, from 1. */
  readonly version: number;
  /** The sign-in that it requires; empty if it is broken. */
  readonly strength: "link" | "session" | "step_up" | "";
  /** The document as it was applied. */
  readonly source: JsonObject;
  /** Who applied this version. */
  readonly applied_by: string;
  /** When this version was applied. */
  readonly applied_at: string;
  /** Why this release cannot use it. */
  readonly broken?: string;
}

/** A patch of the grants and envelope maps, which are stored and shown: they grant and limit nothing. `actor` and the following: as in `Resolve`. */
export interface PolicyRequest {
  /** The grants to set, by name; null removes one. */
  readonly grants_patch?: object;
  /** The members of the envelope to set, by name; null removes one. */
  readonly envelope_patch?: object;
  /** The reason, which is kept in the history. */
  readonly reason?: string;
  /** The generation that the caller has seen; if it is another one now, nothing is changed. */
  readonly expected_policy_generation?: number | null;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly actor?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly owner_agent?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly internal_scheduler?: boolean;
}

/** One policy. `changed`: False if it was the same before. */
export interface PolicyResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The policy. */
  readonly policy: PolicyOut;
  /** False if it was the same before. */
  readonly changed: boolean;
}

/** Ask whether the person has allowed it. */
export interface PollDeviceLogin {
  /** The secret code from the start. */
  readonly device_code: string;
}

/** The key's organization and workspace. */
export interface PortalContext {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The organization and workspace that the key belongs to. */
  readonly context: Context;
  /** Whose key it is. */
  readonly account: JsonObject;
  /** The key's organization. */
  readonly selected_organization: Organization;
  /** The key's workspace. */
  readonly selected_workspace: PortalWorkspace;
  /** The same, in a list. */
  readonly organizations: readonly Organization[];
  /** The same, in a list. */
  readonly workspaces: readonly PortalWorkspace[];
  /** As AXP's command line reads it. */
  readonly guidance?: JsonObject;
}

/** A workspace of the key's. */
export interface PortalWorkspace {
  /** The id of the workspace. */
  readonly workspace_id: string;
  /** Its name. */
  readonly name: string;
  /** The organization. */
  readonly org_id: string;
  /** The organization's name. */
  readonly org_name: string;
  /** The name, as AXP's command line shows it. */
  readonly environment: string;
  /** That it is active. */
  readonly status: string;
  /** The key's roles there. */
  readonly roles: readonly string[];
}

/** Why it failed. */
export interface Problem {
  /** A stable code. */
  readonly code: string;
  /** What went wrong. */
  readonly message: string;
  /** Whether a retry could help. */
  readonly retryable: boolean;
}

/** The proposals that wait for a second admin, newest first. */
export interface ProposalList {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The proposals. */
  readonly proposals: readonly ProposalOut[];
}

/** A change that needs a second admin, because it relaxes the rules on who decides. state: waiting, confirmed, refused, expired; `relaxations`: kind and name of the relaxed entries; `why`: the reasons, as text. */
export interface ProposalOut {
  /** The proposal's id. */
  readonly id: string;
  /** Its state. */
  readonly state: "waiting" | "confirmed" | "refused" | "expired";
  /** Who proposed it. */
  readonly proposed_by: ActorOut;
  /** When it was proposed. */
  readonly proposed_at: string;
  /** When it stops being valid. */
  readonly expires_at: string;
  /** What it changes. */
  readonly changes: readonly ChangeOut[];
  /** The entries that it relaxes. */
  readonly relaxations: readonly string[];
  /** Why it needs a second admin. */
  readonly why: readonly string[];
  /** Who confirmed or refused it. */
  readonly ended_by?: ActorOut;
  /** When that was. */
  readonly ended_at?: string;
  /** The open tasks that confirming it would leave with too few people, as text; while it waits, in the response about this proposal alone. */
  readonly warnings?: readonly string[];
}

/** One proposed change. */
export interface ProposalResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The proposal. */
  readonly proposal: ProposalOut;
}

/** An agent of a bundle, and whether this apply created it. */
export interface Provisioned {
  /** Its role in the bundle. */
  readonly role: string;
  /** Its address. */
  readonly address: string;
  /** The address of the agent. */
  readonly agent_address: string;
  /** The id of the agent or service. */
  readonly service_account_id: string;
  /** The same as service_account_id. */
  readonly sa_id: string;
  /** Whether this apply created it. */
  readonly created: boolean;
}

/** A policy as in a file, under `policy`. */
export interface PutPolicy {
  /** The policy's name. */
  readonly name: string;
  /** The policy, as in its file. */
  readonly policy: object;
}

/** A team to create or replace. rotation: order, handover (`mon 09:00`), zone, anchor (a day). */
export interface PutTeam {
  /** The members: addresses or ids. */
  readonly members: readonly string[];
  /** Order, handover, zone, anchor. */
  readonly rotation?: object | null;
  /** Its room in a chat: slack:ID, telegram:ID or msteams:ID. */
  readonly channel?: string | null;
  /** Its shared mailbox. */
  readonly mailbox?: string | null;
}

/** Whether the process is ready; for each loop and component that is not, why. */
export interface ReadyResponse {
  /** The same as ready. */
  readonly ok: boolean;
  /** Whether it is ready for requests. */
  readonly ready: boolean;
  /** Each component and loop: ok, or what is wrong. */
  readonly details: JsonObject;
}

/** The replacement for the person in every open task that asks them. */
export interface ReassignAll {
  /** The replacement: an address or id. */
  readonly to: string;
  /** Why. */
  readonly comment?: string;
}

/** The new approvers: people, teams, roles. */
export interface ReassignRequest {
  /** The new approvers: people, teams, roles. */
  readonly to: readonly string[];
  /** Why, for the new approvers. */
  readonly comment?: string;
}

/** The reassigned tasks, and those left unchanged, with the reason. */
export interface ReassignedAll {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The ids of the reassigned tasks. */
  readonly reassigned: readonly string[];
  /** The tasks left unchanged. */
  readonly refused: readonly NotReassigned[];
  /** Whether these are all. */
  readonly complete: boolean;
}

/** What an action has done, as text. said: what was recorded; next: what happens now; undo: the action that undoes it (unsnooze, unmark-reviewing, answer), absent if there is none; event: its number in the history, absent if nothing new was recorded. */
export interface ReceiptOut {
  /** What was recorded. */
  readonly said: string;
  /** What happens now. */
  readonly next: string;
  /** The action that undoes it: unsnooze, unmark-reviewing or answer; absent if there is none. */
  readonly undo?: string;
  /** Its number in the history; absent if nothing new was recorded. */
  readonly event?: number;
}

/** A change, with its author, and who confirmed it if a second admin was needed. action: create, change or remove; `number`: its position in the workspace's change log. */
export interface RecordedChange {
  /** What happens to the entry. */
  readonly action: "create" | "change" | "unchanged" | "remove";
  /** What the entry is: as in a manifest, or agent, service or key. */
  readonly kind: string;
  /** The entry's name. */
  readonly name: string;
  /** The fields that differ. */
  readonly fields: readonly string[];
  /** The entry before. */
  readonly before?: JsonObject;
  /** The entry after. */
  readonly after?: JsonObject;
  /** The change's id. */
  readonly id: string;
  /** Its position in the workspace's change log. */
  readonly number: number;
  /** When it happened. */
  readonly at: string;
  /** Who made it. */
  readonly actor: ActorOut;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
  /** The second admin who confirmed it. */
  readonly confirmed_by?: ActorOut;
}

/** Return the delivery unstarted. */
export interface ReleaseRequest {
  /** The fencing token of the claim. */
  readonly token: number;
}

/** The account and its keys are revoked. */
export interface Removed {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The id of the agent or service. */
  readonly service_account_id: string;
  /** Its state: revoked. */
  readonly status: "revoked";
}

/** The new names; an omitted one is unchanged. */
export interface RenameWorkspace {
  /** The new name. */
  readonly name?: string;
  /** The new organization. */
  readonly organization?: string;
}

/** Renew the lease of the delivery. */
export interface RenewRequest {
  /** The fencing token of the claim. */
  readonly token: number;
  /** How long the lease lasts, in seconds. Default: 30. */
  readonly lease_seconds?: number;
}

/** The new end of the lease. */
export interface RenewResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** When the lease ends unless it is renewed. */
  readonly lease_until: string;
}

/** The step's outcome: a result, or an error. */
export interface ReportRequest {
  /** The fencing token of the claim. */
  readonly token: number;
  /** The result, if it succeeded. */
  readonly result?: object | null;
  /** The error, if it failed. */
  readonly error?: AgentError | null;
}

/** The report was recorded; contains the intent in its new state. */
export interface ReportResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent. */
  readonly intent: IntentOut;
}

/** An empty body: the new intent reruns the failed step of the old one. */
export interface RerunRequest {
}

/** The new intent, or the existing one: an intent is rerun only once. */
export interface RerunResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The intent whose failed step this one runs again. */
  readonly rerun_of: string;
}

/** End an intent from outside: COMPLETED with a result, FAILED with an error, CANCELED with a reason. `actor`, `owner_agent`, `internal_scheduler`: as AXP's clients send them; only the key determines the actor. */
export interface ResolveRequest {
  /** The status in which to end it. */
  readonly status: "COMPLETED" | "FAILED" | "CANCELED";
  /** The result, with COMPLETED. */
  readonly result?: object;
  /** The error, with FAILED. */
  readonly error?: object;
  /** The reason, which is kept in the history. */
  readonly reason?: string;
  /** The generation that the caller has seen; if it is another one now, nothing is changed. */
  readonly expected_policy_generation?: number | null;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly actor?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly owner_agent?: string;
  /** As AXP's clients send it; only the key determines the actor. */
  readonly internal_scheduler?: boolean;
}

/** One of AXP's resume shapes: `task_result`, `approve_current_step`, `action`, or any result. */
export interface ResumeRequest {
  /** The answer to a task, in AXP's terms. */
  readonly task_result?: object | null;
  /** The outcome, if it is at the top of the body. */
  readonly outcome?: string | null;
  /** True approves the open task, false rejects it. */
  readonly approve_current_step?: boolean | null;
  /** AXP's word for how to end the step. */
  readonly action?: string | null;
  /** The reason, kept as the answer's comment. */
  readonly reason?: string | null;
  /** The stage that the task showed; if it is another one now, nothing is answered. */
  readonly stage?: number | null;
  /** The revision that the task showed; if it is another one now, nothing is answered. */
  readonly revision?: number | null;
  /** The digest that the task showed; if it is another one now, nothing is answered. */
  readonly digest?: string | null;
  /** The generation that the caller has seen; if it is another one now, nothing is changed. */
  readonly expected_policy_generation?: number | null;
}

/** An empty body: the new intent repeats the old one. */
export interface RetryRequest {
}

/** The new intent. */
export interface RetryResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The failed intent that this one repeats. */
  readonly retry_of: string;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** What to decide instead. `digest`: the digest that was shown; a mismatch is a 409. `outcome`: also approve the change, if the task's `edits` is `approve`; needs the digest. `stage`, `data`: those of this answer. */
export interface ReviseRequest {
  /** The whole new payload. */
  readonly payload: object;
  /** Why. */
  readonly comment?: string;
  /** The digest of what was shown; if it is another one now, nothing is changed. */
  readonly digest?: string | null;
  /** Also approve the change, with this outcome. */
  readonly outcome?: string | null;
  /** The stage that was shown, from 1; only with an outcome. */
  readonly stage?: number | null;
  /** The form's data of this answer; only with an outcome. */
  readonly data?: object;
}

/** The change from one revision to another. by: who revised it, absent if people were asked again. */
export interface RevisionOut {
  /** The revision before. */
  readonly from_revision: number;
  /** The revision after. */
  readonly to_revision: number;
  /** When it happened. */
  readonly at: string;
  /** The id of the actor who revised it. */
  readonly by?: string;
  /** Their name. */
  readonly by_name?: string;
  /** The comment. */
  readonly comment?: string;
  /** The values that differ. */
  readonly changed: readonly ValueOut[];
}

/** Every payload of the intent, oldest first; the last one is current. `payload_deleted`: whether they were deleted. */
export interface RevisionsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** True if the payload was deleted by `retention_payloads`. */
  readonly payload_deleted?: boolean;
  /** Every payload, oldest first. */
  readonly revisions: readonly PayloadOut[];
}

/** Who is on call, and when. `handover`: a weekday and a local time. */
export interface RotationOut {
  /** The on-call order of the members. */
  readonly order: readonly string[];
  /** The weekday and local time of the handover. */
  readonly handover: string;
  /** The IANA time zone. */
  readonly zone: string;
  /** A day in a week in which the first member is on call. */
  readonly anchor: string;
  /** Who is on call now. */
  readonly on_call: string;
  /** When the next one takes over. */
  readonly next_handover_at: string;
}

/** A started scenario bundle. */
export interface ScenarioApplied {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The scenario that it was started from. */
  readonly scenario_id: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** The digest of the compiled plan. */
  readonly compile_id: string;
  /** The same as compile_id. */
  readonly workflow_compile_id: string;
  /** The agents of the bundle. */
  readonly agents: readonly Provisioned[];
  /** The same as agents. */
  readonly agents_provisioned: readonly Provisioned[];
  /** Who has to act. */
  readonly pending_with: PendingWith;
  /** Whether an earlier request had started it. */
  readonly idempotent: boolean;
  /** When it was created. */
  readonly created_at: string;
  /** When the intent times out, whatever it is waiting for. */
  readonly deadline_at?: string;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** Whether a bundle would be accepted, and why not. */
export interface ScenarioCheckResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Whether it would be accepted. */
  readonly valid: boolean;
  /** Why not. */
  readonly errors: readonly string[];
  /** Warnings for the caller. */
  readonly warnings: readonly string[];
}

/** The workspace to work in. It must be the key's own, given by its id or name. */
export interface Selection {
  /** The organization: the key's own. */
  readonly org_id?: string;
  /** The workspace: the key's own, by its id or name. */
  readonly workspace_id?: string;
}

/** The key's actor. */
export interface SelfOut {
  /** What the actor is. */
  readonly kind: "person" | "agent" | "service" | "system";
  /** The actor's id. */
  readonly id: string;
  /** The actor's address, if it is a program. */
  readonly address?: string;
  /** The display name. */
  readonly name?: string;
  /** The e-mail address, for a person. */
  readonly email?: string;
  /** The roles, for a person. */
  readonly roles: readonly string[];
}

/** Who may send work to an agent. */
export interface SendPolicy {
  /** The address of the agent. */
  readonly address: string;
  /** open: anyone; allowlist: only senders that match an entry; denylist: all others. */
  readonly policy_type: "open" | "allowlist" | "denylist";
  /** The patterns; they have no effect if it is open. */
  readonly entries: readonly SenderEntry[];
}

/** Who may send work to an agent. */
export interface SendPolicyResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Who may send work to it. */
  readonly policy: SendPolicy;
  /** What has no effect now, as text. */
  readonly warnings?: readonly string[];
}

/** A pattern of senders. */
export interface SenderEntry {
  /** The id of the entry. */
  readonly entry_id: string;
  /** An address, agent://organization/workspace/*, agent://organization/*, or * for any sender. */
  readonly sender_pattern: string;
}

/** mail: whether it can e-mail people, including sign-in links. */
export interface ServerOut {
  /** The server's version. */
  readonly version: string;
  /** The kind of database. */
  readonly database: string;
  /** Whether it can e-mail people, including sign-in links. */
  readonly mail: boolean;
}

/** Sessions, newest first. */
export interface SessionList {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The sessions. */
  readonly sessions: readonly SessionOut[];
}

/** A session on the pages. `by`: `key` or `link`; `used_at`: the time of the person's last action. */
export interface SessionOut {
  /** The session's id. */
  readonly session_id: string;
  /** How it was begun. */
  readonly by: "key" | "link";
  /** When it was created. */
  readonly created_at: string;
  /** The time of the person's last action. */
  readonly used_at: string;
  /** When it stops being valid. */
  readonly expires_at: string;
}

/** How many sessions were ended. */
export interface SessionsEnded {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** How many were ended. */
  readonly ended: number;
}

/** Who may send work to an agent; its entries stay. */
export interface SetSendPolicy {
  /** open: anyone; allowlist: only senders that match an entry; denylist: all others. */
  readonly policy_type: "open" | "allowlist" | "denylist";
}

/** A delivery that an agent may claim. The payload is fetched with GET /v1/intents/{intent_id}. */
export interface ShownDelivery {
  /** The intent's id. */
  readonly intent_id: string;
  /** Its position in the agent's stream, for ?since=. */
  readonly seq: number;
  /** Always intent.delivered. */
  readonly event_type: "intent.delivered";
  /** Always DELIVERED. */
  readonly status: "DELIVERED";
  /** When the intent last changed. */
  readonly at: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The address of the requester, from its key. */
  readonly from_agent: string;
  /** The address of the agent that it is for. */
  readonly to_agent: string;
  /** The requester's own id for requests that belong together; the intent's id by default. */
  readonly correlation_id: string;
  /** The id of the step in the plan. */
  readonly step_id?: string;
  /** For a step that is shown as an intent: the whole intent. */
  readonly parent_intent_id?: string;
  /** The number of the attempt at this step, from 1. */
  readonly delivery_attempt: number;
}

/** The difference from the last approved request of the same workflow with the same target (`target` in the workflow); changed: at most 200 values. */
export interface SinceApprovedOut {
  /** The intent's id. */
  readonly intent_id: string;
  /** When it was created. */
  readonly created_at: string;
  /** The payload fields that are equal in both: the target. */
  readonly target: readonly string[];
  /** The values that differ; none if nothing differs. */
  readonly changed: readonly ValueOut[];
  /** How many more values differ. */
  readonly more: number;
}

/** Who has snoozed the task, and until when. */
export interface SnoozeOut {
  /** The person's id. */
  readonly person: string;
  /** The display name. */
  readonly name: string;
  /** Until when. */
  readonly until: string;
}

/** The end of the snooze: `until` a time (RFC 3339), or `for` a duration: seconds, or text such as 90m, 2h, 1d. */
export interface SnoozeRequest {
  /** Until when. */
  readonly until?: string | null;
  /** For how long: seconds, or text such as 90m, 2h, 1d. */
  readonly for?: string | number | null;
}

/** A stage. state: done, open or next. `every`: whether one person of each entry in `of` is needed; otherwise `need` people of any of them. */
export interface StageOut {
  /** Its number, from 1. */
  readonly number: number;
  /** How far it is. */
  readonly state: "done" | "open" | "next";
  /** Who is asked: people, teams, roles. */
  readonly of: readonly string[];
  /** Whether one person of each entry in `of` is needed. */
  readonly every: boolean;
  /** How many votes it needs. */
  readonly need: number;
  /** How many are missing. */
  readonly missing: number;
  /** How many rejections end the task. */
  readonly reject_after: number;
}

/** A terminal asks to sign in as the person who confirms its code in a browser. */
export interface StartDeviceLogin {
  /** The terminal's computer, as shown to the person. */
  readonly host?: string;
}

/** A step of a workflow. */
export interface StepOut {
  /** The step's id. */
  readonly id: string;
  /** What the step is. */
  readonly kind: "agent" | "human" | "delay" | "notify";
}

/** One step of the plan and its state: pending, open, done. */
export interface StepState {
  /** The id of the step in the plan. */
  readonly step_id: string;
  /** What the step is. */
  readonly kind: "agent" | "human" | "delay" | "notify";
  /** How far it is. */
  readonly state: "pending" | "open" | "done";
  /** The agent that runs it. */
  readonly agent?: string;
}

/** The answer was counted: the task and the intent in their new state. */
export interface TaskChangedResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The task. */
  readonly task: TaskOut;
  /** The intent. */
  readonly intent: IntentOut;
}

/** A human step opened for people. `stage`, `revision` and `digest` name exactly what is decided. result_revisions: the revision of the request that each previous result belongs to; results of revisions other than the task's do not count. changes: from revision to revision, not in lists. edits: `approve` if approvers may change values and approve that at the same time, else `propose`. bulk_form: the same for tasks that may be answered together, absent for a task that has to be decided separately. next_steps: everything that may run after it, with the agents' input in addition to the payload. approvers: who is asked now. stage: the current one of `stages`, counted from 1. reviewed_by: who has marked it as being reviewed. comments: questions and replies, not in lists. risk: the policy's or a check's, whichever is higher. strength: the required assurance. receipt: what the caller's action has done, only in its own response. */
export interface TaskOut {
  /** The task's id. */
  readonly task_id: string;
  /** The intent's id. */
  readonly intent_id: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The id of the step in the plan. */
  readonly step_id: string;
  /** Whether it waits for an answer. */
  readonly state: "open" | "closed";
  /** The type of the task, which sets its outcomes. */
  readonly task_type: "approval" | "review" | "confirmation" | "form" | "clarification" | "assignment" | "manual_action" | "override";
  /** The question, in one line. */
  readonly title: string;
  /** The task's description. */
  readonly description: string;
  /** The risk: the policy's or a check's, whichever is higher. */
  readonly risk: "low" | "medium" | "high" | "critical";
  /** The sign-in that is required to decide. */
  readonly strength: "link" | "session" | "step_up";
  /** The outcomes that can be chosen. */
  readonly allowed_outcomes: readonly string[];
  /** The same outcomes, with their meanings and labels. */
  readonly outcomes: readonly OutcomeOut[];
  /** The JSON Schema of the answer's data. */
  readonly form_schema?: JsonObject;
  /** Whether an answer needs a comment. */
  readonly comment_required: boolean;
  /** Whether an answer has to name its evidence. */
  readonly evidence_required: boolean;
  /** The request's data: a JSON object with content defined by the requester. */
  readonly payload: JsonObject;
  /** True if the payload was deleted by `retention_payloads`. */
  readonly payload_deleted?: boolean;
  /** The results of the steps before it, by step. */
  readonly previous_results: JsonObject;
  /** The revision that each previous result belongs to. */
  readonly result_revisions: { readonly [name: string]: number };
  /** Every step that may run after it, with its agent's input. */
  readonly next_steps: readonly NextStep[];
  /** Who asks. */
  readonly requester: ActorOut;
  /** Who is asked now: people, teams, roles. */
  readonly approvers: readonly string[];
  /** The stage of the decision, from 1. */
  readonly stage: number;
  /** The number of stages. */
  readonly stages: number;
  /** How many approvals this stage still needs, at least; absent if it is closed. */
  readonly approvals_missing?: number;
  /** The id of the person who has marked it as being reviewed. */
  readonly reviewed_by?: string;
  /** Who has snoozed it. */
  readonly snoozed?: readonly SnoozeOut[];
  /** When the task was opened. */
  readonly opened_at: string;
  /** When the open task expires. */
  readonly due_at?: string;
  /** When the next reminder is due. */
  readonly next_reminder_at?: string;
  /** When the next escalation is due. */
  readonly escalation_at?: string;
  /** The number of reminders sent. */
  readonly reminders_sent: number;
  /** The number of the payload's revision, from 1. */
  readonly revision: number;
  /** Identifies exactly what is decided: the payload, its revision and what follows. */
  readonly digest: string;
  /** The answers so far, one for each person. */
  readonly votes: readonly VoteOut[];
  /** Questions and replies; not in lists. */
  readonly comments?: readonly CommentOut[];
  /** From revision to revision; not in lists. */
  readonly changes?: readonly RevisionOut[];
  /** The difference from what was approved last for the same target; not in lists. */
  readonly since_approved?: SinceApprovedOut;
  /** The outcome that was chosen. */
  readonly outcome?: string;
  /** How the decision ended; expiry is not a rejection. */
  readonly ending?: "approved" | "rejected" | "expired" | "withdrawn" | "superseded" | "undeliverable";
  /** When it was decided. */
  readonly decided_at?: string;
  /** The id of the person who decided. */
  readonly decided_by?: string;
  /** Their name. */
  readonly decided_by_name?: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via?: string;
  /** What happens if nobody answers. */
  readonly on_expiry: string;
  /** Whether approvers may change the request and approve that at the same time. */
  readonly edits: "propose" | "approve";
  /** The same for tasks that may be answered together; absent if it has to be decided separately. */
  readonly bulk_form?: string;
  /** What the caller's action has done; only in its own response. */
  readonly receipt?: ReceiptOut;
}

/** One task. */
export interface TaskResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The task. */
  readonly task: TaskOut;
}

/** Tasks, oldest first. */
export interface TasksResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** Where the next page begins; absent on the last one. */
  readonly next_cursor?: string;
  /** The tasks. */
  readonly tasks: readonly TaskOut[];
}

/** A team. Its people are given by e-mail address. */
export interface TeamOut {
  /** The team's name. */
  readonly name: string;
  /** Its members, by address. */
  readonly members: readonly string[];
  /** Its rotation. */
  readonly rotation?: RotationOut;
  /** Its room in a chat, to which its tasks are also sent. */
  readonly channel?: string;
  /** Its shared mailbox, to which its tasks are also sent. */
  readonly mailbox?: string;
}

/** One team. warnings: open tasks that the change leaves understaffed. */
export interface TeamResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The team. */
  readonly team: TeamOut;
  /** Warnings for the caller, as text; the request was still carried out. */
  readonly warnings: readonly string[];
}

/** All teams, by name. */
export interface TeamsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The teams. */
  readonly teams: readonly TeamOut[];
}

/** A test message to a person. */
export interface TestMessageRequest {
  /** The channel to test; by default the one that is tried first for this person. */
  readonly channel?: string;
}

/** The queued message. */
export interface TestMessageResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The queued message. The list shows its delivery status. */
  readonly message: MessageOut;
}

/** An intent as its recipient sees it. */
export interface Thread {
  /** The thread's id: the intent's. */
  readonly thread_id: string;
  /** The intent's id. */
  readonly intent_id: string;
  /** How far it is. */
  readonly status: "pending" | "active" | "done";
  /** Whose inbox it is in. */
  readonly owner_agent: string;
  /** The address of the requester, from its key. */
  readonly from_agent: string;
  /** The address of the agent that it is for. */
  readonly to_agent: string;
  /** The type of the intent. */
  readonly subject: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** When it was created. */
  readonly created_at: string;
  /** When it last changed. */
  readonly updated_at: string;
  /** What happened. */
  readonly timeline: readonly ThreadEvent[];
}

/** An event of a thread. */
export interface ThreadEvent {
  /** The event's id. */
  readonly event_id: string;
  /** What happened. */
  readonly event_type: string;
  /** The id of who caused it. */
  readonly actor: string;
  /** When it happened. */
  readonly at: string;
  /** Additional values, which depend on the kind of event. */
  readonly details: JsonObject;
}

/** A message: the request, and in the end its result. */
export interface ThreadMessage {
  /** Whose it is. */
  readonly role: "user" | "assistant";
  /** The request, or its result. */
  readonly content: unknown;
}

/** One thread with its messages. */
export interface ThreadResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The thread. */
  readonly thread: Thread;
  /** Its messages. */
  readonly messages?: readonly ThreadMessage[];
}

/** Threads, newest first. */
export interface Threads {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The threads. */
  readonly threads: readonly Thread[];
}

/** A task with too few eligible people left: its stage needs `needed` people, but only `remaining` could still decide. */
export interface UnderstaffedTask {
  /** The task's id. */
  readonly task_id: string;
  /** The question, in one line. */
  readonly title: string;
  /** The stage of the decision, from 1. */
  readonly stage: number;
  /** How many people its stage needs. */
  readonly needed: number;
  /** How many could still decide. */
  readonly remaining: number;
}

/** The open tasks with too few eligible people left. complete: whether all open tasks were checked. */
export interface UnderstaffedTasksResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The tasks. */
  readonly tasks: readonly UnderstaffedTask[];
  /** Whether these are all. */
  readonly complete: boolean;
}

/** Use the outcome, once. `use`: the caller's own name for this use; a request with the same name may be repeated. */
export interface UseRequest {
  /** The caller's own name for this use; a request with the same name may be repeated. */
  readonly use: string;
}

/** The outcome is now used by this caller and nobody else. It may be a rejection; only `approved` means consent. `approved`: whether the intent completed and its last decision was an approval. */
export interface UsedResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The intent's id. */
  readonly intent_id: string;
  /** The name of the use. */
  readonly use: string;
  /** When the outcome was first used. */
  readonly used_at: string;
  /** The status of the intent. COMPLETED, FAILED, CANCELED and TIMED_OUT are final. */
  readonly status: "CREATED" | "SUBMITTED" | "DELIVERED" | "ACKNOWLEDGED" | "IN_PROGRESS" | "WAITING" | "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";
  /** How the decision ended; expiry is not a rejection. */
  readonly ending?: "approved" | "rejected" | "expired" | "withdrawn" | "superseded" | "undeliverable";
  /** Whether it completed and its last decision was an approval. Nothing else is consent. */
  readonly approved: boolean;
}

/** One value that differs. `before` or `after` is absent if the value did not exist. */
export interface ValueOut {
  /** Its path in the payload. */
  readonly path: string;
  /** The value before, as text. */
  readonly before?: string;
  /** The value after, as text. */
  readonly after?: string;
}

/** A person who opened a task. `times`: the number of views, counted at most once per ten minutes; `unfolded`: whether they expanded everything on its page. */
export interface ViewOut {
  /** The task's id. */
  readonly task_id: string;
  /** The person's id. */
  readonly person: string;
  /** Their name. */
  readonly name: string;
  /** Where: web, api, cli, or a chat. */
  readonly channel: string;
  /** When it happened. */
  readonly first_at: string;
  /** When it happened. */
  readonly last_at: string;
  /** The number of views, counted at most once per ten minutes. */
  readonly times: number;
  /** Whether they expanded everything on its page. */
  readonly unfolded: boolean;
}

/** How a person had seen the task when they answered, as far as the server knows. `seconds`: from the first opening to the answer; `folded`: whether they expanded the collapsed parts of the page; `none` if there were none. */
export interface ViewedOut {
  /** When it happened. */
  readonly first_at?: string;
  /** When it happened. */
  readonly last_at?: string;
  /** From the first opening to the answer. */
  readonly seconds?: number;
  /** Where they opened it. */
  readonly channels: readonly string[];
  /** Whether collapsed parts were expanded: none, opened or closed. */
  readonly folded?: string;
}

/** One person's answer. `on_behalf_of_person`: whose vote it was, if it was another person's. */
export interface VoteOut {
  /** The person's id. */
  readonly person: string;
  /** The display name. */
  readonly name: string;
  /** Whose vote it was, if it was another person's. */
  readonly on_behalf_of_person?: string;
  /** The outcome that was chosen. */
  readonly outcome: string;
  /** The comment. */
  readonly comment?: string;
  /** When it happened. */
  readonly at: string;
  /** The channel of the action: api, cli, web, link, a chat such as slack, or system. */
  readonly via: string;
}

/** An open task that the person may answer. only_eligible: whether nobody else may give the same vote. */
export interface WaitingTask {
  /** The task's id. */
  readonly task_id: string;
  /** The question, in one line. */
  readonly title: string;
  /** Whether nobody else may give the same vote. */
  readonly only_eligible: boolean;
}

/** A named, versioned template of a plan, chosen by intent type. strength: the highest assurance that one of its own steps requires; a named policy may require more. source (which names people) and applied_by are shown only to people. */
export interface WorkflowOut {
  /** The workflow's name. */
  readonly name: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The version of this name, from 1. */
  readonly version: number;
  /** The strongest sign-in that one of its own steps requires. */
  readonly strength: "link" | "session" | "step_up";
  /** Its steps. */
  readonly steps: readonly StepOut[];
  /** The document as it was applied; shown only to people. */
  readonly source?: JsonObject;
  /** Who applied this version. */
  readonly applied_by?: string;
  /** When this version was applied. */
  readonly applied_at: string;
}

/** A workflow as in its file. */
export interface WorkflowRequest {
  /** The workflow's name. */
  readonly workflow: string;
  /** The type of the request, which chooses its workflow. */
  readonly intent_type: string;
  /** The steps, as in the file. */
  readonly steps: readonly object[];
  /** How often its requests may be revised. Default: 5. */
  readonly max_revisions?: number;
  /** Payload fields that say what a request is about, such as cluster. */
  readonly target?: string | readonly string[];
}

/** One workflow. */
export interface WorkflowResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The workflow. */
  readonly workflow: WorkflowOut;
}

/** The active workflow of each intent type. */
export interface WorkflowsResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The workflows. */
  readonly workflows: readonly WorkflowOut[];
}

/** A workspace. `own`: whether it is the key's; former_names: as `organization/name`; addresses with these still resolve. */
export interface WorkspaceOut {
  /** The id of the workspace. */
  readonly workspace_id: string;
  /** The organization. */
  readonly organization: string;
  /** The workspace's name. */
  readonly name: string;
  /** Its former names, as organization/name; addresses with these continue to resolve. */
  readonly former_names: readonly string[];
  /** Whether it is the key's. */
  readonly own: boolean;
  /** When it was created. */
  readonly created_at: string;
}

/** One workspace. */
export interface WorkspaceResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The workspace. */
  readonly workspace: WorkspaceOut;
}

/** The key's own workspace first; for an owner's key, also the others of its organization. */
export interface WorkspacesResponse {
  /** True: the request was carried out. */
  readonly ok: boolean;
  /** The workspaces. */
  readonly workspaces: readonly WorkspaceOut[];
}
