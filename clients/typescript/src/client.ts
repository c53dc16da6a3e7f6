/** The client: its methods for intents, workflows, agents and keys, and its groups `tasks` and `directory`. */
import { isBrowser } from "#platform";
import { addressPath, type Call, freshKey, given, inner, type Json, listOf, ownKey, type Page, type Query, segment } from "./calls.js";
import { isObject, notSignoff, NotConfigured, WrongResponse } from "./errors.js";
import {
  type Account,
  type AgentHealth,
  type AppliedScenario,
  type AppliedWorkflow,
  type AuditTrail,
  type Event,
  type Health,
  type Intent,
  intent,
  type Key,
  type Me,
  type Result,
  type ScenarioCheck,
  type Task,
  task,
  type Workflow,
} from "./records.js";
import { findSettings, type Settings } from "./settings.js";
import { Follower, getEvents, getIntent } from "./stream.js";
import { checkSeconds } from "./time.js";
import { type Fetch, Transport } from "./transport.js";
import type {
  BulkResponse,
  BundleRequest,
  ChangeOut,
  ChangePerson,
  ChannelOut,
  CreateIntentRequest,
  CreatePerson,
  CreateWorkspace,
  ExplainOut,
  JsonObject,
  ManifestResponse,
  MessageOut,
  NewWorkspaceOut,
  PersonErased,
  PersonOut,
  PersonWaiting,
  PolicyOut,
  ProposalOut,
  PutTeam,
  ReassignedAll,
  RenameWorkspace,
  SessionOut,
  TeamOut,
  UnderstaffedTasksResponse,
  WorkflowRequest,
  WorkspaceOut,
} from "./wire.js";

export interface ClientOptions {
  /** The server; default: SIGNOFF_URL, or else the nearest .signoff/credentials.json. */
  readonly url?: string;
  /** The key; default: SIGNOFF_API_KEY or SIGNOFF_API_KEY_FILE, or else the one in that file. */
  readonly apiKey?: string;
  /** Seconds for one request; default: 15. */
  readonly timeoutSeconds?: number;
  /** Seconds during which a repeatable call is retried; default: 30. */
  readonly retryForSeconds?: number;
  /** The program's name, which is sent to the server. */
  readonly program?: string;
  /** Another `fetch`: with a proxy or your own certificates, or for tests. */
  readonly fetch?: Fetch;
  /** Everyone who can open a page can read the key in it. Use this only for pages that nobody else can open. */
  readonly dangerouslyAllowBrowser?: boolean;
}

export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** A repeated call with the same key has no second effect; by default each call has its own key. */
  readonly idempotencyKey?: string | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Seconds; default: no limit. */
  readonly timeoutSeconds?: number | undefined;
}

export interface ObserveOptions extends WaitOptions {
  /** Only events after this `seq`. */
  readonly since?: number | undefined;
}

export interface AnswerOptions extends CallOptions {
  readonly comment?: string | undefined;
  readonly stage?: number | undefined;
  readonly revision?: number | undefined;
  readonly digest?: string | undefined;
}

export interface ListIntentsOptions extends CallOptions {
  /** One status, several separated by commas, or `pending`. */
  readonly status?: string | undefined;
  readonly intentType?: string | undefined;
  readonly correlationId?: string | undefined;
  /** Words that must all occur in what is shown of an intent. */
  readonly search?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ListTasksOptions extends CallOptions {
  /** Only those that this key's person may answer (or, if closed, has answered). */
  readonly mine?: boolean | undefined;
  /** Oldest first if open, newest first if closed. */
  readonly state?: "open" | "closed" | undefined;
  readonly intentId?: string | undefined;
  readonly intentType?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly search?: string | undefined;
  readonly risk?: string | undefined;
  readonly team?: string | undefined;
  /** Address or id. */
  readonly requester?: string | undefined;
  readonly workflow?: string | undefined;
  readonly limit?: number | undefined;
}

/** The holder of the key: exactly one of `agent` (name or address), `service` (name) and `person` (e-mail). */
export interface CreateKeyOptions extends CallOptions {
  readonly agent?: string;
  readonly service?: string;
  readonly person?: string;
  readonly name?: string;
  readonly roles?: readonly string[];
  readonly expiresInSeconds?: number;
}

const BROWSER =
  "An API key in a page can be read by everyone who can open the page. Call Signoff from your server; or set " +
  "dangerouslyAllowBrowser for a page that nobody else can open.";

class Methods {
  /** @internal */
  readonly transport: Transport;

  constructor(transport: Transport) {
    Object.defineProperty(this, "transport", { value: transport, enumerable: false });
    this.transport = transport;
  }

  protected do<T>(call: Call<T>, options?: CallOptions): Promise<T> {
    return this.transport.perform(call, options?.signal);
  }

  protected async gather<T>(
    path: string,
    query: Query,
    name: string,
    read: (item: Json) => T,
    limit: number,
    options?: CallOptions,
  ): Promise<T[]> {
    const found: T[] = [];
    const page = (answer: Json): Page<T> => ({
      items: listOf(answer, name, read),
      nextCursor: answer["next_cursor"] ? String(answer["next_cursor"]) : undefined,
    });
    for (let cursor: string | undefined; found.length < limit; ) {
      const call = { method: "GET", path, read: page, query: { ...query, limit: limit - found.length, cursor } };
      const next = await this.do(call, options);
      found.push(...next.items);
      if (next.nextCursor === undefined || next.nextCursor === cursor) break;
      cursor = next.nextCursor;
    }
    return found.slice(0, limit);
  }
}

/** A client of a Signoff server. */
export class Client extends Methods {
  readonly tasks: Tasks;
  readonly directory: Directory;

  /** Throws NotConfigured if no server, or no key for it, is found. */
  constructor(options: ClientOptions = {}) {
    if (isBrowser() && !options.dangerouslyAllowBrowser) throw new NotConfigured(BROWSER);
    const limits = {
      timeout: checkSeconds("timeoutSeconds", options.timeoutSeconds ?? 15),
      retryFor: checkSeconds("retryForSeconds", options.retryForSeconds ?? 30),
    };
    const settings = findSettings(options.url, options.apiKey);
    super(new Transport(settings, limits, options.program ?? "signoff-typescript", options.fetch));
    this.tasks = new Tasks(this.transport);
    this.directory = new Directory(this.transport);
  }

  /** The server that requests are sent to. */
  get settings(): Settings {
    return this.transport.settings;
  }

  /** End everything in progress: pending calls throw ClientClosed. */
  close(): void {
    this.transport.close();
  }

  /**
   * Any request of the HTTP API, for endpoints that have no method here; returns the response's JSON. It is retried
   * after a lost response if it is a GET or has an `idempotencyKey`. The caller must escape the segments of the path.
   */
  async call<T extends object>(
    method: string,
    path: string,
    options: { query?: Query | undefined; body?: object | undefined } & WriteOptions = {},
  ): Promise<T> {
    // Else it could be a part of the host.
    if (!path.startsWith("/")) throw new TypeError(`the path ${JSON.stringify(path)} must begin with a slash`);
    const { query = {}, body, idempotencyKey } = options;
    const key = idempotencyKey === undefined ? {} : { key: ownKey(idempotencyKey) };
    return this.do({ method, path, query, ...(body === undefined ? {} : { body }), ...key, read: whole<T> }, options);
  }

  /**
   * Submit an intent; returns its id. It is durable when this returns, and created only once even if responses are
   * lost.
   */
  async sendIntent(intent: CreateIntentRequest, options: WriteOptions = {}): Promise<string> {
    const key = ownKey(options.idempotencyKey);
    return this.do({ method: "POST", path: "/v1/intents", body: intent, key, read: sent }, options);
  }

  /**
   * Wait until the intent is final, across restarts of client and server; returns its result for any ending.
   * Throws WaitTimeout when the time is up; the intent continues.
   */
  async waitFor(intentId: string, options: WaitOptions = {}): Promise<Result> {
    return new Follower(this.transport, intentId, 0, options.timeoutSeconds, options.signal).result();
  }

  /** The current state of the intent. */
  async getIntent(intentId: string, options?: CallOptions): Promise<Intent> {
    return this.do(getIntent(intentId), options);
  }

  /** The newest intents, up to `limit` (50). */
  async listIntents(options: ListIntentsOptions = {}): Promise<Intent[]> {
    const query = {
      status: options.status,
      intent_type: options.intentType,
      correlation_id: options.correlationId,
      q: options.search,
    };
    return this.gather("/v1/intents", query, "intents", intent, options.limit ?? 50, options);
  }

  /** The intent's events after `since`, up to now. */
  async events(intentId: string, options: { since?: number | undefined } & CallOptions = {}): Promise<Event[]> {
    return this.do(getEvents(intentId, options.since ?? 0), options);
  }

  /**
   * The intent's events, each once, as they happen, up to the final one: `for await (const event of
   * client.observe(id))`. Leaving the loop ends the connection.
   */
  observe(intentId: string, options: ObserveOptions = {}): AsyncGenerator<Event, void, undefined> {
    return new Follower(this.transport, intentId, options.since ?? 0, options.timeoutSeconds, options.signal).follow();
  }

  /** Cancel the intent; throws Conflict if it is already final. */
  async cancel(intentId: string, options: { reason?: string | undefined } & CallOptions = {}): Promise<Intent> {
    const path = `/v1/intents/${segment(intentId)}/resolve`;
    const body = { status: "CANCELED", reason: options.reason ?? "canceled" };
    return this.do({ method: "POST", path, body, key: freshKey(), read: intentIn }, options);
  }

  /** Submit the same content again; returns the new intent's id. */
  async retry(intentId: string, options: WriteOptions = {}): Promise<string> {
    const path = `/v1/intents/${segment(intentId)}/retry`;
    return this.do({ method: "POST", path, body: {}, key: ownKey(options.idempotencyKey), read: sent }, options);
  }

  /**
   * Rerun the step that failed after an approval, once, under the same decision; returns the new intent's id. Throws
   * Conflict if people have to be asked again: then use `retry`.
   */
  async rerun(intentId: string, options?: CallOptions): Promise<string> {
    // An intent is rerun once: a second call gets the same new intent.
    const path = `/v1/intents/${segment(intentId)}/rerun`;
    return this.do({ method: "POST", path, body: {}, repeatable: true, read: sent }, options);
  }

  /**
   * Use the outcome of a final intent, once, before acting on it. `use`: your own name for this use; the call may be
   * repeated with the same name. Throws AlreadyUsed if another use was first.
   */
  async use(intentId: string, use: string, options?: CallOptions): Promise<void> {
    return this.do(useOf(intentId, use), options);
  }

  /** The messages sent about an intent, and their delivery status. */
  async messages(intentId: string, options?: CallOptions): Promise<MessageOut[]> {
    return this.do(many(`/v1/intents/${segment(intentId)}/messages`, "messages"), options);
  }

  /** The intent's whole history with its hash chain. */
  async audit(intentId: string, options?: CallOptions): Promise<AuditTrail> {
    return this.do(get(`/v1/intents/${segment(intentId)}/audit`), options);
  }

  /** Start a scenario bundle: creates its agents, plan and intent. */
  async applyScenario(bundle: BundleRequest, options: WriteOptions = {}): Promise<AppliedScenario> {
    const own = (bundle as { idempotency_key?: string }).idempotency_key || undefined;
    const key = ownKey(options.idempotencyKey ?? own);
    return this.do({ method: "POST", path: "/v1/scenarios/apply", body: bundle, key, read: whole<AppliedScenario> }, options);
  }

  /** Check a scenario bundle; nothing is created. */
  async validateScenario(bundle: BundleRequest, options?: CallOptions): Promise<ScenarioCheck> {
    const path = "/v1/scenarios/validate";
    return this.do({ method: "POST", path, body: bundle, repeatable: true, read: whole<ScenarioCheck> }, options);
  }

  /** Apply a workflow to its intent type; `dryRun`: only check it and report whether it differs. */
  async applyWorkflow(
    template: WorkflowRequest,
    options: { dryRun?: boolean | undefined } & CallOptions = {},
  ): Promise<AppliedWorkflow> {
    // Repeatable without a key: applying the same template again changes nothing.
    const query = { dry_run: options.dryRun ? true : undefined };
    const call = { method: "POST", path: "/v1/workflows", query, body: template, repeatable: true, read: whole<AppliedWorkflow> };
    return this.do(call, options);
  }

  /** The active workflows. */
  async workflows(options?: CallOptions): Promise<Workflow[]> {
    return this.do(many("/v1/workflows", "workflows"), options);
  }

  /**
   * Answer a task; returns the task after it. Throws AlreadyDecided if it has been decided, StaleRevision if it has
   * changed.
   *
   * `about`: the task that you were shown, or its id with the task's stage, revision and digest: it then counts for
   * exactly that or not at all, no matter how often it is sent. `answerNumber` is only needed to return to an earlier
   * answer.
   */
  async answer(
    about: Task | string,
    outcome: string,
    options: AnswerOptions & { data?: object | undefined; answerNumber?: number | undefined } = {},
  ): Promise<Task> {
    const shown = typeof about === "string" ? undefined : about;
    const path = `/v1/tasks/${segment(typeof about === "string" ? about : about.task_id)}/answer`;
    const body = given({
      outcome,
      comment: options.comment,
      data: options.data,
      number: options.answerNumber,
      stage: options.stage ?? (shown?.stage || undefined),
      revision: options.revision ?? (shown?.revision || undefined),
      digest: options.digest ?? (shown?.digest || undefined),
    });
    return this.do({ method: "POST", path, body, key: freshKey(), read: taskIn }, options);
  }

  /** Approve a task. */
  async approve(about: Task | string, options?: AnswerOptions): Promise<Task> {
    return this.answer(about, "approved", options);
  }

  /** Reject a task. */
  async reject(about: Task | string, options?: AnswerOptions): Promise<Task> {
    return this.answer(about, "rejected", options);
  }

  /** The registered agents. */
  async agents(options?: CallOptions): Promise<Account[]> {
    return this.do(many("/v1/agents", "agents"), options);
  }

  /**
   * Kill an agent (name or address): it gets no work, and nothing that it sends is accepted, until it is resumed. Only
   * owners and admins may do this.
   */
  async killAgent(agent: string, options?: CallOptions): Promise<AgentHealth> {
    return this.do(killSwitch(agent, "kill"), options);
  }

  /** Resume a killed agent: it gets the work that has waited for it. */
  async resumeAgent(agent: string, options?: CallOptions): Promise<AgentHealth> {
    return this.do(killSwitch(agent, "resume"), options);
  }

  /** Create a key. */
  async createKey(options: CreateKeyOptions): Promise<Key> {
    const { agent, service, person, name, roles, expiresInSeconds } = options;
    if ([agent, service, person].filter((holder) => holder !== undefined).length !== 1) {
      throw new TypeError("createKey takes exactly one of agent, service and person");
    }
    const body = given({ agent, service, person, name, roles, expires_in_seconds: expiresInSeconds });
    // Never repeated: the server keeps only a hash of the secret, so it cannot show the secret twice.
    return this.do({ method: "POST", path: "/v1/keys", body, read: whole<Key> }, options);
  }

  /** Revoke a key immediately. */
  async revokeKey(keyId: string, options?: CallOptions): Promise<void> {
    const path = `/v1/keys/${segment(keyId)}/revoke`;
    return this.do({ method: "POST", path, body: {}, repeatable: true, read: () => undefined }, options);
  }

  /** The actor of this client's key. */
  async me(options?: CallOptions): Promise<Me> {
    return this.do(get("/v1/me"), options);
  }

  /** Whether the server responds, and its version. */
  async health(options?: CallOptions): Promise<Health> {
    return this.do(get("/health"), options);
  }
}

/** List and read tasks, and act on one without answering it. */
export class Tasks extends Methods {
  /** Tasks, up to `limit` (200). */
  async list(options: ListTasksOptions = {}): Promise<Task[]> {
    const query = {
      mine: options.mine ? true : undefined,
      state: options.state ?? "open",
      intent_id: options.intentId,
      intent_type: options.intentType,
      correlation_id: options.correlationId,
      q: options.search,
      risk: options.risk,
      team: options.team,
      requester: options.requester,
      workflow: options.workflow,
    };
    return this.gather("/v1/tasks", query, "tasks", task, options.limit ?? 200, options);
  }

  /** One task. */
  async get(taskId: string, options?: CallOptions): Promise<Task> {
    return this.do({ method: "GET", path: `/v1/tasks/${segment(taskId)}`, read: taskIn }, options);
  }

  /** Who may decide, and the scheduled contacts. */
  async explain(taskId: string, options?: CallOptions): Promise<ExplainOut> {
    return this.do(get(`/v1/tasks/${segment(taskId)}/explain`), options);
  }

  /** The messages sent about a task, and their delivery status. */
  async messages(taskId: string, options?: CallOptions): Promise<MessageOut[]> {
    return this.do(many(`/v1/tasks/${segment(taskId)}/messages`, "messages"), options);
  }

  /**
   * Answer up to 500 similar low-risk tasks at once: those with the same `bulk_form`. Each is recorded separately, for
   * the stage, revision and digest that it showed; `results` has the result for each.
   */
  async answerMany(
    tasks: readonly Task[],
    outcome: string,
    options: { comment?: string } & CallOptions = {},
  ): Promise<BulkResponse> {
    const named = tasks.map(({ task_id, stage, revision, digest }) => ({ task_id, stage, revision, digest }));
    const body = given({ outcome, comment: options.comment, tasks: named });
    const call = { method: "POST", path: "/v1/tasks/answers", body, key: freshKey(), read: whole<BulkResponse> };
    return this.do(call, options);
  }

  /** Delegate your vote to another person. */
  async delegate(taskId: string, to: string, options: { comment?: string } & CallOptions = {}): Promise<Task> {
    return this.#act(taskId, "delegate", { to, comment: options.comment }, options);
  }

  /** Ask other people, teams or roles instead (owners and admins). */
  async reassign(taskId: string, to: readonly string[], options: { comment?: string } & CallOptions = {}): Promise<Task> {
    return this.#act(taskId, "reassign", { to, comment: options.comment }, options);
  }

  /** Mark a task as being reviewed by you; `clear`: remove the mark. It does not lock the task. */
  async markReviewing(taskId: string, options: { clear?: boolean } & CallOptions = {}): Promise<Task> {
    return this.#act(taskId, options.clear ? "unmark-reviewing" : "mark-reviewing", {}, options);
  }

  /** Suppress reminders to you about a task: until a time (RFC 3339), or for a duration (`2h`). */
  async snooze(taskId: string, options: { until?: string; duration?: string } & CallOptions): Promise<Task> {
    return this.#act(taskId, "snooze", { until: options.until, for: options.duration }, options);
  }

  /** Cancel a snooze. */
  async unsnooze(taskId: string, options?: CallOptions): Promise<Task> {
    return this.#act(taskId, "unsnooze", {}, options);
  }

  /** Comment on a task without answering it. Notifies the requester and earlier commenters. */
  async comment(taskId: string, text: string, options?: CallOptions): Promise<Task> {
    return this.#act(taskId, "comment", { comment: text }, options);
  }

  /**
   * Change what is decided; earlier votes are void. `digest`: the one that was shown. `outcome`: also approve
   * the change, if the task's `edits` are `approve`; needs the digest.
   */
  async revise(
    taskId: string,
    payload: object,
    options: { comment?: string; digest?: string; outcome?: string } & CallOptions = {},
  ): Promise<Task> {
    const { comment, digest, outcome } = options;
    return this.#act(taskId, "revise", { payload, comment, digest, outcome }, options);
  }

  /** Withdraw the request; returns the intent after it. */
  async withdraw(taskId: string, options: { reason?: string } & CallOptions = {}): Promise<Intent> {
    const path = `/v1/tasks/${segment(taskId)}/withdraw`;
    const body = given({ comment: options.reason });
    return this.do({ method: "POST", path, body, key: freshKey(), read: intentIn }, options);
  }

  #act(taskId: string, verb: string, body: Json, options?: CallOptions): Promise<Task> {
    const path = `/v1/tasks/${segment(taskId)}/${verb}`;
    return this.do({ method: "POST", path, body: given(body), key: freshKey(), read: taskIn }, options);
  }
}

type Warned<T> = T & { readonly warnings: readonly string[] };

/**
 * People, teams and policies of the workspace. The server stores no responses for idempotency keys here, so a call that
 * sets a state is retried if its response is lost, but not one that creates or ends something.
 */
export class Directory extends Methods {
  /** All people, by address. */
  async people(options?: CallOptions): Promise<PersonOut[]> {
    return this.do(many("/v1/people", "people"), options);
  }

  /** Add a person. */
  async addPerson(person: CreatePerson, options?: CallOptions): Promise<Warned<PersonOut>> {
    return this.do(warned(write("POST", "/v1/people", "person", person)), options);
  }

  /** Update a person (address or id); omitted fields are unchanged. */
  async changePerson(who: string, fields: ChangePerson, options?: CallOptions): Promise<Warned<PersonOut>> {
    return this.do(warned(write("PATCH", `/v1/people/${segment(who)}`, "person", fields, true)), options);
  }

  /** The sessions of a person (address or id; yourself, if omitted); owners and admins may list those of others. */
  async sessions(who = "me", options?: CallOptions): Promise<SessionOut[]> {
    return this.do(many(`/v1/people/${segment(who)}/sessions`, "sessions"), options);
  }

  /** Sign a person out of all sessions, or of one; returns how many ended. */
  async endSessions(who = "me", options: { sessionId?: string } & CallOptions = {}): Promise<number> {
    const one = options.sessionId ? `/${segment(options.sessionId)}` : "";
    const path = `/v1/people/${segment(who)}/sessions${one}/end`;
    return this.do({ method: "POST", path, body: {}, read: (answer) => Number(answer["ended"] ?? 0) }, options);
  }

  /** The open tasks that a person (address or id) may answer. */
  async openTasksOf(who: string, options?: CallOptions): Promise<PersonWaiting> {
    return this.do(get(`/v1/people/${segment(who)}/waiting`), options);
  }

  /** Replace a person with another in every open task that asks them. */
  async reassignAll(who: string, to: string, options: { comment?: string } & CallOptions = {}): Promise<ReassignedAll> {
    const path = `/v1/people/${segment(who)}/reassign`;
    const body = { to, comment: options.comment ?? "" };
    return this.do({ method: "POST", path, body, read: whole<ReassignedAll> }, options);
  }

  /** The current configuration as a document for `apply`. */
  async manifest(options?: CallOptions): Promise<JsonObject> {
    return this.do(
      { method: "GET", path: "/v1/export/manifest", read: (answer) => (answer["manifest"] ?? {}) as JsonObject },
      options,
    );
  }

  /** One page of all `intents` or of the whole `audit`, oldest first. */
  async export(
    what: "intents" | "audit",
    options: { cursor?: string; since?: string; changedSince?: string; bodies?: boolean } & CallOptions = {},
  ): Promise<JsonObject> {
    const { cursor, since, changedSince, bodies } = options;
    return this.do(get<JsonObject>(`/v1/export/${what}`, { cursor, since, changed_since: changedSince, bodies }), options);
  }

  /**
   * Erase the text of a removed person (id, or their former address); `waiting`: open requests that still contain
   * comments.
   */
  async erasePerson(who: string, options?: CallOptions): Promise<PersonErased> {
    const path = `/v1/people/${segment(who)}/erase`;
    return this.do({ method: "POST", path, body: {}, repeatable: true, read: whole<PersonErased> }, options);
  }

  /** A person's test messages of the last week with their delivery status, newest first. */
  async testMessages(who = "me", options?: CallOptions): Promise<MessageOut[]> {
    return this.do(many(`/v1/people/${segment(who)}/test-messages`, "messages"), options);
  }

  /** Send a person a test message over one channel; without one, over the channel that is tried first. */
  async sendTestMessage(
    who = "me",
    options: { channel?: string } & CallOptions = {},
  ): Promise<MessageOut> {
    const { channel } = options;
    const path = `/v1/people/${segment(who)}/test-messages`;
    return this.do(write("POST", path, "message", channel ? { channel } : {}), options);
  }

  /** The open tasks with too few eligible people left. */
  async understaffedTasks(options?: CallOptions): Promise<UnderstaffedTasksResponse> {
    return this.do(get("/v1/tasks/understaffed"), options);
  }

  /** The key's workspace; for an owner also the others of its organization. */
  async workspaces(options?: CallOptions): Promise<WorkspaceOut[]> {
    return this.do(many("/v1/workspaces", "workspaces"), options);
  }

  /** Create a workspace in the key's organization; `api_key`: its owner's key, only if the owner is the caller. */
  async createWorkspace(workspace: CreateWorkspace, options?: CallOptions): Promise<NewWorkspaceOut> {
    return this.do(
      { method: "POST", path: "/v1/workspaces", body: workspace, read: whole<NewWorkspaceOut> },
      options,
    );
  }

  /** Rename the key's own workspace; an omitted part stays. */
  async renameWorkspace(
    workspaceId: string,
    names: RenameWorkspace,
    options?: CallOptions,
  ): Promise<WorkspaceOut> {
    return this.do(write("PATCH", `/v1/workspaces/${segment(workspaceId)}`, "workspace", names, true), options);
  }

  /** All teams, with who is on call. */
  async teams(options?: CallOptions): Promise<TeamOut[]> {
    return this.do(many("/v1/teams", "teams"), options);
  }

  /** Create or replace a team. */
  async setTeam(name: string, team: PutTeam, options?: CallOptions): Promise<Warned<TeamOut>> {
    return this.do(warned(write("PUT", `/v1/teams/${segment(name)}`, "team", team, true)), options);
  }

  /** All named policies. */
  async policies(options?: CallOptions): Promise<PolicyOut[]> {
    return this.do(many("/v1/policies", "policies"), options);
  }

  /** Create or replace a policy; open tasks keep the policy that they started with. */
  async setPolicy(name: string, policy: object, options?: CallOptions): Promise<PolicyOut> {
    return this.do(write("POST", "/v1/policies", "policy", { name, policy }, true), options);
  }

  /** Who may decide a task under the policy, and the scheduled contacts; `at`: when it would open (RFC 3339). */
  async explainPolicy(name: string, options: { at?: string } & CallOptions = {}): Promise<ExplainOut> {
    return this.do(get(`/v1/policies/${segment(name)}/explain`, { at: options.at }), options);
  }

  /**
   * Apply people, teams, policies and workflows, all or nothing; `dryRun`: only report what would change; `seen`: from
   * a dry run; throws Conflict (`stale_manifest`) if the result would now be different.
   */
  async apply(document: object, options: { dryRun?: boolean; seen?: string } & CallOptions = {}): Promise<ManifestResponse> {
    // Repeatable without a key: applying it again changes nothing.
    const query = { dry_run: options.dryRun ? true : undefined, seen: options.seen };
    const call = { method: "POST", path: "/v1/apply", query, body: document, repeatable: true, read: whole<ManifestResponse> };
    return this.do(call, options);
  }

  /** The change log, newest first; `about`: filter by subject, such as `policy:NAME`; `before`: only lower numbers. */
  async changes(
    options: { limit?: number; about?: string; before?: number } & CallOptions = {},
  ): Promise<ChangeOut[]> {
    const query = { limit: options.limit ?? 50, about: options.about, cursor: options.before };
    return this.do(many("/v1/changes", "changes", query), options);
  }

  /** The delivery status of each channel (for owners and admins). */
  async channels(options?: CallOptions): Promise<ChannelOut[]> {
    return this.do(many("/v1/channels", "channels"), options);
  }

  /** In a protected workspace: the proposals that wait for a second admin, newest first. */
  async proposals(options?: CallOptions): Promise<ProposalOut[]> {
    return this.do(many("/v1/proposals", "proposals"), options);
  }

  /** One proposal: what it would change, and how it ended. */
  async proposal(proposalId: string, options?: CallOptions): Promise<ProposalOut> {
    const path = `/v1/proposals/${segment(proposalId)}`;
    return this.do({ method: "GET", path, read: (answer) => inner(answer, "proposal") as ProposalOut }, options);
  }

  /** Confirm and apply another admin's proposal. */
  async confirm(proposalId: string, options?: CallOptions): Promise<ProposalOut> {
    return this.do(write("POST", `/v1/proposals/${segment(proposalId)}/confirm`, "proposal", {}), options);
  }

  /** Refuse a proposal, or withdraw your own. */
  async refuse(proposalId: string, options?: CallOptions): Promise<ProposalOut> {
    return this.do(write("POST", `/v1/proposals/${segment(proposalId)}/refuse`, "proposal", {}), options);
  }
}

/** A submitted intent, and warnings for its sender, such as that no agent is connected at that address. */
export function submission(answer: Json): { intentId: string; warnings: string[] } {
  const intentId: unknown = answer["intent_id"] ?? inner(answer, "intent")["intent_id"];
  if (typeof intentId !== "string" || !intentId) throw notSignoff(200, JSON.stringify(answer));
  const warnings: unknown = answer["warnings"];
  return { intentId, warnings: Array.isArray(warnings) ? warnings.map(String) : [] };
}

/**
 * Accept the outcome only if the response names this very use: a proxy may answer for the server, or repeat an old
 * answer.
 */
export function useOf(intentId: string, use: string): Call<void> {
  const read = (answer: Json): void => {
    if (answer["use"] === undefined) throw notSignoff(200, JSON.stringify(answer));
    if (answer["use"] === use) return;
    throw new WrongResponse(`Asked to use the outcome of intent ${intentId}, got a response to another use.`);
  };
  return { method: "POST", path: `/v1/intents/${segment(intentId)}/use`, body: { use }, repeatable: true, read };
}

function sent(answer: Json): string {
  const { intentId, warnings } = submission(answer);
  for (const warning of warnings) console.warn(`signoff: intent ${intentId}: ${warning}`);
  return intentId;
}

function intentIn(answer: Json): Intent {
  return intent(inner(answer, "intent"));
}

function taskIn(answer: Json): Task {
  return task(inner(answer, "task"));
}

function whole<T>(answer: Json): T {
  return answer as T;
}

function get<T>(path: string, query: Query = {}): Call<T> {
  return { method: "GET", path, query, read: whole<T> };
}

/** Kill or resume an agent. Both set a state, so they may be repeated. */
function killSwitch(agent: string, act: string): Call<AgentHealth> {
  const path = `/v1/mesh/agents/${addressPath(agent)}/${act}`;
  return { method: "POST", path, body: {}, repeatable: true, read: (answer) => inner(answer, "agent") as AgentHealth };
}

function many<T>(path: string, name: string, query: Query = {}): Call<T[]> {
  return { method: "GET", path, query, read: (answer) => listOf(answer, name, whole<T>) };
}

function write<T>(method: string, path: string, name: string, body: object, repeatable = false): Call<T> {
  const read = (answer: Json): T => (isObject(answer[name]) ? answer[name] : {}) as T;
  return { method, path, body: given(body), read, repeatable };
}

function warned<T>(call: Call<T>): Call<Warned<T>> {
  return { ...call, read: (answer) => ({ ...call.read(answer), warnings: answer["warnings"] ?? [] }) };
}

export type { JsonObject };
