/**
 * An agent: functions that do the work of agent steps, by intent type.
 *
 * It takes deliveries under a lease, calls the function, renews the lease while it runs and reports. It survives
 * restarts of the server, and stops after the running handlers have finished.
 */
import { keep, onSignals, processName } from "#platform";
import { addressPath, type Call, encoded, type Json, listOf, segment } from "./calls.js";
import { Client, type ClientOptions } from "./client.js";
import { Conflict, Invalid, isObject, mayPass, NotFound, RequestRefused, SignoffError, StepFailed, WrongResponse } from "./errors.js";
import { type Delivery, withProperties } from "./records.js";
import { Backoff, checkSeconds, now, onAbort, sleep } from "./time.js";
import { inTrace } from "./tracing.js";
import type { Transport } from "./transport.js";
import type { AgentError } from "./wire.js";

const LONG_POLL = 25;
/** The most that the server returns at once; the next claim gets more. */
const LARGEST_CLAIM = 100;
// How long a stopping agent waits for the current claim: if the response is dropped, its steps are blocked for a whole
// lease.
const LINGER = 0.5;
const REPORT_FOR = 600;
const LONGEST_CODE = 128;
const LONGEST_MESSAGE = 2000;

/** What a handler returns: the step's result, an object; or nothing. */
export type Given = object | null | undefined | void;
export type Handler<Payload = any> = (delivery: Delivery<Payload>) => Given | Promise<Given>;
export type ResultReducer = (delivery: Delivery, result: object) => Given | Promise<Given>;
export type Logger = Pick<Console, "info" | "warn" | "error">;

// The standard output is the program's own.
const STDERR: Logger = {
  info: (...words) => console.error(...words),
  warn: (...words) => console.warn(...words),
  error: (...words) => console.error(...words),
};

export interface AgentOptions extends ClientOptions {
  /** The client to use; by default, one is created from these options. */
  readonly client?: Client;
  /** How many handlers run at a time; default: 4. */
  readonly concurrency?: number;
  /** How long a delivery is held without renewal; default: 30. */
  readonly leaseSeconds?: number;
  /** How long running handlers get to finish when the agent stops; default: 25. */
  readonly graceSeconds?: number;
  /** Where it reports that it is connected, and what goes wrong; default: standard error. */
  readonly logger?: Logger;
}

/** A worker for the steps of one agent address. */
export class Agent {
  readonly name: string;
  readonly #handlers: Map<string, Handler> = new Map();
  readonly #options: AgentOptions;
  readonly #concurrency: number;
  readonly #lease: number;
  readonly #grace: number;
  #shrink: ResultReducer | undefined;
  #work: Work | undefined;
  #stopAsked = false;

  /** `name`: the agent's name or `agent://` address. */
  constructor(name: string, options: AgentOptions = {}) {
    addressPath(name);
    this.name = name;
    this.#options = options;
    this.#concurrency = options.concurrency ?? 4;
    this.#lease = checkSeconds("leaseSeconds", options.leaseSeconds ?? 30);
    this.#grace = checkSeconds("graceSeconds", options.graceSeconds ?? 25);
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1) throw new RangeError("concurrency must be at least 1");
    if (this.#lease <= 0) throw new RangeError("leaseSeconds must be positive");
    if (this.#grace < 0) throw new RangeError("graceSeconds must not be negative");
  }

  /**
   * The handler for intents of this type; `"*"` handles all others.
   *
   * It gets a delivery and returns an object (the step's result) or nothing. An error fails the step, which is retried
   * as the plan allows; with StepFailed, the handler decides whether it is. Do not block the event loop: leases are
   * renewed on it.
   */
  on<Payload = any>(intentType: string, handler: Handler<Payload>): this {
    if (this.#handlers.has(intentType)) throw new RangeError(`the agent ${this.name} already has a handler for ${intentType}`);
    this.#handlers.set(intentType, handler as Handler);
    return this;
  }

  /**
   * Called with the delivery and a result that is too large for the server. Its return value (such as a link to
   * where it stored the result) is reported instead. Without it the step fails with `result_too_large`.
   */
  onLargeResult(reduce: ResultReducer): this {
    this.#shrink = reduce;
    return this;
  }

  /**
   * Work until SIGINT, SIGTERM or `stop()`; a second signal does not wait for running handlers. Throws
   * AuthenticationFailed, PermissionDenied or NotFound if the server refuses this agent.
   */
  async run(): Promise<void> {
    let signals = 0;
    const off = onSignals(() => {
      signals += 1;
      if (signals === 1 && !this.#stopAsked) {
        this.#logger.info(`signoff: agent ${this.name} stops; signal again to stop without waiting for running handlers`);
        this.stop();
      } else {
        this.#logger.warn(`signoff: agent ${this.name} stops without waiting for running handlers`);
        this.#work?.abort();
      }
    });
    try {
      await this.serve();
    } finally {
      off();
    }
  }

  /** `run` without listening to signals of the process; aborting `signal` does the same as `stop()`. */
  async serve(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const client = this.#options.client ?? new Client(this.#options);
    const terms = { address: this.name, concurrency: this.#concurrency, lease: this.#lease, grace: this.#grace };
    const work = new Work(client.transport, terms, this.#handlers, this.#shrink, this.#logger);
    const stop = (): void => this.stop();
    this.#work = work;
    options.signal?.addEventListener("abort", stop, { once: true });
    try {
      if (this.#stopAsked || options.signal?.aborted) work.stop();
      await work.run();
    } finally {
      options.signal?.removeEventListener("abort", stop);
      this.#work = undefined;
      this.#stopAsked = false;
      if (this.#options.client === undefined) client.close();
    }
  }

  /** Claim nothing more, and return from `run` when the running handlers are done. */
  stop(): void {
    this.#stopAsked = true;
    this.#work?.stop();
  }

  get #logger(): Logger {
    return this.#options.logger ?? STDERR;
  }
}

interface Terms {
  readonly address: string;
  readonly concurrency: number;
  readonly lease: number;
  readonly grace: number;
}

interface Claimed {
  readonly deliveries: readonly Json[];
  readonly agent: string;
  readonly notice: string;
}

/** A delivery being worked on. */
interface Held {
  readonly delivery: Delivery;
  readonly name: string;
  readonly cut: AbortController;
  lost: boolean;
}

/** A running agent, from `run` until `stop`. */
class Work {
  readonly #transport: Transport;
  readonly #terms: Terms;
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #shrink: ResultReducer | undefined;
  readonly #log: Logger;
  readonly #running: Map<Promise<void>, Held> = new Map();
  readonly #stopping: AbortController = new AbortController();
  /** Ends all work immediately; the leases of running steps expire. */
  readonly #aborting: AbortController = new AbortController();
  readonly #holder = `${processName()}:${crypto.randomUUID().slice(0, 8)}`;

  constructor(transport: Transport, terms: Terms, handlers: ReadonlyMap<string, Handler>, shrink: ResultReducer | undefined, log: Logger) {
    this.#transport = transport;
    this.#terms = terms;
    this.#handlers = handlers;
    this.#shrink = shrink;
    this.#log = log;
  }

  stop(): void {
    this.#stopping.abort();
  }

  abort(): void {
    this.#stopping.abort();
    this.#aborting.abort();
  }

  async run(): Promise<void> {
    let refused: unknown;
    try {
      await this.#take();
    } catch (failure) {
      refused = failure;
    }
    const all = Promise.allSettled([...this.#running.keys()]);
    await orAfter(this.#terms.grace, orAborted(all, this.#aborting.signal));
    this.#aborting.abort();
    for (const held of this.#running.values()) {
      this.#log.warn(`signoff: ${held.name} was cut off; its lease will expire`);
      held.cut.abort();
    }
    if (refused !== undefined) throw refused;
  }

  async #take(): Promise<void> {
    const backoff = new Backoff();
    const stopping = this.#stopping.signal;
    let trouble = false;
    let connected = false;
    while (!stopping.aborted) {
      const free = this.#terms.concurrency - this.#running.size;
      if (free === 0) {
        await orAborted(Promise.race(this.#running.keys()), stopping);
        continue;
      }
      // The first response is requested without waiting, to report the connection soon.
      const first = trouble || !connected;
      try {
        const claimed = await this.#claim(Math.min(free, LARGEST_CLAIM), first ? 0 : LONG_POLL);
        if (claimed && first) {
          this.#say(claimed, connected);
          connected = true;
        }
        trouble = false;
        backoff.reset();
      } catch (failure) {
        if (!passes(failure)) throw failure;
        if (!trouble) this.#log.warn(`signoff: agent ${this.#terms.address} cannot get work, still trying: ${failure.message}`);
        trouble = true;
        await sleep(backoff.after(failure), stopping).catch(() => {});
      }
    }
  }

  #say(claimed: Claimed, again: boolean): void {
    const types = [...this.#handlers.keys()].join(", ") || "no types: it has no handlers";
    const where = `${again ? "reconnected" : "connected"} to ${this.#transport.settings.url}`;
    const notice = claimed.notice && `. ${claimed.notice}`;
    this.#log.info(`signoff: ${where} as ${claimed.agent || this.#terms.address}, waiting for work (${types})${notice}`);
  }

  async #claim(limit: number, wait: number): Promise<Claimed | undefined> {
    const { address, lease } = this.#terms;
    const path = `/v1/agents/${addressPath(address)}/deliveries/claim`;
    const body = { limit, lease_seconds: lease, holder: this.#holder, wait_seconds: wait };
    const call: Call<Claimed> = { method: "POST", path, body, wait, read: claimedIn };
    const stopping = this.#stopping.signal;
    const cut = new AbortController();
    const began = now();
    const asking = this.#transport.perform(call, cut.signal, 0);
    asking.catch(() => {});
    await orAborted(asking.catch(() => {}), stopping);
    if (stopping.aborted) await orAfter(LINGER, asking.catch(() => {}));
    const got = await settled(asking);
    cut.abort();
    for (const raw of got?.deliveries ?? []) {
      const held = this.#hold(raw);
      if (stopping.aborted) {
        await this.#release(held);
      } else {
        const doing: Promise<void> = this.#do(held).finally(() => this.#running.delete(doing));
        this.#running.set(doing, held);
      }
    }
    if (wait && got && !got.deliveries.length && now() - began < 1) {
      // An empty response before the long poll is due comes from a server that is about to stop. Do not hammer it.
      await sleep(Math.random(), stopping).catch(() => {});
    }
    return got;
  }

  #hold(raw: Json): Held {
    const cut = new AbortController();
    const name = `step ${raw["step_id"] || "-"} of intent ${raw["intent_id"]} (attempt ${raw["attempt"]})`;
    const delivery = withProperties<Delivery>(raw, { leaseLost: () => held.lost, signal: () => cut.signal });
    const held: Held = { delivery, name, cut, lost: false };
    return held;
  }

  async #release({ delivery, name }: Held): Promise<void> {
    try {
      await this.#transport.persist(ofDelivery(delivery, "release", {}), 1);
    } catch (failure) {
      this.#log.warn(`signoff: could not release ${name}, its lease will expire: ${textOf(failure)}`);
    }
  }

  async #do(held: Held): Promise<void> {
    const done = new AbortController();
    const deaf = onAbort(this.#aborting.signal, () => done.abort());
    const keeping = this.#keep(held, done.signal);
    try {
      const report = await this.#outcome(held);
      if (!this.#aborting.signal.aborted) await this.#report(held, report);
    } catch (failure) {
      this.#log.error(`signoff: ${held.name} was not reported: ${textOf(failure)}`);
    } finally {
      deaf();
      done.abort();
      await keeping;
    }
  }

  /** Renew the lease each time a third of it has passed; tell the handler when it may be lost. */
  async #keep(held: Held, ended: AbortSignal): Promise<void> {
    const { lease } = this.#terms;
    let until = now() + lease;
    while (!ended.aborted) {
      await sleep(lease / 3, ended).catch(() => {});
      if (ended.aborted) return;
      const began = now();
      // This process was suspended, its event loop blocked or its machine asleep, so another worker may have the step.
      if (began >= until) this.#lose(held);
      try {
        const call = ofDelivery(held.delivery, "renew", { lease_seconds: lease });
        await this.#transport.persist(call, Math.max(until - began, lease / 3), ended, passes);
        // Renewed under the same token: no other worker got it in the meantime.
        held.lost = false;
        until = began + lease;
      } catch (failure) {
        if (ended.aborted) return;
        if (!held.lost || !passes(failure)) this.#log.warn(`signoff: the lease of ${held.name} is lost: ${textOf(failure)}`);
        this.#lose(held);
        if (!passes(failure)) return;
      }
    }
  }

  #lose(held: Held): void {
    held.lost = true;
    held.cut.abort();
  }

  async #outcome(held: Held): Promise<Call<void>> {
    const { delivery } = held;
    const handler = this.#handlers.get(delivery.intent_type) ?? this.#handlers.get("*");
    if (handler === undefined) {
      const why = `This agent has no handler for ${delivery.intent_type}.`;
      this.#log.error(`signoff: ${held.name}: ${why}`);
      return fault(delivery, { code: "unknown_intent_type", message: why, retryable: true });
    }
    let result: unknown;
    try {
      result = await inTrace(delivery.traceparent, delivery.step_id, () => handler(delivery));
    } catch (failure) {
      if (failure instanceof StepFailed) {
        const { code, message, retryable } = failure;
        return fault(delivery, { code, message, retryable });
      }
      this.#log.warn(`signoff: ${held.name} threw ${textOf(failure)}`);
      return fault(delivery, { code: "agent_error", message: textOf(failure), retryable: true });
    }
    return this.#fitting(held, result);
  }

  /**
   * The report of a handler's return value. If it cannot be reported, the report says why; the work is not repeated
   * because of that.
   */
  async #fitting(held: Held, given: unknown): Promise<Call<void>> {
    const { delivery } = held;
    const most = delivery.max_report_bytes || Infinity;
    let result = given ?? {};
    try {
      if (this.#shrink && isObject(result) && sizeOf(reportOf(delivery, result)) > most) {
        result = (await this.#shrink(delivery, result)) ?? {};
      }
    } catch (failure) {
      this.#log.warn(`signoff: onLargeResult threw ${textOf(failure)}`);
    }
    if (!isObject(result)) {
      return this.#unreported(held, "invalid_result", `The handler returned ${kindOf(result)}, not an object.`, result);
    }
    const report = reportOf(delivery, result);
    let size: number;
    try {
      size = sizeOf(report);
    } catch (failure) {
      return this.#unreported(held, "invalid_result", `The handler returned a value that is not valid JSON: ${textOf(failure)}.`, result);
    }
    if (size <= most) return report;
    const why = `The result of the handler is ${size} bytes; this server accepts reports of at most ${most}.`;
    return this.#unreported(held, "result_too_large", why, result);
  }

  #unreported(held: Held, code: string, why: string, result: unknown): Call<void> {
    const where = keep(`${held.delivery.intent_id}-${held.delivery.step_id}`, written(result));
    this.#log.error(`signoff: ${held.name}: ${why} ${where}`);
    return fault(held.delivery, { code, message: `${why} ${where}`, retryable: false });
  }

  async #report(held: Held, report: Call<void>): Promise<void> {
    try {
      await this.#transport.persist(report, REPORT_FOR, this.#aborting.signal, passes);
    } catch (failure) {
      if (this.#aborting.signal.aborted) return;
      if (failure instanceof Invalid) {
        this.#log.error(`signoff: the result of ${held.name} was refused: ${failure.message}`);
        const result: unknown = (report.body as Json)["result"];
        if (result !== undefined) {
          const why = `The server refused the result of the handler: ${failure.message}`;
          await this.#report(held, this.#unreported(held, "invalid_result", why, result));
        }
      } else if (failure instanceof Conflict || failure instanceof NotFound) {
        this.#lose(held);
        this.#log.warn(`signoff: the report of ${held.name} was too late and was dropped: ${failure.message}`);
      } else {
        const say = failure instanceof RequestRefused ? this.#log.error : this.#log.warn;
        say.call(this.#log, `signoff: ${held.name} could not be reported; its lease will expire: ${textOf(failure)}`);
      }
    }
  }
}

function claimedIn(answer: Json): Claimed {
  const most = { max_report_bytes: Number(answer["max_report_bytes"] ?? 0) };
  return {
    deliveries: listOf(answer, "deliveries", (one) => ({ ...most, ...one })),
    agent: String(answer["agent"] ?? ""),
    notice: String(answer["notice"] ?? ""),
  };
}

function ofDelivery(delivery: Delivery, verb: string, body: Json): Call<void> {
  // The token makes these repeatable: a second one finds the step closed and changes nothing.
  const path = `/v1/deliveries/${segment(delivery.delivery_id)}/${verb}`;
  return { method: "POST", path, body: { token: delivery.token, ...body }, repeatable: true, read: () => undefined };
}

function reportOf(delivery: Delivery, result: object): Call<void> {
  return ofDelivery(delivery, "report", { result });
}

/**
 * The report of a failure. Its text is cut to what the server accepts; if the report were refused, the failure would
 * be lost.
 */
function fault(delivery: Delivery, error: Required<Pick<AgentError, "code" | "message" | "retryable">>): Call<void> {
  const code = cut(String(error.code), LONGEST_CODE) || "agent_error";
  const message = cut(String(error.message), LONGEST_MESSAGE);
  return ofDelivery(delivery, "report", { error: { code, message, retryable: error.retryable === true } });
}

/** The first characters of the text, without splitting one. */
function cut(text: string, length: number): string {
  const whole = text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return whole.length <= length ? whole : [...whole.slice(0, 2 * length)].slice(0, length).join("");
}

function sizeOf(report: Call<unknown>): number {
  return new TextEncoder().encode(encoded(report.body ?? {})).length;
}

/** Whether an agent continues after this error. */
function passes(failure: unknown): failure is SignoffError {
  return mayPass(failure) || failure instanceof WrongResponse;
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

/** A value as text, even if its own methods throw. */
function written(value: unknown): string {
  try {
    return JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one), 1) ?? String(value);
  } catch {
    return "(a value that cannot be written as JSON)";
  }
}

/** The text of anything that can be thrown. */
function textOf(failure: unknown): string {
  try {
    return failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure);
  } catch {
    return "an error whose text cannot be read";
  }
}

/** Resolves when the work does, or as soon as the signal is aborted. */
function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const over = (): void => {
      deaf();
      resolve();
    };
    const deaf = onAbort(signal, over);
    work.then(over, over);
  });
}

/** Resolves when the work does, or after this many seconds. */
async function orAfter(seconds: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work, sleep(seconds, over.signal).catch(() => {})]);
  over.abort();
}

/** The value of a promise that is already settled; undefined if it is not. Throws the reason of a rejection. */
function settled<T>(work: Promise<T>): Promise<T | undefined> {
  return Promise.race([work, Promise.resolve(undefined)]);
}
