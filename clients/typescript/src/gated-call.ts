/**
 * One gated call: submits its request, waits for the outcome and uses it.
 *
 * The server knows the request by the call's idempotency key, and whether its outcome was used. So the same call, made
 * again after a crash, continues where it left off: while people are deciding they are not asked again; once the
 * outcome has been used they are, because an approval is good for one call.
 */
import { type CallRequest, sha256 } from "./call-request.js";
import { freshKey, type Json } from "./calls.js";
import { submission, useOf } from "./client.js";
import {
  AlreadyUsed,
  IntentExpired,
  IntentFailed,
  IntentRejected,
  IntentSuperseded,
  IntentUndeliverable,
  IntentWithdrawn,
  InvalidEdit,
} from "./errors.js";
import type { Result } from "./records.js";
import type { Settings } from "./settings.js";
import { Follower, getResult } from "./stream.js";
import { Deadline } from "./time.js";
import type { Transport } from "./transport.js";

export type Again = "ask" | "refuse" | "run";
export const AGAIN: readonly Again[] = ["ask", "refuse", "run"];

const REMEMBERED = 10_000;
// How many requests for the same call by the same principal have been used, as far as this process knows, so that it
// does not try their keys again.
const USED_BEFORE: Map<string, number> = new Map();

/** What people approved about a call. */
export interface Decision {
  readonly args: Json;
  readonly edited: boolean;
  readonly result: Result;
}

/** Identifies the requester and the server, without revealing the key. */
export async function principalOf({ url, apiKey }: Settings): Promise<string> {
  return `${url} ${await sha256(apiKey)}`;
}

/** One call and its request. `intentId` is "" before it was submitted, and changes if people are asked again. */
export class GatedCall {
  readonly request: CallRequest;
  intentId = "";
  readonly #transport: Transport;
  readonly #intent: Json;
  readonly #again: Again;
  /** Each service, workspace and server that one process uses has separate requests for the same call. */
  readonly #memory: string;
  /** Names this call's use of the outcome: another call, even in another process, has another name. */
  readonly #use: string = freshKey();
  #result: Result | undefined;
  #askedBefore: number;

  /** `principal`: from `principalOf`. */
  constructor(transport: Transport, principal: string, request: CallRequest, intent: Json, again: Again) {
    this.#transport = transport;
    this.request = request;
    this.#intent = intent;
    this.#again = again;
    this.#memory = `${principal} ${request.identity}`;
    this.#askedBefore = again === "ask" ? (USED_BEFORE.get(this.#memory) ?? 0) : 0;
  }

  /** Submit the request, or find the one that was submitted before; if that has an outcome, use it. */
  async submit(signal: AbortSignal | undefined): Promise<void> {
    while (this.#result === undefined) {
      const intentId = await this.#send(signal);
      const found = await this.#transport.perform(getResult(intentId), signal);
      if (!found.final) return;
      await this.#settle(intentId, found, signal);
    }
  }

  /** Wait for the outcome, use it once, and return it, whatever it is. Throws WaitTimeout. */
  async settled(timeoutSeconds: number | undefined, signal: AbortSignal | undefined): Promise<Result> {
    const end = new Deadline(timeoutSeconds);
    while (this.#result === undefined) {
      if (!this.intentId) await this.submit(signal);
      if (this.#result !== undefined) break;
      const intentId = await this.#send(signal);
      const left = end.left === Infinity ? undefined : Math.max(end.left, 0);
      const found = await new Follower(this.#transport, intentId, 0, left, signal).result();
      await this.#settle(intentId, found, signal);
    }
    return this.#result;
  }

  /** The arguments to call with; throws the error of the ending with the person's reason, or InvalidEdit. */
  decision(result: Result, checked: boolean): Decision {
    const failure = failureOf(result);
    if (failure !== undefined) throw new failure(reasonOf(result), result);
    if (result.payload_deleted) {
      throw new InvalidEdit(`The request of ${this.request.name} was deleted before its call was made.`);
    }
    const payload: Json = result.payload ?? {};
    return { args: this.request.approved(payload, checked), edited: this.request.edited(payload), result };
  }

  /** What a wait throws if it is aborted after the outcome was used and before the call is made. */
  aborted(used: "was" | "may have been", reason: unknown): Error {
    const error = new Error(
      `The approval of ${this.request.name} ${used} used, and the call was not made. Waiting again on its handle makes it; ` +
        "the same call without the handle may find its approval used.",
      { cause: reason },
    );
    error.name = reason instanceof Error && reason.name === "TimeoutError" ? reason.name : "AbortError";
    return error;
  }

  async #send(signal: AbortSignal | undefined): Promise<string> {
    while (!this.intentId) {
      const askedBefore = this.#askedBefore;
      const key = this.request.key(askedBefore);
      const body = { ...this.#intent, payload: this.request.payload };
      const call = { method: "POST", path: "/v1/intents", body, key, read: submission };
      const { intentId, warnings } = await this.#transport.perform(call, signal);
      for (const warning of warnings) {
        // Not worth a warning, because the task is meant for types without a workflow.
        if (!warning.startsWith("human_task is ignored")) console.warn(`signoff: intent ${intentId}: ${warning}`);
      }
      // Another waiter for this call may have found in the meantime that this request has been used.
      if (askedBefore === this.#askedBefore) this.intentId = intentId;
    }
    return this.intentId;
  }

  /** Use the outcome. If it has already been used, it still holds or people are asked again, depending on `again`. */
  async #settle(intentId: string, result: Result, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    try {
      await this.#transport.perform(useOf(result.intent_id, this.#use), signal);
    } catch (error) {
      if (signal?.aborted && error === signal.reason && failureOf(result) === undefined) throw this.aborted("may have been", error);
      if (!(error instanceof AlreadyUsed)) throw error;
      if (this.#again === "ask") {
        // Another waiter for this call may have been here first.
        if (this.intentId === intentId) {
          this.#askedBefore += 1;
          remember(this.#memory, this.#askedBefore);
          this.intentId = "";
        }
        return;
      }
      if (this.#again === "refuse" && failureOf(result) === undefined) throw error;
    }
    this.#result = result;
  }
}

type Failure = new (message: string, result: Result) => IntentFailed;

/**
 * What a call throws for this outcome; undefined if it may run, because it was approved, or completed without asking
 * anybody.
 *
 * A workflow may declare the route after a rejection or an expiry a success. The intent is then COMPLETED, although
 * nobody has approved this call.
 */
export function failureOf(result: Result): Failure | undefined {
  if (result.failure !== undefined) return result.failure;
  if (result.ending === undefined || result.ending === "" || result.ending === "approved") return undefined;
  return OF_ENDING.get(result.ending) ?? IntentFailed;
}

/** A sentence that says why a call was not approved. */
function reasonOf(result: Result): string {
  const said = SAID.get(result.ending ?? "");
  const words = (said ?? ENDED.get(result.status) ?? "It failed.").slice(0, -1);
  const more = result.comment || (said === undefined && result.error?.message);
  return more ? `${words}: ${more}` : `${words}.`;
}

const OF_ENDING: ReadonlyMap<string, Failure> = new Map<string, Failure>([
  ["rejected", IntentRejected],
  ["expired", IntentExpired],
  ["withdrawn", IntentWithdrawn],
  ["superseded", IntentSuperseded],
  ["undeliverable", IntentUndeliverable],
]);
const SAID: ReadonlyMap<string, string> = new Map([
  ["rejected", "The call was rejected."],
  ["expired", "Nobody decided in time; the call was not approved."],
  ["withdrawn", "The request was withdrawn."],
  ["superseded", "Changes were requested, and the call was not approved."],
  ["undeliverable", "No eligible approver could be reached; the call was not approved."],
]);
const ENDED: ReadonlyMap<string, string> = new Map([
  ["CANCELED", "The request was canceled."],
  ["TIMED_OUT", "The request timed out; the call was not approved."],
]);

function remember(memory: string, count: number): void {
  const known = Math.max(count, USED_BEFORE.get(memory) ?? 0);
  USED_BEFORE.delete(memory);
  USED_BEFORE.set(memory, known);
  for (const oldest of USED_BEFORE.keys()) {
    if (USED_BEFORE.size <= REMEMBERED) break;
    USED_BEFORE.delete(oldest);
  }
}
