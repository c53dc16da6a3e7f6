// Made by `make docs` from the API's description; do not edit.

/** A JSON object whose members are up to its author. */
export type JsonObject = { readonly [name: string]: any };

/** Away from `from` until `until`, exclusive; the delegate may answer meanwhile. */
export interface AbsenceOut {
  readonly from: string;
  readonly until: string;
  readonly delegate?: string;
}

/** One account; ids and address are at the top too. `webhook_secret`: only if just created. */
export interface AccountAnswer {
  readonly ok: boolean;
  readonly service_account: AccountOut;
  readonly service_account_id: string;
  readonly id: string;
  readonly address: string;
  readonly agent_address: string;
  readonly webhook_secret?: string;
}

/** A new key of an account. */
export interface AccountKey {
  readonly ok: boolean;
  readonly key: KeyOut;
  readonly api_key: string;
}

/** An agent or a service. last_seen_at: when work was last requested for this agent, to the minute, absent if never; last_seen_client: by which program; last_seen: the same as text. */
export interface AccountOut {
  readonly service_account_id: string;
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly service_account_name: string;
  readonly display_name: string;
  readonly description: string;
  readonly org_id: string;
  readonly workspace_id: string;
  readonly status: string;
  readonly agent_address: string;
  readonly address: string;
  readonly address_id: string;
  readonly delivery_mode: string;
  readonly callback_url?: string;
  readonly created_by_actor_id: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly last_seen_at?: string;
  readonly last_seen_client?: string;
  readonly last_seen?: string;
}

/** All accounts of the workspace. */
export interface AccountsAnswer {
  readonly ok: boolean;
  readonly service_accounts: readonly AccountOut[];
}

/** An actor, with a display name. */
export interface ActorOut {
  readonly kind: string;
  readonly id: string;
  readonly address?: string;
  readonly name?: string;
}

/** One agent. */
export interface AgentAnswer {
  readonly ok: boolean;
  readonly agent: AccountOut;
}

/** Why the step failed. `retryable`: a retry could help. */
export interface AgentError {
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
}

/** All agents of the workspace. */
export interface AgentsAnswer {
  readonly ok: boolean;
  readonly agents: readonly AccountOut[];
}

/** One person's answer. `stage`, `revision`, `digest`: as the task showed them; a mismatch is a 409. `number`: the number of your answer at this stage; needed only to return to an answer that you have changed. */
export interface AnswerRequest {
  readonly outcome: string;
  readonly comment?: string;
  readonly data?: object;
  readonly stage?: number | null;
  readonly revision?: number | null;
  readonly number?: number | null;
  readonly digest?: string | null;
}

/** `changed` is False if the same template was already active; warnings: what may block it, as text. */
export interface AppliedOut {
  readonly ok: boolean;
  readonly changed: boolean;
  readonly dry_run: boolean;
  readonly workflow: WorkflowOut;
  readonly warnings: readonly string[];
}

/** The decision was counted. */
export interface ApprovalAnswer {
  readonly ok: boolean;
  readonly approval: ApprovalOut;
  readonly approval_id: string;
  readonly status: string;
  readonly decided_at: string;
  readonly intent: IntentOut;
}

/** A decision in AXP's format. */
export interface ApprovalOut {
  readonly approval_id: string;
  readonly decision: string;
  readonly comment: string | null;
  readonly decided_at: string;
}

/** An intent's whole history; `verified` is the server's own check of its hash chain. */
export interface AuditAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly seq: number;
  readonly head: string;
  readonly verified: boolean;
  readonly problem?: string;
  readonly events: readonly AuditEventOut[];
}

/** One link of the chain. `body` is the text that was hashed; `private` the erasable text apart from it. A link whose bytes are no longer an event has the type `unreadable` and no time. */
export interface AuditEventOut {
  readonly seq: number;
  readonly at?: string;
  readonly type: string;
  readonly actor: ActorOut;
  readonly via: string;
  readonly summary: string;
  readonly comment?: string;
  readonly event: JsonObject;
  readonly body: string;
  readonly private?: string;
  readonly hash: string;
}

/** Each task of a bulk answer, in the order of the request, and how many were recorded, refused and decided. */
export interface BulkAnswer {
  readonly ok: boolean;
  readonly recorded: number;
  readonly refused: number;
  readonly decided: number;
  readonly receipt: ReceiptOut;
  readonly results: readonly BulkResult[];
}

/** One answer to up to 100 equal tasks of low risk (those with the same `bulk_form`). */
export interface BulkAnswerRequest {
  readonly outcome: string;
  readonly comment?: string;
  readonly tasks: readonly BulkTask[];
}

/** The intents canceled, or (dry run) to be canceled. */
export interface BulkCancelAnswer {
  readonly ok: boolean;
  readonly dry_run: boolean;
  readonly would_cancel: number;
  readonly canceled: number;
  readonly intent_ids: readonly string[];
}

/** Cancel intents without recent changes, the oldest first, as far as the caller may. A dry run (the default) reports what it would cancel. `q`: search words, as in the list of intents. */
export interface BulkCancelRequest {
  readonly older_than_hours?: number;
  readonly dry_run?: boolean;
  readonly reason?: string;
  readonly limit?: number;
  readonly status_filter?: readonly string[];
  readonly intent_type?: string;
  readonly correlation_id?: string;
  readonly q?: string;
}

/** What became of one task of a bulk answer. `recorded`: whether the answer counts; `decided`: whether the task is closed now; `receipt`: what was recorded; `code`, `message`, `hint`: why it was refused. */
export interface BulkResult {
  readonly task_id: string;
  readonly recorded: boolean;
  readonly decided: boolean;
  readonly receipt?: ReceiptOut;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

/** One of the tasks of a bulk answer. `stage`, `revision`, `digest`: as the task showed them, all required. */
export interface BulkTask {
  readonly task_id: string;
  readonly stage: number;
  readonly revision: number;
  readonly digest: string;
}

/** An AXP ScenarioBundle. */
export interface BundleRequest {
  readonly scenario_id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly idempotency_key?: string;
  readonly agents?: readonly object[];
  readonly humans?: readonly object[];
  readonly workflow?: object | null;
  readonly intent: object;
}

/** The fields to change; omitted fields are unchanged. `rotate_webhook_secret`: create a new one. */
export interface ChangeAccount {
  readonly display_name?: string | null;
  readonly description?: string | null;
  readonly delivery_mode?: string | null;
  readonly callback_url?: string | null;
  readonly rotate_webhook_secret?: boolean;
}

/** What an apply does to one entry: create, change or unchanged; `fields`: those that differ. */
export interface ChangeOut {
  readonly action: string;
  readonly kind: string;
  readonly name: string;
  readonly fields: readonly string[];
  readonly before?: JsonObject;
  readonly after?: JsonObject;
}

/** The fields to change; the rest is unchanged. People may change their own zone, hours, absences and preferences. */
export interface ChangePerson {
  readonly name?: string | null;
  readonly roles?: readonly string[] | null;
  readonly active?: boolean | null;
  readonly addresses?: object | null;
  readonly zone?: string | null;
  readonly hours?: object | boolean | null;
  readonly absences?: readonly object[] | null;
  readonly preferences?: object | null;
}

/** The change log, newest first. */
export interface ChangesAnswer {
  readonly ok: boolean;
  readonly next_cursor?: string;
  readonly changes: readonly RecordedChange[];
}

/** set_up: whether this server sends by it; failing: whether current sends fail; since: when the oldest failing message was called for; retrying: messages that are retried; failed: permanently, within a day; last_error: of those. */
export interface ChannelOut {
  readonly channel: string;
  readonly set_up: boolean;
  readonly failing: boolean;
  readonly since?: string;
  readonly retrying: number;
  readonly failed: number;
  readonly last_error?: string;
  readonly target?: string;
  readonly last_arrived_at?: string;
}

/** The channels that this server sends by, and any other that has failed lately. */
export interface ChannelsAnswer {
  readonly ok: boolean;
  readonly channels: readonly ChannelOut[];
}

/** The claimed deliveries; empty if there were none in the given time. agent: the address that was asked for; max_report_bytes: the maximum size of a report; notice: why this agent may never get a delivery. */
export interface ClaimAnswer {
  readonly ok: boolean;
  readonly deliveries: readonly DeliveryOut[];
  readonly agent: string;
  readonly max_report_bytes: number;
  readonly notice?: string;
}

/** Claim deliveries under a lease; `wait_seconds` is how long to wait if there are none. */
export interface ClaimRequest {
  readonly holder?: string;
  readonly limit?: number;
  readonly lease_seconds?: number;
  readonly wait_seconds?: number;
}

/** A question or comment: its author, a person or the requester. */
export interface CommentOut {
  readonly actor: string;
  readonly kind: string;
  readonly name: string;
  readonly comment?: string;
  readonly at: string;
  readonly via: string;
}

/** A comment on the task. */
export interface CommentRequest {
  readonly comment?: string;
}

/** Where the result of an intent was sent. */
export interface Completion {
  readonly delivered: boolean;
  readonly reason?: string;
  readonly reply_to?: string;
  readonly thread_id?: string;
  readonly message_id?: string;
  readonly completion?: { readonly [name: string]: string };
}

/** A scheduled contact: its time (`local`: in `zone`), and whom it will reach in the current state. kind: opening (for a person who is notified when their working hours begin), reminder, escalation, deadline. */
export interface ContactOut {
  readonly kind: string;
  readonly number: number;
  readonly at: string;
  readonly local: string;
  readonly zone: string;
  readonly to: readonly string[];
  readonly people: readonly string[];
}

export interface Context {
  readonly org_id: string;
  readonly workspace_id: string;
}

/** AXP's three free maps, as patched. */
export interface ControlPolicy {
  readonly grants: JsonObject;
  readonly controls: JsonObject;
  readonly envelope: JsonObject;
}

/** A patch of the free control map, which is stored and shown. `actor` and the following: as in `Resolve`. */
export interface ControlsRequest {
  readonly controls_patch?: object;
  readonly reason?: string;
  readonly expected_policy_generation?: number | null;
  readonly actor?: string;
  readonly owner_agent?: string;
  readonly internal_scheduler?: boolean;
}

/** A new agent. `name` may be a plain name or a whole address; org_id, workspace_id: the key's own, if given; created_by_actor_id: accepted for AXP's schema; the key determines the creator. */
export interface CreateAccount {
  readonly name: string;
  readonly org_id?: string;
  readonly workspace_id?: string;
  readonly created_by_actor_id?: string;
  readonly display_name?: string;
  readonly description?: string;
  readonly delivery_mode?: string;
  readonly callback_url?: string;
}

/** A key for the account in the path. The other fields are AXP's and have no effect: keys have no names here, and the calling key determines the creator. */
export interface CreateAccountKey {
  readonly expires_at?: string | null;
  readonly name?: string;
  readonly display_name?: string;
  readonly description?: string;
  readonly created_by_actor_id?: string;
}

/** An intent. If its type has a workflow, that is its plan; else `human_task`, else `to_agent`. `on_behalf_of`: the person it is for (an address or id), who is then on the requester's side. */
export interface CreateIntentRequest {
  readonly intent_type: string;
  readonly to_agent?: string;
  readonly payload?: object;
  readonly reply_to?: string;
  readonly correlation_id?: string;
  readonly from_agent?: string;
  readonly on_behalf_of?: string;
  readonly deadline_at?: string | null;
  readonly remind_after_seconds?: number | null;
  readonly remind_interval_seconds?: number | null;
  readonly max_reminders?: number | null;
  readonly escalate_to?: string;
  readonly max_delivery_attempts?: number | null;
  readonly human_task?: object | null;
}

/** A key for exactly one of an agent, a service and a person; a missing holder is created. name, roles: of a new person; roles default to `approver`. */
export interface CreateKey {
  readonly agent?: string | null;
  readonly service?: string | null;
  readonly person?: string | null;
  readonly name?: string;
  readonly roles?: readonly string[];
  readonly expires_in_seconds?: number | null;
}

/** A new person; roles default to `approver`. */
export interface CreatePerson {
  readonly email: string;
  readonly name?: string;
  readonly roles?: readonly string[] | null;
  readonly active?: boolean | null;
  readonly addresses?: object | null;
  readonly zone?: string | null;
  readonly hours?: object | boolean | null;
  readonly absences?: readonly object[] | null;
  readonly preferences?: object | null;
}

/** A new workspace in the key's organization. owner: the e-mail address of its first owner, by default the caller's; owner_name: their name. */
export interface CreateWorkspace {
  readonly name: string;
  readonly owner?: string;
  readonly owner_name?: string;
}

/** An intent was created; it is durable. */
export interface CreatedOut {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly status: string;
  readonly created_at: string;
  readonly correlation_id: string;
  readonly intent: IntentOut;
  readonly warnings: readonly string[];
}

/** A person who may decide now, and why. */
export interface DeciderOut {
  readonly person: string;
  readonly name: string;
  readonly instead_of?: string;
  readonly why: string;
  readonly voted?: string;
}

/** AXP's approval decision: approve or reject. `stage`, `revision`, `digest`: as the task showed them, if the client knows them. */
export interface DecisionRequest {
  readonly decision: string;
  readonly comment?: string;
  readonly reason?: string;
  readonly outcome?: string | null;
  readonly approved?: boolean | null;
  readonly stage?: number | null;
  readonly revision?: number | null;
  readonly digest?: string | null;
}

/** The delegate: a person's address or id. */
export interface DelegateRequest {
  readonly to: string;
  readonly comment?: string;
}

/** An agent's open deliveries after a cursor; `next_cursor` goes into `?since=`. */
export interface DeliveriesAnswer {
  readonly ok: boolean;
  readonly intents: readonly ShownDelivery[];
  readonly next_cursor: number;
}

/** A claimed agent step. `token` is the fencing token; `idempotency_key` is the same on every attempt. */
export interface DeliveryOut {
  readonly delivery_id: string;
  readonly intent_id: string;
  readonly intent_type: string;
  readonly step_id: string;
  readonly attempt: number;
  readonly token: number;
  readonly lease_until: string;
  readonly lease_seconds: number;
  readonly payload: JsonObject;
  readonly input: JsonObject;
  readonly previous_results: JsonObject;
  readonly result_revisions: { readonly [name: string]: number };
  readonly revision: number;
  readonly idempotency_key: string;
  readonly requester: ActorOut;
  readonly correlation_id: string;
  readonly created_at: string;
  readonly deadline_at?: string;
}

/** Success, without further data. */
export interface EmptyAnswer {
  readonly ok: boolean;
}

/** An empty body: a comment would not be recorded anywhere, so it is refused. */
export interface EmptyRequest {
}

/** The one format of every error; `message` and `detail` repeat it for clients that read those. */
export interface ErrorBody {
  readonly ok: boolean;
  readonly error: ErrorDetail;
  readonly message: string;
  readonly detail: string;
  readonly request_id: string;
}

/** code: stable machine word; field: dotted path of the field at fault; hint: what to do next. */
export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
  readonly hint: string | null;
  readonly details: JsonObject;
}

/** One event of an intent's life. */
export interface EventOut {
  readonly intent_id: string;
  readonly seq: number;
  readonly event_type: string;
  readonly status: string;
  readonly at: string;
  readonly waiting_reason?: string;
  readonly lifecycle_waiting_reason?: string;
  readonly handler?: string;
  readonly actor: string;
  readonly actor_id: string;
  readonly via: string;
  readonly pending_with?: PendingWith;
  readonly human_task?: HumanTask;
  readonly details: JsonObject;
  readonly result?: JsonObject;
}

/** Events after a cursor, in order. */
export interface EventsAnswer {
  readonly ok: boolean;
  readonly events: readonly EventOut[];
}

/** The contact schedule of a task if nobody answers, and who may decide. */
export interface ExplainOut {
  readonly ok: boolean;
  readonly policy?: string;
  readonly because?: string;
  readonly task_id?: string;
  readonly opened_at: string;
  readonly due_at?: string;
  readonly strength: string;
  readonly proof: string;
  readonly risk: string;
  readonly self_approval: boolean;
  readonly may_decide: readonly DeciderOut[];
  readonly requesters_side: readonly string[];
  readonly asked: readonly string[];
  readonly stages: readonly StageOut[];
  readonly contacts: readonly ContactOut[];
  readonly on_expiry: string;
}

/** The process is alive. */
export interface HealthAnswer {
  readonly ok: boolean;
  readonly service: string;
  readonly version: string;
}

/** Working hours; `until` is in the zone's local time, like `from`. */
export interface HoursOut {
  readonly zone: string;
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
}

/** A task in AXP's terms. */
export interface HumanTask {
  readonly title: string;
  readonly task_type: string;
  readonly allowed_outcomes: readonly string[];
  readonly required_comment: boolean;
  readonly evidence_required: boolean;
  readonly description?: string;
  readonly assignees?: readonly string[];
  readonly form_schema?: JsonObject;
  readonly notify?: readonly string[];
  readonly task_id?: string;
}

/** An intent; the members that most programs read are at the top too. */
export interface IntentAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly status: string;
  readonly lifecycle_status: string;
  readonly payload: JsonObject;
  readonly result?: JsonObject;
  readonly intent: IntentOut;
}

/** The response to a write on an intent; `applied` is true if it had an effect, and for a repeated answer that had one; false if the policy generation was stale, or a patch changed nothing. `receipt`: of a withdrawal. */
export interface IntentChangedAnswer {
  readonly ok: boolean;
  readonly applied: boolean;
  readonly warnings?: readonly string[];
  readonly policy_generation: number;
  readonly reason?: string;
  readonly intent: IntentOut;
  readonly event?: EventOut;
  readonly completion_delivery?: Completion;
  readonly receipt?: ReceiptOut;
}

/** An intent. Members that do not apply are left out. */
export interface IntentOut {
  readonly intent_id: string;
  readonly intent_type: string;
  readonly status: string;
  readonly lifecycle_status: string;
  readonly waiting_reason?: string;
  readonly lifecycle_waiting_reason?: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly correlation_id: string;
  readonly from_agent: string;
  readonly claimed_from_agent?: string;
  readonly to_agent: string;
  readonly reply_to?: string;
  readonly payload: JsonObject;
  readonly payload_deleted?: boolean;
  readonly result?: JsonObject;
  readonly error?: Problem;
  readonly outcome?: string;
  readonly ending?: string;
  readonly decided_by?: string;
  readonly decided_at?: string;
  readonly via?: string;
  readonly comment?: string;
  readonly deadline_at?: string;
  readonly due_at?: string;
  readonly remind_after_seconds?: number;
  readonly remind_interval_seconds?: number;
  readonly max_reminders?: number;
  readonly remind_count: number;
  readonly escalate_to?: string;
  readonly max_delivery_attempts?: number;
  readonly delivery_attempt?: number;
  readonly human_task?: HumanTask;
  readonly pending_with?: PendingWith;
  readonly policy_generation: number;
  readonly workflow_control_policy: ControlPolicy;
  readonly steps?: readonly StepState[];
  readonly parent_intent_id?: string;
  readonly root_intent_id?: string;
  readonly step_id?: string;
  readonly scenario_id?: string;
  readonly retry_of?: string;
  readonly rerun_of?: string;
}

/** Intents, newest first. */
export interface IntentsAnswer {
  readonly ok: boolean;
  readonly next_cursor?: string;
  readonly intents: readonly IntentOut[];
}

/** One key. */
export interface KeyAnswer {
  readonly ok: boolean;
  readonly key: KeyOut;
}

/** A key, without its secret; `token` is the secret, shown once, at creation. */
export interface KeyOut {
  readonly key_id: string;
  readonly service_account_id?: string;
  readonly kind: string;
  readonly holder_id: string;
  readonly holder_name?: string;
  readonly key_hint: string;
  readonly status: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at?: string;
  readonly token?: string;
}

/** Keys, oldest first, including revoked ones; no secrets. */
export interface KeysAnswer {
  readonly ok: boolean;
  readonly keys: readonly KeyOut[];
}

/** What was, or (dry run) would be, changed, in order. `proposal`: nothing is applied until another admin has confirmed it (its id is empty in a dry run). warnings: which open tasks it leaves with too few people. `seen`: the digest of what was found and is done; sent with the real run, it is that or nothing. */
export interface ManifestAnswer {
  readonly ok: boolean;
  readonly dry_run: boolean;
  readonly changed: boolean;
  readonly changes: readonly ChangeOut[];
  readonly seen: string;
  readonly warnings: readonly string[];
  readonly proposal?: ProposalOut;
}

/** A manifest: people (by address), teams and policies (by name), workflows, settings of the workspace. */
export interface ManifestRequest {
  readonly people?: object;
  readonly teams?: object;
  readonly policies?: object;
  readonly workflows?: readonly object[];
  readonly workspace?: object;
}

/** The key's holder and workspace. self_approval: whether the requester's side may decide a request made now; self_approval_setting: `off`, `on`, or `alone`, which holds while the workspace has one person. */
export interface MeAnswer {
  readonly ok: boolean;
  readonly actor: SelfOut;
  readonly workspace: string;
  readonly workspace_id: string;
  readonly organization: string;
  readonly self_approval: boolean;
  readonly self_approval_setting: string;
  readonly default_policy?: string;
  readonly unlisted_types: string;
  readonly server: ServerOut;
}

/** state: waiting, sent, skipped (there was nothing left to say) or failed; called_at: when its event happened; at: of its last change; next_attempt_at: when it is tried, or retried; instead: the channel that took over; summary: the status as text. Without a person it was sent to a service. */
export interface MessageOut {
  readonly message_id: string;
  readonly task_id?: string;
  readonly kind: string;
  readonly person?: string;
  readonly name?: string;
  readonly channel: string;
  readonly target?: string;
  readonly state: string;
  readonly summary: string;
  readonly attempts: number;
  readonly reference?: string;
  readonly error?: string;
  readonly instead?: string;
  readonly called_at: string;
  readonly at: string;
  readonly next_attempt_at?: string;
}

/** In the order of their events. */
export interface MessagesAnswer {
  readonly ok: boolean;
  readonly messages: readonly MessageOut[];
}

/** A task as AXP lists it. */
export interface MyTask {
  readonly intent_id: string;
  readonly intent_type: string;
  readonly status: string;
  readonly from_agent: string;
  readonly assigned_at: string;
  readonly due_at?: string;
  readonly human_task: HumanTask;
}

/** Open tasks, as AXP lists them. */
export interface MyTasksAnswer {
  readonly ok: boolean;
  readonly tasks: readonly MyTask[];
}

/** A new key. `api_key` is the secret: shown once, stored nowhere. `warnings`: what its new person changes. */
export interface NewKeyOut {
  readonly ok: boolean;
  readonly kind: string;
  readonly address: string;
  readonly key_id: string;
  readonly api_key: string;
  readonly expires_at?: string;
  readonly warnings: readonly string[];
}

/** A new workspace. `api_key`: of its owner, shown once, stored nowhere; only if the owner is the caller. */
export interface NewWorkspaceOut {
  readonly ok: boolean;
  readonly workspace: signoff.wire.workspaces.WorkspaceOut;
  readonly owner: string;
  readonly api_key?: string;
}

/** A step that an answer may lead to. after: those of yes, no, changes and silence that lead to it; off_main_path: it runs only if an earlier step does not succeed; agent: who runs it; input: what that agent gets in addition to the payload; to, message: who is notified of what. */
export interface NextStep {
  readonly step_id: string;
  readonly kind: string;
  readonly after: readonly string[];
  readonly off_main_path: boolean;
  readonly agent?: string;
  readonly input?: JsonObject;
  readonly to?: readonly string[];
  readonly message?: string;
}

export interface NotReassigned {
  readonly task_id: string;
  readonly code: string;
  readonly message: string;
}

export interface Organization {
  readonly org_id: string;
  readonly name: string;
  readonly status: string;
  readonly roles: readonly string[];
  readonly workspaces: readonly string[];
}

/** One outcome of a task: its name; means: approve, reject or changes; label: of its button. */
export interface OutcomeOut {
  readonly name: string;
  readonly means: string;
  readonly label: string;
}

/** A payload, and the last revision that it was decided on under. */
export interface PayloadOut {
  readonly revision: number;
  readonly payload: JsonObject;
}

/** Who has to act: an agent, people, or the runtime itself. */
export interface PendingWith {
  readonly type: string;
  readonly ref: string;
  readonly name: string;
}

/** Everyone in the workspace, by address. */
export interface PeopleAnswer {
  readonly ok: boolean;
  readonly people: readonly PersonOut[];
}

/** One person. warnings: open tasks that the change leaves understaffed. */
export interface PersonAnswer {
  readonly ok: boolean;
  readonly person: PersonOut;
  readonly warnings: readonly string[];
}

/** A person. `teams`: their memberships; `away`: whether they are absent now. addresses, zone, hours, absences and preferences are visible to the person and to owners, admins and auditors. */
export interface PersonOut {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly active: boolean;
  readonly teams: readonly string[];
  readonly away: boolean;
  readonly addresses?: { readonly [name: string]: string };
  readonly zone?: string;
  readonly hours?: HoursOut;
  readonly absences?: readonly AbsenceOut[];
  readonly preferences?: JsonObject;
  readonly created_at: string;
}

/** A person's open tasks: to be reassigned before they leave. complete: whether these are all. */
export interface PersonWaiting {
  readonly ok: boolean;
  readonly tasks: readonly WaitingTask[];
  readonly complete: boolean;
}

/** All policies, by name. */
export interface PoliciesAnswer {
  readonly ok: boolean;
  readonly policies: readonly PolicyOut[];
}

/** One policy; `changed` is False if it was the same before. */
export interface PolicyAnswer {
  readonly ok: boolean;
  readonly policy: PolicyOut;
  readonly changed: boolean;
}

/** A named policy in its current version; `source` as it was applied; strength: the required assurance; broken: why this release cannot use it. */
export interface PolicyOut {
  readonly name: string;
  readonly version: number;
  readonly strength: string;
  readonly source: JsonObject;
  readonly applied_by: string;
  readonly applied_at: string;
  readonly broken?: string;
}

/** A patch of the grants and envelope maps, which are stored and shown: they grant and limit nothing. `actor` and the following: as in `Resolve`. */
export interface PolicyRequest {
  readonly grants_patch?: object;
  readonly envelope_patch?: object;
  readonly reason?: string;
  readonly expected_policy_generation?: number | null;
  readonly actor?: string;
  readonly owner_agent?: string;
  readonly internal_scheduler?: boolean;
}

/** The key's organization and workspace. */
export interface PortalContext {
  readonly ok: boolean;
  readonly context: Context;
  readonly account: JsonObject;
  readonly selected_organization: Organization;
  readonly selected_workspace: signoff.web.axp.portal.WorkspaceOut;
  readonly organizations: readonly Organization[];
  readonly workspaces: readonly signoff.web.axp.portal.WorkspaceOut[];
  readonly guidance?: JsonObject;
}

/** Why it failed. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** One proposed change. */
export interface ProposalAnswer {
  readonly ok: boolean;
  readonly proposal: ProposalOut;
}

/** The proposals that wait for a second admin, newest first. */
export interface ProposalList {
  readonly ok: boolean;
  readonly proposals: readonly ProposalOut[];
}

/** A change that needs a second admin, because it relaxes who decides. state: waiting, confirmed, refused, expired; `relaxations`: kind and name of the relaxed entries; `why`: the reasons in plain words. */
export interface ProposalOut {
  readonly id: string;
  readonly state: string;
  readonly proposed_by: ActorOut;
  readonly proposed_at: string;
  readonly expires_at: string;
  readonly changes: readonly ChangeOut[];
  readonly relaxations: readonly string[];
  readonly why: readonly string[];
  readonly ended_by?: ActorOut;
  readonly ended_at?: string;
}

/** An agent of a bundle, and whether this apply created it. */
export interface Provisioned {
  readonly role: string;
  readonly address: string;
  readonly agent_address: string;
  readonly service_account_id: string;
  readonly sa_id: string;
  readonly created: boolean;
}

/** A policy as in a file, under `policy`. */
export interface PutPolicy {
  readonly name: string;
  readonly policy: object;
}

/** A team to create or replace. rotation: order, handover (`mon 09:00`), zone, anchor (a day). */
export interface PutTeam {
  readonly members: readonly string[];
  readonly rotation?: object | null;
}

/** Whether the process is ready; per loop and part, why not. */
export interface ReadyAnswer {
  readonly ok: boolean;
  readonly ready: boolean;
  readonly details: JsonObject;
}

/** Who replaces the person in every open task that asks the person. */
export interface ReassignAll {
  readonly to: string;
  readonly comment?: string;
}

/** The new approvers: people, teams, roles. */
export interface ReassignRequest {
  readonly to: readonly string[];
  readonly comment?: string;
}

/** The reassigned tasks, and those left unchanged, with the reason. */
export interface ReassignedAll {
  readonly ok: boolean;
  readonly reassigned: readonly string[];
  readonly refused: readonly NotReassigned[];
  readonly complete: boolean;
}

/** What an act has done, in words. said: what was recorded; next: what happens now; undo: the act that takes it back (unsnooze, unmark-reviewing, answer), missing if none does; event: its number in the history, missing if nothing new was recorded. */
export interface ReceiptOut {
  readonly said: string;
  readonly next: string;
  readonly undo?: string;
  readonly event?: number;
}

/** A change, with its author, and who confirmed it if a second admin was needed. action: create, change or remove; `number`: its position in the workspace's change log. */
export interface RecordedChange {
  readonly action: string;
  readonly kind: string;
  readonly name: string;
  readonly fields: readonly string[];
  readonly before?: JsonObject;
  readonly after?: JsonObject;
  readonly id: string;
  readonly number: number;
  readonly at: string;
  readonly actor: ActorOut;
  readonly via: string;
  readonly confirmed_by?: ActorOut;
}

/** Return the delivery unstarted. */
export interface ReleaseRequest {
  readonly token: number;
}

/** The account and its keys are revoked. */
export interface Removed {
  readonly ok: boolean;
  readonly service_account_id: string;
  readonly status: string;
}

/** The new names; one that is left out stays. */
export interface RenameWorkspace {
  readonly name?: string;
  readonly organization?: string;
}

/** The new end of the lease. */
export interface RenewAnswer {
  readonly ok: boolean;
  readonly lease_until: string;
}

/** Renew the lease of the delivery. */
export interface RenewRequest {
  readonly token: number;
  readonly lease_seconds?: number;
}

/** The result was recorded; the intent in its new state. */
export interface ReportAnswer {
  readonly ok: boolean;
  readonly intent: IntentOut;
}

/** The step's outcome: a result, or an error. */
export interface ReportRequest {
  readonly token: number;
  readonly result?: object | null;
  readonly error?: AgentError | null;
}

/** The new intent, or the existing one: an intent is rerun only once. */
export interface RerunAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly status: string;
  readonly rerun_of: string;
}

/** An empty body: the new intent reruns the failed step of the old one. */
export interface RerunRequest {
}

/** End an intent from outside: COMPLETED with a result, FAILED with an error, CANCELED with a reason. `actor`, `owner_agent`, `internal_scheduler`: as AXP's clients send them; only the key determines the actor. */
export interface ResolveRequest {
  readonly status: string;
  readonly result?: object;
  readonly error?: object;
  readonly reason?: string;
  readonly expected_policy_generation?: number | null;
  readonly actor?: string;
  readonly owner_agent?: string;
  readonly internal_scheduler?: boolean;
}

/** One of AXP's resume shapes: `task_result`, `approve_current_step`, `action`, or any result. */
export interface ResumeRequest {
  readonly task_result?: object | null;
  readonly outcome?: string | null;
  readonly approve_current_step?: boolean | null;
  readonly action?: string | null;
  readonly reason?: string | null;
  readonly stage?: number | null;
  readonly revision?: number | null;
  readonly digest?: string | null;
  readonly expected_policy_generation?: number | null;
}

/** The new intent. */
export interface RetryAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly status: string;
  readonly retry_of: string;
  readonly warnings: readonly string[];
}

/** An empty body: the new intent repeats the old one. */
export interface RetryRequest {
}

/** What to decide instead. `digest`: of what was shown; a mismatch is a 409. */
export interface ReviseRequest {
  readonly payload: object;
  readonly comment?: string;
  readonly digest?: string | null;
}

/** The change from one revision to another; by: who revised it, missing if it was asked again. */
export interface RevisionOut {
  readonly from_revision: number;
  readonly to_revision: number;
  readonly at: string;
  readonly by?: string;
  readonly by_name?: string;
  readonly comment?: string;
  readonly changed: readonly ValueOut[];
}

/** Every payload of the intent, oldest first; the last is the current one. `payload_deleted`: they were deleted. */
export interface RevisionsAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly payload_deleted?: boolean;
  readonly revisions: readonly PayloadOut[];
}

/** Who is on call when: `handover` is a weekday and a local time. */
export interface RotationOut {
  readonly order: readonly string[];
  readonly handover: string;
  readonly zone: string;
  readonly anchor: string;
  readonly on_call: string;
  readonly next_handover_at: string;
}

/** A started scenario bundle. */
export interface ScenarioApplied {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly scenario_id: string;
  readonly status: string;
  readonly compile_id: string;
  readonly workflow_compile_id: string;
  readonly agents: readonly Provisioned[];
  readonly agents_provisioned: readonly Provisioned[];
  readonly pending_with: PendingWith;
  readonly idempotent: boolean;
  readonly created_at: string;
  readonly deadline_at?: string;
  readonly warnings: readonly string[];
}

/** Whether a bundle would be accepted, and why not. */
export interface ScenarioCheckAnswer {
  readonly ok: boolean;
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** The workspace to work in: here always the key's own, by its id or name. */
export interface Selection {
  readonly org_id?: string;
  readonly workspace_id?: string;
}

/** The key's actor. */
export interface SelfOut {
  readonly kind: string;
  readonly id: string;
  readonly address?: string;
  readonly name?: string;
  readonly email?: string;
  readonly roles: readonly string[];
}

/** mail: whether it can mail people, including sign-in links. */
export interface ServerOut {
  readonly version: string;
  readonly database: string;
  readonly mail: boolean;
}

/** Newest first. */
export interface SessionList {
  readonly ok: boolean;
  readonly sessions: readonly SessionOut[];
}

/** A session on the pages. `by`: `key` or `link`; `used_at`: the time of its person's last action. */
export interface SessionOut {
  readonly session_id: string;
  readonly by: string;
  readonly created_at: string;
  readonly used_at: string;
  readonly expires_at: string;
}

/** How many sessions were ended. */
export interface SessionsEnded {
  readonly ok: boolean;
  readonly ended: number;
}

/** A delivery that an agent may claim. The payload is fetched with GET /v1/intents/{intent_id}. */
export interface ShownDelivery {
  readonly intent_id: string;
  readonly seq: number;
  readonly event_type: string;
  readonly status: string;
  readonly at: string;
  readonly intent_type: string;
  readonly from_agent: string;
  readonly to_agent: string;
  readonly correlation_id: string;
  readonly step_id?: string;
  readonly parent_intent_id?: string;
  readonly delivery_attempt: number;
}

/** `command`: what to type in Slack; the code works once, until `expires_at`. */
export interface SlackCodeAnswer {
  readonly ok: boolean;
  readonly code: string;
  readonly command: string;
  readonly expires_at: string;
}

/** Who has snoozed the task, and until when. */
export interface SnoozeOut {
  readonly person: string;
  readonly name: string;
  readonly until: string;
}

/** Until when: a time (RFC 3339), or `for` how long: seconds, or text such as 90m, 2h, 1d. */
export interface SnoozeRequest {
  readonly until?: string | null;
  readonly for?: string | number | null;
}

/** A stage. state: done, open or next; `every`: one person of each of `of`, else `need` of any of them. */
export interface StageOut {
  readonly number: number;
  readonly state: string;
  readonly of: readonly string[];
  readonly every: boolean;
  readonly need: number;
  readonly missing: number;
  readonly reject_after: number;
}

/** A step of a workflow. */
export interface StepOut {
  readonly id: string;
  readonly kind: string;
}

/** One step of the plan and its state: pending, open, done. */
export interface StepState {
  readonly step_id: string;
  readonly kind: string;
  readonly state: string;
  readonly agent?: string;
}

/** One task. */
export interface TaskAnswer {
  readonly ok: boolean;
  readonly task: TaskOut;
}

/** The answer was counted: the task and the intent in their new state. */
export interface TaskChangedAnswer {
  readonly ok: boolean;
  readonly task: TaskOut;
  readonly intent: IntentOut;
}

/** A human step opened for people. `stage`, `revision` and `digest` name exactly what is decided. result_revisions: the revision of the request that each previous result belongs to; a result of another revision than the task's does not count; changes: from revision to revision, only for a single task, not in lists; bulk_form: the same in tasks that may be answered together, missing in one that is decided by itself; next_steps: everything that may run after it, with the agents' input in addition to the payload; approvers: those asked now; stage: the current one of `stages`, from 1; reviewed_by: who has marked it as being reviewed; comments: questions and replies, only for a single task, not in lists; risk: the policy's or a check's, whichever is higher; strength: the required assurance; receipt: of the caller's act, only in its response. */
export interface TaskOut {
  readonly task_id: string;
  readonly intent_id: string;
  readonly intent_type: string;
  readonly step_id: string;
  readonly state: string;
  readonly task_type: string;
  readonly title: string;
  readonly description: string;
  readonly risk: string;
  readonly strength: string;
  readonly allowed_outcomes: readonly string[];
  readonly outcomes: readonly OutcomeOut[];
  readonly form_schema?: JsonObject;
  readonly comment_required: boolean;
  readonly evidence_required: boolean;
  readonly payload: JsonObject;
  readonly payload_deleted?: boolean;
  readonly previous_results: JsonObject;
  readonly result_revisions: { readonly [name: string]: number };
  readonly next_steps: readonly NextStep[];
  readonly requester: ActorOut;
  readonly approvers: readonly string[];
  readonly stage: number;
  readonly stages: number;
  readonly reviewed_by?: string;
  readonly snoozed?: readonly SnoozeOut[];
  readonly opened_at: string;
  readonly due_at?: string;
  readonly next_reminder_at?: string;
  readonly escalation_at?: string;
  readonly reminders_sent: number;
  readonly revision: number;
  readonly digest: string;
  readonly votes: readonly VoteOut[];
  readonly comments?: readonly CommentOut[];
  readonly changes?: readonly RevisionOut[];
  readonly outcome?: string;
  readonly ending?: string;
  readonly decided_at?: string;
  readonly decided_by?: string;
  readonly decided_by_name?: string;
  readonly via?: string;
  readonly on_expiry: string;
  readonly bulk_form?: string;
  readonly receipt?: ReceiptOut;
}

/** Tasks, oldest first. */
export interface TasksAnswer {
  readonly ok: boolean;
  readonly next_cursor?: string;
  readonly tasks: readonly TaskOut[];
}

/** One team. warnings: open tasks that the change leaves understaffed. */
export interface TeamAnswer {
  readonly ok: boolean;
  readonly team: TeamOut;
  readonly warnings: readonly string[];
}

/** A team; people by address. */
export interface TeamOut {
  readonly name: string;
  readonly members: readonly string[];
  readonly rotation?: RotationOut;
}

/** All teams, by name. */
export interface TeamsAnswer {
  readonly ok: boolean;
  readonly teams: readonly TeamOut[];
}

/** An intent as its recipient sees it. */
export interface Thread {
  readonly thread_id: string;
  readonly intent_id: string;
  readonly status: string;
  readonly owner_agent: string;
  readonly from_agent: string;
  readonly to_agent: string;
  readonly subject: string;
  readonly intent_type: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly timeline: readonly ThreadEvent[];
}

/** One thread with its messages. */
export interface ThreadAnswer {
  readonly ok: boolean;
  readonly thread: Thread;
  readonly messages?: readonly ThreadMessage[];
}

/** An event of a thread. */
export interface ThreadEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly actor: string;
  readonly at: string;
  readonly details: JsonObject;
}

/** A message: the request, and in the end its result. */
export interface ThreadMessage {
  readonly role: string;
  readonly content: unknown;
}

/** Threads, newest first. */
export interface Threads {
  readonly ok: boolean;
  readonly threads: readonly Thread[];
}

/** Too few eligible people are left: its stage needs `needed` of them, and `remaining` could still decide. */
export interface UnderstaffedTask {
  readonly task_id: string;
  readonly title: string;
  readonly stage: number;
  readonly needed: number;
  readonly remaining: number;
}

/** The open tasks with too few eligible people left. complete: whether all open tasks were checked. */
export interface UnderstaffedTasksAnswer {
  readonly ok: boolean;
  readonly tasks: readonly UnderstaffedTask[];
  readonly complete: boolean;
}

/** Act on the outcome, once. `use`: the caller's own name for this use; the same one may be repeated. */
export interface UseRequest {
  readonly use: string;
}

/** The outcome is used by this caller, and by no other. */
export interface UsedAnswer {
  readonly ok: boolean;
  readonly intent_id: string;
  readonly use: string;
  readonly used_at: string;
}

/** One value that differs; `before` or `after` is missing if it did not exist. */
export interface ValueOut {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

/** One person's answer; `on_behalf_of_person`: whose vote it was, if another person's. */
export interface VoteOut {
  readonly person: string;
  readonly name: string;
  readonly on_behalf_of_person?: string;
  readonly outcome: string;
  readonly comment?: string;
  readonly at: string;
  readonly via: string;
}

/** An open task that the person may answer; only_eligible: nobody else may give the same vote. */
export interface WaitingTask {
  readonly task_id: string;
  readonly title: string;
  readonly only_eligible: boolean;
}

/** One workflow. */
export interface WorkflowAnswer {
  readonly ok: boolean;
  readonly workflow: WorkflowOut;
}

/** A named, versioned template of a plan, chosen by intent type. strength: the highest assurance that one of its own steps requires; a named policy may require more. source, which names people, and applied_by: for people only. */
export interface WorkflowOut {
  readonly name: string;
  readonly intent_type: string;
  readonly version: number;
  readonly strength: string;
  readonly steps: readonly StepOut[];
  readonly source?: JsonObject;
  readonly applied_by?: string;
  readonly applied_at: string;
}

/** A workflow as in its file. */
export interface WorkflowRequest {
  readonly workflow: string;
  readonly intent_type: string;
  readonly steps: readonly object[];
  readonly max_revisions?: number;
}

/** The active workflow of each intent type. */
export interface WorkflowsAnswer {
  readonly ok: boolean;
  readonly workflows: readonly WorkflowOut[];
}

/** One workspace. */
export interface WorkspaceAnswer {
  readonly ok: boolean;
  readonly workspace: signoff.wire.workspaces.WorkspaceOut;
}

/** The key's own workspace first; for an owner's key also the others of its organization. */
export interface WorkspacesAnswer {
  readonly ok: boolean;
  readonly workspaces: readonly signoff.wire.workspaces.WorkspaceOut[];
}

export interface signoff.web.axp.portal.WorkspaceOut {
  readonly workspace_id: string;
  readonly name: string;
  readonly org_id: string;
  readonly org_name: string;
  readonly environment: string;
  readonly status: string;
  readonly roles: readonly string[];
}

/** A workspace. `own`: the key's; former_names: as `organization/name`; addresses with one go on resolving. */
export interface signoff.wire.workspaces.WorkspaceOut {
  readonly workspace_id: string;
  readonly organization: string;
  readonly name: string;
  readonly former_names: readonly string[];
  readonly own: boolean;
  readonly created_at: string;
}
