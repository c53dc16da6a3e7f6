/**
 * `gate`: a function that runs only after people have approved exactly this call; and `requireApproval`, the same for
 * code that is not in a function.
 *
 * A call becomes a durable request, waits for the decision, and runs with the approved arguments, or
 * throws. The request is found by the call's content (call-request.ts), so a program that crashed resumes waiting.
 */
import { askedArguments, callRequest, canonicalJson } from "./call-request.js";
import type { Json } from "./calls.js";
import { type CallOptions, Client, type WaitOptions } from "./client.js";
import { InvalidEdit, isObject, WaitTimeout } from "./errors.js";
import { AGAIN, type Again, type Decision, failureOf, GatedCall, principalOf } from "./gated-call.js";
import type { Intent, Result } from "./records.js";
import { checkSeconds } from "./time.js";

export type { Again };

type Name<Args> = keyof Args & string;

export interface GateOptions<Args extends object = any> {
  /** Chooses the workflow, and so who decides. */
  readonly intentType: string;
  /** The name of the call. People see it, and it is part of what makes two calls the same; default: the intent type. */
  readonly name?: string;
  /** The question, if the type has no workflow; `{name}` stands for the name. Default: "Run {name}?". */
  readonly title?: string;
  /** What the call does; shown with the question. */
  readonly description?: string;
  /** Distinguishes calls with the same arguments: a string, or a function of the arguments. */
  readonly key?: string | ((args: Args) => string);
  /** Arguments that people do not see; the decision is still for exactly their values. */
  readonly hide?: readonly Name<Args>[];
  /** Arguments that are not sent at all, and are not part of the decision. */
  readonly omit?: readonly Name<Args>[];
  /**
   * If an approval of this same call has already been used: `ask` people again, `refuse` (AlreadyUsed), or `run`;
   * `ask`.
   */
  readonly again?: Again;
  /** Seconds that a call waits for the decision before WaitTimeout; default: no limit. */
  readonly timeoutSeconds?: number;
  /** The person it is for (address or id), who then cannot approve it. */
  readonly onBehalfOf?: string;
  /**
   * Checks arguments that people edited: `(args) => Refund.parse(args)` with a validation library. The call is not made
   * if it throws, or returns `false` or `{ success: false }`; anything else that it returns is ignored. An edited
   * argument must be of the same JSON type as the one that it replaces in any case; only with a check may one that was
   * null become something else.
   */
  readonly check?: (args: Args) => unknown;
  /** The client to use; by default, each call finds one as `new Client()` does. */
  readonly client?: Client;
}

/** What people decided about a call that runs. */
export interface Approval {
  readonly result: Result;
  /** Whether people changed the arguments. */
  readonly edited: boolean;
  /** The signal of the wait that made the call. */
  readonly signal: AbortSignal | undefined;
}

/** The approved arguments of code that is about to run. */
export interface Approved<Args extends object> extends Approval {
  readonly args: Args;
}

/** A gated function, called with its arguments as one object. */
export interface Gated<Args extends object, R> {
  /** Ask, wait, run; returns what the function returns. */
  (args: Args, options?: WaitOptions): Promise<R>;
  /** Submit the call; it runs when you wait on its handle. */
  ask(args: Args, options?: CallOptions): Promise<PendingCall<R>>;
  /** Wait for the decision for at most this many seconds; then return the handle instead. */
  within(seconds: number, args: Args, options?: CallOptions): Promise<R | PendingCall<R>>;
}

type Run<R> = (decision: Decision, signal: AbortSignal | undefined) => Promise<R>;

/** A call that has been submitted and has not run yet. */
export class PendingCall<R> {
  readonly #client: Client;
  readonly #call: GatedCall;
  readonly #function: Run<R>;
  readonly #checked: boolean;
  #ran: Promise<R> | undefined;

  /** @internal */
  constructor(client: Client, call: GatedCall, run: Run<R>, checked: boolean) {
    this.#client = client;
    this.#call = call;
    this.#function = run;
    this.#checked = checked;
  }

  /** The id of its request, which changes if people have to be asked again. */
  get intentId(): string {
    return this.#call.intentId;
  }

  /**
   * Wait for the decision, run the function once, and return what it returns or throw what it throws: the same
   * every time, with any signal. Throws WaitTimeout or the signal's reason if that comes first; then you can
   * wait again. If the signal is aborted once the approval may have been used, the error says so, and the reason is its
   * cause.
   */
  async wait(options: WaitOptions = {}): Promise<R> {
    if (this.#ran !== undefined) return this.#ran;
    const { timeoutSeconds, signal } = options;
    const result = await this.#call.settled(timeoutSeconds, signal);
    if (this.#ran === undefined) {
      if (signal?.aborted) throw failureOf(result) === undefined ? this.#call.aborted("was", signal.reason) : signal.reason;
      this.#ran = this.#run(result, signal);
    }
    return this.#ran;
  }

  /** Cancel the request; throws Conflict if it has ended. */
  async cancel(options: { reason?: string | undefined } & CallOptions = {}): Promise<Intent> {
    return this.#client.cancel(this.intentId, options);
  }

  async #run(result: Result, signal: AbortSignal | undefined): Promise<R> {
    return this.#function(this.#call.decision(result, this.#checked), signal);
  }

  /** @internal Whether there is a decision within this time. */
  async decidedWithin(seconds: number, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#call.settled(seconds, signal);
      return true;
    } catch (error) {
      if (error instanceof WaitTimeout) return false;
      throw error;
    }
  }
}

/**
 * Gate a function: it runs only after people have approved exactly this call.
 *
 *     const refund = gate(payBack, { intentType: "intent.payments.refund.v1" });
 *     await refund({ order: "A-4721", amount: 420 });
 *
 * Unless people approve, a call throws IntentRejected, IntentExpired or another kind of IntentFailed, and InvalidEdit
 * if what they approved does not fit; in these cases the function has not run.
 */
export function gate<Args extends object, R>(
  fn: (args: Args, approval: Approval) => R | Promise<R>,
  options: GateOptions<Args>,
): Gated<Args, R> {
  if (typeof fn !== "function") throw new TypeError("gate takes a function; for other code there is requireApproval");
  checkOptions(options);
  const ask = async (args: Args, more: CallOptions = {}): Promise<PendingCall<R>> => {
    const omitted = pick(args, options);
    const run: Run<R> = async ({ args: approved, edited, result }, signal) => {
      if (edited) await checkEdit(options, approved, omitted);
      return fn(together<Args>(approved, omitted), { result, edited, signal });
    };
    return submitted(args, options, run, more.signal);
  };
  const gated = async (args: Args, more: WaitOptions = {}): Promise<R> => {
    const pending = await ask(args, more);
    return pending.wait({ timeoutSeconds: more.timeoutSeconds ?? options.timeoutSeconds, signal: more.signal });
  };
  const within = async (seconds: number, args: Args, more: CallOptions = {}): Promise<R | PendingCall<R>> => {
    checkSeconds("seconds", seconds);
    const pending = await ask(args, more);
    return (await pending.decidedWithin(seconds, more.signal)) ? pending.wait(more) : pending;
  };
  Object.defineProperty(gated, "name", { value: fn.name, configurable: true });
  return Object.assign(gated, { ask, within });
}

/**
 * Return once people have approved these arguments, on which the code after it should act. That uses up the approval,
 * which is good for one use. Throws like a gated function.
 *
 *     const { args } = await requireApproval({ path: "/data/old" }, { intentType: "intent.storage.delete.v1" });
 *     await rm(args.path);
 */
export async function requireApproval<Args extends object>(
  args: Args,
  options: Omit<GateOptions<Args>, "omit"> & CallOptions,
): Promise<Approved<Args>> {
  checkOptions(options);
  if ("omit" in options) throw new TypeError("omit has no effect here: just do not pass what should not be sent");
  const run: Run<Approved<Args>> = async ({ args: found, edited, result }, signal) => {
    if (edited) await checkEdit(options, found, []);
    return { args: found as Args, edited, result, signal };
  };
  const pending = await submitted(args, options, run, options.signal);
  return pending.wait({ timeoutSeconds: options.timeoutSeconds, signal: options.signal });
}

/**
 * Submit a call. Everything before the first await is done when this returns: later changes to `args` have no effect.
 */
async function submitted<Args extends object, R>(
  args: Args,
  options: GateOptions<Args>,
  run: Run<R>,
  signal: AbortSignal | undefined,
): Promise<PendingCall<R>> {
  const name = options.name ?? options.intentType;
  const key = typeof options.key === "function" ? options.key(args) : (options.key ?? "");
  if (typeof key !== "string") throw new TypeError(`the key of ${name} must be a string, not ${typeof key}`);
  const hide = options.hide ?? [];
  const omit: ReadonlySet<string> = new Set(options.omit);
  const sent = omit.size ? Object.fromEntries(Object.entries(args).filter(([one]) => !omit.has(one))) : args;
  const asked = askedArguments(name, sent, hide);
  const client = options.client ?? new Client();
  const title = (options.title ?? "Run {name}?").replaceAll("{name}", () => name);
  const task: Json = { title: [...title].slice(0, 200).join("") || name };
  if (options.description) task["description"] = options.description;
  const intent: Json = { intent_type: options.intentType, human_task: task };
  if (options.onBehalfOf) intent["on_behalf_of"] = options.onBehalfOf;
  // What would be sent is part of the key, so a program that now asks something else makes a new request.
  const terms = { key: canonicalJson([key, intent]), hide, secret: client.settings.apiKey };
  const request = await callRequest(name, asked, terms);
  const call = new GatedCall(client.transport, await principalOf(client.settings), request, intent, options.again ?? "ask");
  await call.submit(signal);
  return new PendingCall(client, call, run, options.check !== undefined);
}

function checkOptions(options: GateOptions): void {
  const { intentType, again, hide, omit, timeoutSeconds, check } = options ?? {};
  if (typeof intentType !== "string" || !intentType) throw new TypeError('a gate needs an intentType: "intent.area.name.v1"');
  if (again !== undefined && !AGAIN.includes(again)) {
    throw new RangeError(`again is one of ${AGAIN.join(", ")}, not ${JSON.stringify(again)}`);
  }
  for (const [name, given] of Object.entries({ hide, omit })) {
    if (given !== undefined && !Array.isArray(given)) throw new TypeError(`${name} is a list of names: ${name}: ["card"]`);
  }
  const both = (hide ?? []).filter((name) => omit?.includes(name));
  if (both.length) throw new TypeError(`an argument is hidden or omitted, not both: ${both.join(", ")}`);
  if (timeoutSeconds !== undefined) checkSeconds("timeoutSeconds", timeoutSeconds);
  if (check !== undefined && typeof check !== "function") throw new TypeError("check is a function of the arguments");
}

/** The omitted arguments, as they are now. */
function pick<Args extends object>(args: Args, options: GateOptions<Args>): [string, unknown][] {
  return (options.omit ?? []).map((name) => {
    if (!Object.hasOwn(args, name)) {
      throw new TypeError(`${options.name ?? options.intentType}() has no argument to omit named ${name}`);
    }
    return [name, args[name]];
  });
}

function together<Args>(approved: Json, omitted: readonly [string, unknown][]): Args {
  return Object.fromEntries([...Object.entries(approved), ...omitted]) as Args;
}

async function checkEdit<Args extends object>(
  options: GateOptions<Args>,
  approved: Json,
  omitted: readonly [string, unknown][],
): Promise<void> {
  const unfit = (why: string, cause: unknown): InvalidEdit =>
    new InvalidEdit(`The edit does not fit ${options.name ?? options.intentType}: ${why}`, { cause });
  let found: unknown;
  try {
    // A copy, because a check may convert what it is given, but the function must get what people approved.
    found = await options.check?.(together<Args>(structuredClone(approved), omitted));
  } catch (error) {
    throw unfit(error instanceof Error ? error.message : String(error), error);
  }
  // The return values of validation libraries that do not throw.
  if (found === false) throw unfit("its check returned false", undefined);
  if (isObject(found) && found["success"] === false) {
    const error: unknown = found["error"];
    throw unfit(error instanceof Error ? error.message : "its check did not succeed", error);
  }
}
