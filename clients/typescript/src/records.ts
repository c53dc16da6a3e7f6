/**
 * What the client reads from responses: the JSON of the API (wire.ts), unchanged, with a few derived properties, which
 * are not part of the object's JSON. Members that this release does not know are kept.
 */
import {
  IntentCanceled,
  IntentExpired,
  IntentFailed,
  IntentRejected,
  IntentSuperseded,
  IntentTimedOut,
  IntentUndeliverable,
  IntentWithdrawn,
} from "./errors.js";
import type { Json } from "./calls.js";
import type {
  AuditResponse,
  AppliedOut,
  AccountOut,
  DeliveryOut,
  EventOut,
  HealthResponse,
  IntentOut,
  MeResponse,
  MeshAgent,
  NewKeyOut,
  ScenarioApplied,
  ScenarioCheckResponse,
  TaskOut,
  WorkflowOut,
} from "./wire.js";

/** The statuses of an intent; the last four are final. A later release may add others before them. */
export type Status =
  | "CREATED"
  | "SUBMITTED"
  | "DELIVERED"
  | "ACKNOWLEDGED"
  | "IN_PROGRESS"
  | "WAITING"
  | FinalStatus
  | (string & {});
export type FinalStatus = "COMPLETED" | "FAILED" | "CANCELED" | "TIMED_OUT";

/** How the decision ended; absent if nobody was asked. */
export type Ending = "approved" | "rejected" | "expired" | "withdrawn" | "superseded" | "undeliverable" | (string & {});

const FINAL: ReadonlySet<string> = new Set(["COMPLETED", "FAILED", "CANCELED", "TIMED_OUT"]);

/** Properties of every intent. */
export interface IntentState {
  /** Whether it has ended, in any way. */
  readonly final: boolean;
  /**
   * Whether it achieved its purpose: the last decision on its path was an approval, or no one was asked and nothing
   * failed, or its workflow declares the path taken a success. Continue only if it is true.
   */
  readonly completed: boolean;
  /** Whether it completed and the last decision was a person's approval. */
  readonly approved: boolean;
}

/** A durable request and its state. */
export interface Intent extends Omit<IntentOut, "status" | "ending">, IntentState {
  readonly status: Status;
  readonly ending?: Ending;
}

interface Ended<S extends FinalStatus> extends Omit<IntentOut, "status" | "ending">, IntentState {
  readonly status: S;
  readonly ending?: Ending;
  readonly final: true;
  /** What `raiseForStatus` throws; undefined if it throws nothing. */
  readonly failure: (new (message: string, result: Result) => IntentFailed) | undefined;
  /**
   * Returns itself if it completed; otherwise throws IntentRejected, IntentExpired, IntentWithdrawn, IntentSuperseded,
   * IntentUndeliverable, IntentCanceled, IntentTimedOut, or IntentFailed.
   */
  raiseForStatus(): CompletedResult;
}

export interface CompletedResult extends Ended<"COMPLETED"> {
  readonly completed: true;
}
export interface FailedResult extends Ended<"FAILED"> {
  readonly completed: false;
  readonly approved: false;
}
export interface CanceledResult extends Ended<"CANCELED"> {
  readonly completed: false;
  readonly approved: false;
}
export interface TimedOutResult extends Ended<"TIMED_OUT"> {
  readonly completed: false;
  readonly approved: false;
}

/** A final intent, for every ending; `status` distinguishes them. */
export type Result = CompletedResult | FailedResult | CanceledResult | TimedOutResult;

/** A fact in an intent's history. `seq` grows, with gaps. */
export interface Event extends Omit<EventOut, "status"> {
  readonly status: Status;
  /** Whether no further events can follow. */
  readonly final: boolean;
}

/** A human step opened for people. `stage`, `revision` and `digest` name what is being decided. */
export interface Task extends TaskOut {
  readonly open: boolean;
}

/** A claimed agent step: what a handler of an Agent gets. */
export interface Delivery<Payload = any> extends Omit<DeliveryOut, "payload"> {
  readonly payload: Payload;
  /** The maximum size of the report in bytes; 0 if the server does not send it. */
  readonly max_report_bytes: number;
  /** True while another process may have the step too, so that later work may be done twice. */
  readonly leaseLost: boolean;
  /** Aborted when the lease was lost, or when the agent stops and the grace period is over. Pass it on to `fetch`. */
  readonly signal: AbortSignal;
}

export type Me = MeResponse;
export type Health = HealthResponse;
export type Key = NewKeyOut;
export type Account = AccountOut;
export type AgentHealth = MeshAgent;
export type Workflow = WorkflowOut;
export type AppliedWorkflow = AppliedOut;
export type AppliedScenario = ScenarioApplied;
export type ScenarioCheck = ScenarioCheckResponse;
export type AuditTrail = AuditResponse;

/** The error of a failed intent by its error's code (or its ending), with its ending. */
const FAILURES: ReadonlyMap<string, readonly [typeof IntentFailed, string]> = new Map([
  ["human_rejected", [IntentRejected, "rejected"]],
  ["rejected", [IntentRejected, "rejected"]],
  ["expired", [IntentExpired, "expired"]],
  ["step_timeout", [IntentExpired, "expired"]],
  ["changes_requested", [IntentSuperseded, "superseded"]],
  ["superseded", [IntentSuperseded, "superseded"]],
  ["undeliverable", [IntentUndeliverable, "undeliverable"]],
]);

/** An object with the JSON's members, and our own properties, which take precedence over members of the same name. */
export function withProperties<T>(raw: Json, properties: Readonly<Record<string, (self: any) => unknown>>): T {
  const made = { ...raw };
  for (const [name, read] of Object.entries(properties)) {
    Object.defineProperty(made, name, { get: () => read(made), enumerable: false, configurable: true });
  }
  return made as T;
}

const STATE = {
  final: (self: Json) => FINAL.has(self["status"]),
  completed: (self: Json) => self["status"] === "COMPLETED",
  approved: (self: Json) => self["status"] === "COMPLETED" && self["ending"] === "approved",
};

export function intent(raw: Json): Intent {
  return withProperties(raw, STATE);
}

export function result(raw: Json): Result {
  return withProperties(raw, { ...STATE, failure: failureOf, raiseForStatus: (self) => () => raise(self) });
}

export function event(raw: Json): Event {
  return withProperties(raw, { final: STATE.final });
}

export function task(raw: Json): Task {
  return withProperties(raw, { open: (self) => self["state"] === "open" });
}

/** A person's decision counts if it ended the intent; an agent's error may have any code. */
function failureOf(self: Json): typeof IntentFailed | undefined {
  const { status, ending } = self;
  if (status === "COMPLETED") return undefined;
  if (status === "CANCELED") return ending === "withdrawn" ? IntentWithdrawn : IntentCanceled;
  if (status === "TIMED_OUT") return ending === "expired" ? IntentExpired : IntentTimedOut;
  const code: unknown = self["error"] ? self["error"].code : ending;
  const [kind, wanted] = FAILURES.get(String(code)) ?? [IntentFailed, ""];
  if (ending && ending === wanted) return kind;
  return code === "step_timeout" ? IntentTimedOut : IntentFailed;
}

function raise(self: Result): CompletedResult {
  const failure = self.failure;
  if (failure === undefined) return self as CompletedResult;
  const why = self.error?.message;
  throw new failure(`Intent ${self.intent_id} ended ${self.status}${why ? `: ${why}` : "."}`, self);
}
