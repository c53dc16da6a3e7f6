/** The client: its methods for intents, workflows, agents and keys, and its groups `tasks` and `directory`. */
import { isBrowser } from "#platform";
import { type Call, freshKey, given, inner, type Json, listOf, ownKey, type Page, type Query, segment } from "./calls.js";
import { isObject, notSignoff, NotConfigured, WrongAnswer } from "./errors.js";
import {
  type Account,
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
  BulkAnswer,
  BundleRequest,
  ChangeOut,
  ChangePerson,
  ChannelOut,
  CreateIntentRequest,
  CreatePerson,
  CreateWorkspace,
  ExplainOut,
  JsonObject,
  ManifestAnswer,
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
  UnderstaffedTasksAnswer,
  WorkflowRequest,
  WorkspaceOut,
} from "./wire.js";

export interface ClientOptions {
  /** The server; else SIGNOFF_URL, else the nearest .signoff/credentials.json. */
  readonly url?: string;
  /** The key; else SIGNOFF_API_KEY or SIGNOFF_API_KEY_FILE, else the one of that file. */
  readonly apiKey?: string;
  /** Seconds for one request; 15. */
  readonly timeoutSeconds?: number;
  /** Seconds during which a call is repeated that may be; 30. */
  readonly retryForSeconds?: number;
  /** How this program names itself to the server. */
  readonly program?: string;
  /** Another `fetch`: with a proxy or certificates of your own, or for tests. */
  readonly fetch?: Fetch;
  /** Everyone who can open a page can read the key in it. Only for pages that nobody else can open. */
  readonly dangerouslyAllowBrowser?: boolean;
}

export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** A repeated call with the same key has no second effect; without it each call has its own. */
  readonly idempotencyKey?: string | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Seconds; without it, for ever. */
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
  /** Words that all occur in what is shown of an intent. */
  readonly search?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ListTasksOptions extends CallOptions {
  /** Only those that this key's person may answer (closed: has answered). */
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

/** Whose key it is to be: exactly one of `agent` (name, address), `service` (name) and `person` (e-mail). */
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

  /** Throws NotConfigured when no server, or no key for it, is found. */
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

  /** Where requests go. */
  get settings(): Settings {
    return this.transport.settings;
  }

  /** End everything that is under way: it throws ClientClosed. */
  close(): void {
    this.transport.close();
  }

  /**
   * Any request of the HTTP API, for what there is no method for; returns the response's JSON. It is repeated after a lost
   * response if it is a GET or has an `idempotencyKey`. The segments of the path are escaped by the caller.
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
   * Submit an intent; returns its id. It is durable when this returns, and created once even if responses are lost.
   */
  async sendIntent(intent: CreateIntentRequest, options: WriteOptions = {}): Promise<string> {
    const key = ownKey(options.idempotencyKey);
    return this.do({ method: "POST", path: "/v1/intents", body: intent, key, read: sent }, options);
  }

  /**
   * Wait until the intent is final, across restarts of client and server; returns its result, whatever the ending.
   * Throws WaitTimeout when the time is up; the intent continues.
   */
  async waitFor(intentId: string, options: WaitOptions = {}): Promise<Result> {
    return new Follower(this.transport, intentId, 0, options.timeoutSeconds, options.signal).result();
  }

  /** The intent as it is now. */
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

  /** Cancel the intent; Conflict if it is final already. */
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
   * Use the outcome of a final intent, once, before acting on it. `use`: your own name for this use, which may be
   * repeated. Throws AlreadyUsed if another use was first.
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
   * Answer a task; returns the task after it. Throws AlreadyDecided if late, StaleRevision if it has changed.
   *
   * `about`: the task that you were shown, or its id with the task's stage, revision and digest: then it counts for
   * that or not at all, however often it is sent. `answerNumber` is only needed to return to an earlier answer.
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

  /** A new key. */
  async createKey(options: CreateKeyOptions): Promise<Key> {
    const { agent, service, person, name, roles, expiresInSeconds } = options;
    if ([agent, service, person].filter((holder) => holder !== undefined).length !== 1) {
      throw new TypeError("createKey takes exactly one of agent, service and person");
    }
    const body = given({ agent, service, person, name, roles, expires_in_seconds: expiresInSeconds });
    // Never repeated: the server cannot show a secret twice that it keeps only as a hash.
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
   * Answer up to 100 equal tasks of low risk in one act: those with the same `bulk_form`. Each is recorded by itself, for
   * the stage, revision and digest that it showed; `results` says what became of each.
   */
  async answerMany(
    tasks: readonly Task[],
    outcome: string,
    options: { comment?: string } & CallOptions = {},
  ): Promise<BulkAnswer> {
    const named = tasks.map(({ task_id, stage, revision, digest }) => ({ task_id, stage, revision, digest }));
    const body = given({ outcome, comment: options.comment, tasks: named });
    const call = { method: "POST", path: "/v1/tasks/answers", body, key: freshKey(), read: whole<BulkAnswer> };
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
   * Change what is decided; earlier votes are void. `digest`: of what was shown. `outcome`: approve the change in the same
   * act, if the task's `edits` are `approve`; needs the digest.
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
 * People, teams and policies of the workspace. The server stores no response for an idempotency key here: a call that
 * sets a state is repeated when its response was lost, one that creates or ends something is not.
 */
export class Directory extends Methods {
  /** All people, by address. */
  async people(options?: CallOptions): Promise<PersonOut[]> {
    return this.do(many("/v1/people", "people"), options);
  }

  /** A new person. */
  async addPerson(person: CreatePerson, options?: CallOptions): Promise<PersonOut> {
    return this.do(write("POST", "/v1/people", "person", person), options);
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

  /** Replace a person by another in every open task that asks them. */
  async reassignAll(who: string, to: string, options: { comment?: string } & CallOptions = {}): Promise<ReassignedAll> {
    const path = `/v1/people/${segment(who)}/reassign`;
    const body = { to, comment: options.comment ?? "" };
    return this.do({ method: "POST", path, body, read: whole<ReassignedAll> }, options);
  }

  /** The present configuration as a document for `apply`. */
  async manifest(options?: CallOptions): Promise<JsonObject> {
    return this.do(
      { method: "GET", path: "/v1/export/manifest", read: (answer) => (answer["manifest"] ?? {}) as JsonObject },
      options,
    );
  }

  /** One page of all `intents` or of the whole `audit`, oldest first. */
  async export(
    what: "intents" | "audit",
    options: { cursor?: string; since?: string; bodies?: boolean } & CallOptions = {},
  ): Promise<JsonObject> {
    const { cursor, since, bodies } = options;
    return this.do(get<JsonObject>(`/v1/export/${what}`, { cursor, since, bodies }), options);
  }

  /** Erase the text of a removed person (id, or the address they had); `waiting`: open requests that hold more. */
  async erasePerson(who: string, options?: CallOptions): Promise<PersonErased> {
    const path = `/v1/people/${segment(who)}/erase`;
    return this.do({ method: "POST", path, body: {}, repeatable: true, read: whole<PersonErased> }, options);
  }

  /** A person's test messages of the last week and what became of them, newest first. */
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
  async understaffedTasks(options?: CallOptions): Promise<UnderstaffedTasksAnswer> {
    return this.do(get("/v1/tasks/understaffed"), options);
  }

  /** The key's workspace; for an owner also the others of its organization. */
  async workspaces(options?: CallOptions): Promise<WorkspaceOut[]> {
    return this.do(many("/v1/workspaces", "workspaces"), options);
  }

  /** Create a workspace in the key's organization; `api_key` of its owner only if that is the caller. */
  async createWorkspace(workspace: CreateWorkspace, options?: CallOptions): Promise<NewWorkspaceOut> {
    return this.do(
      { method: "POST", path: "/v1/workspaces", body: workspace, read: whole<NewWorkspaceOut> },
      options,
    );
  }

  /** Rename the key's own workspace; what is left out stays. */
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

  /** Create or replace a policy; open tasks keep the one they started with. */
  async setPolicy(name: string, policy: object, options?: CallOptions): Promise<PolicyOut> {
    return this.do(write("POST", "/v1/policies", "policy", { name, policy }, true), options);
  }

  /** Who may decide a task under the policy, and the scheduled contacts; `at`: when it would open (RFC 3339). */
  async explainPolicy(name: string, options: { at?: string } & CallOptions = {}): Promise<ExplainOut> {
    return this.do(get(`/v1/policies/${segment(name)}/explain`, { at: options.at }), options);
  }

  /**
   * Apply people, teams, policies and workflows, all or nothing; `dryRun`: only report what would change; `seen`: of a
   * dry run: Conflict (`stale_manifest`) where it would do something else by now.
   */
  async apply(document: object, options: { dryRun?: boolean; seen?: string } & CallOptions = {}): Promise<ManifestAnswer> {
    // Repeatable without a key: applying it again changes nothing.
    const query = { dry_run: options.dryRun ? true : undefined, seen: options.seen };
    const call = { method: "POST", path: "/v1/apply", query, body: document, repeatable: true, read: whole<ManifestAnswer> };
    return this.do(call, options);
  }

  /** The change log, newest first; `about`: filter by subject, as `policy:NAME`; `before`: only lower numbers. */
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

  /** Confirm another admin's proposal: it is applied. */
  async confirm(proposalId: string, options?: CallOptions): Promise<ProposalOut> {
    return this.do(write("POST", `/v1/proposals/${segment(proposalId)}/confirm`, "proposal", {}), options);
  }

  /** Refuse a proposal, or withdraw your own. */
  async refuse(proposalId: string, options?: CallOptions): Promise<ProposalOut> {
    return this.do(write("POST", `/v1/proposals/${segment(proposalId)}/refuse`, "proposal", {}), options);
  }
}

/** A submitted intent, and warnings for its sender: for instance that no agent is connected at that address. */
export function submission(answer: Json): { intentId: string; warnings: string[] } {
  const intentId: unknown = answer["intent_id"] ?? inner(answer, "intent")["intent_id"];
  if (typeof intentId !== "string" || !intentId) throw notSignoff(200, JSON.stringify(answer));
  const warnings: unknown = answer["warnings"];
  return { intentId, warnings: Array.isArray(warnings) ? warnings.map(String) : [] };
}

/** Not used before the response names this very use: a proxy may answer for the server, or repeat an answer. */
export function useOf(intentId: string, use: string): Call<void> {
  const read = (answer: Json): void => {
    if (answer["use"] === undefined) throw notSignoff(200, JSON.stringify(answer));
    if (answer["use"] === use) return;
    throw new WrongAnswer(`Asked to use the outcome of intent ${intentId}, got a response to another use.`);
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
