/**
 * Every error that the client throws, in one tree. Otherwise a call throws only TypeError or RangeError, for a wrong
 * argument, and the reason of your own AbortSignal.
 *
 *     SignoffError
 *       NotConfigured           no server or key was found
 *       ConnectionFailed        no response: refused, cut off, too slow
 *       WrongResponse             a response that belongs to another request, or to another intent
 *       ClientClosed            the client was closed
 *       WaitTimeout             the intent was not final in time
 *       RequestRefused
 *         AuthenticationFailed  401
 *         PermissionDenied      403
 *         NotFound              404
 *         Conflict              409: AlreadyDecided, AlreadyUsed, StaleRevision
 *         Invalid               400, 413, 422
 *         RateLimited           429
 *         ServerFailed          5xx: ServerBusy 503
 *       IntentFailed            thrown by result.raiseForStatus(): IntentRejected, IntentSuperseded,
 * IntentUndeliverable,
 *                               IntentCanceled (IntentWithdrawn), IntentTimedOut (IntentExpired)
 *       InvalidEdit             thrown by a gated call
 *       StepFailed              thrown by an agent's handler, to fail its step
 */
import type { Result } from "./records.js";

const SHOWN = 200;

/** Base of all errors of the client. */
export class SignoffError extends Error {
  /** Whether the same call may succeed shortly after. */
  readonly retryable: boolean = false;

}

/** No server, or no key for it, was found; the message lists the places that were searched. */
export class NotConfigured extends SignoffError {}

/** The server did not respond. */
export class ConnectionFailed extends SignoffError {
  override readonly retryable: boolean = true;
  /** True if the request certainly did not reach the server, so that any call may be repeated. */
  readonly unsent: boolean;
  /** True if no response arrived within the time for one request. */
  readonly timedOut: boolean;

  constructor(message: string, what: { unsent?: boolean; timedOut?: boolean } = {}) {
    super(message);
    this.unsent = what.unsent ?? false;
    this.timedOut = what.timedOut ?? false;
  }
}

/** The response belongs to another request and was discarded. This request may or may not have taken effect. */
export class WrongResponse extends SignoffError {}

/** The client was closed. Create a new one. */
export class ClientClosed extends SignoffError {}

/** The intent did not become final in time. It continues; waiting again is safe. */
export class WaitTimeout extends SignoffError {
  readonly intentId: string;
  /** The last status seen, or "" if none was received. */
  readonly status: string;
  /** The last event's sequence number. */
  readonly since: number;

  constructor(message: string, seen: { intentId: string; status: string; since: number }, options?: ErrorOptions) {
    super(message, options);
    this.intentId = seen.intentId;
    this.status = seen.status;
    this.since = seen.since;
  }
}

/** The contents of a response outside 2xx. */
export interface Refusal {
  readonly code: string;
  readonly status: number;
  readonly reason: string;
  readonly hint?: string | undefined;
  readonly field?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly genuine?: boolean;
}

/** The server responded with an error. `message` contains everything that a person needs. */
export class RequestRefused extends SignoffError {
  override readonly retryable: boolean;
  /** A stable code for programs. */
  readonly code: string;
  /** The HTTP status. */
  readonly status: number;
  /** The server's sentence, without code and hint. */
  readonly reason: string;
  /** What to do next. */
  readonly hint: string | undefined;
  /** The offending field. */
  readonly field: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  /** Seconds that the server asked to wait. */
  readonly retryAfterSeconds: number | undefined;
  /** False if the response is not in Signoff's format, because it came from a proxy or another program. */
  readonly genuine: boolean;

  constructor(said: Refusal) {
    let message = `${said.reason} [${said.code}]`;
    if (said.hint) message += ` ${said.hint}`;
    if (said.requestId) message += ` (request ${said.requestId})`;
    super(message);
    this.code = said.code;
    this.status = said.status;
    this.reason = said.reason;
    this.hint = said.hint;
    this.field = said.field;
    this.details = said.details ?? {};
    this.requestId = said.requestId;
    this.retryAfterSeconds = said.retryAfterSeconds;
    this.genuine = said.genuine ?? false;
    this.retryable = [429, 502, 503, 504].includes(said.status);
  }
}

/** 401: the key is missing, unknown, expired or revoked. */
export class AuthenticationFailed extends RequestRefused {}

/** 403: this key may see it, but may not do this. */
export class PermissionDenied extends RequestRefused {}

/** 404: unknown, or not visible to this key: the two are indistinguishable. */
export class NotFound extends RequestRefused {}

/** 409: the state has changed; `code` says how. */
export class Conflict extends RequestRefused {}

/** 409: somebody else answered first; `details` says what, who, when and through which channel. */
export class AlreadyDecided extends Conflict {
  get outcome(): string {
    return String(this.details["outcome"] ?? "");
  }
}

/** 409: the outcome has already been used; it can be used only once. */
export class AlreadyUsed extends Conflict {}

/** 409: what is being decided now (revision, stage or task) is not what was shown. Read it again, then answer. */
export class StaleRevision extends Conflict {}

/** 400, 413, 422: the request is malformed, too large, or asks for something impossible. */
export class Invalid extends RequestRefused {}

/** 429: too many requests. */
export class RateLimited extends RequestRefused {}

/** 5xx: the server, or something in front of it, failed. */
export class ServerFailed extends RequestRefused {}

/** 503: temporarily unavailable; nothing was written. */
export class ServerBusy extends ServerFailed {}

/** The intent ended without being completed; `result` has the details. */
export class IntentFailed extends SignoffError {
  readonly result: Result;

  constructor(message: string, result: Result) {
    super(message);
    this.result = result;
  }
}

/** A person rejected it. */
export class IntentRejected extends IntentFailed {}

/** Changes were requested, and no revision followed. */
export class IntentSuperseded extends IntentFailed {}

/** No eligible approver could be reached. */
export class IntentUndeliverable extends IntentFailed {}

/** The intent was canceled. */
export class IntentCanceled extends IntentFailed {}

/** The request was withdrawn while a task was open. */
export class IntentWithdrawn extends IntentCanceled {}

/** The intent's deadline passed. */
export class IntentTimedOut extends IntentFailed {}

/** Nobody decided before the deadline. Silence is never consent, and it is not a rejection either. */
export class IntentExpired extends IntentTimedOut {}

/** People approved a call with edited arguments that do not fit it. It was not made. */
export class InvalidEdit extends SignoffError {}

/** Throw it in an agent's handler to fail the step on purpose. */
export class StepFailed extends SignoffError {
  /** A stable code for programs, such as `table_locked`. */
  readonly code: string;
  /** Whether the plan's retries apply. */
  override readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable?: boolean } & ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

// By these names, not by the classes' own: a bundler may rename a class.
for (const [name, kind] of Object.entries({
  SignoffError, NotConfigured, ConnectionFailed, WrongResponse, ClientClosed, WaitTimeout, RequestRefused, AuthenticationFailed,
  PermissionDenied, NotFound, Conflict, AlreadyDecided, AlreadyUsed, StaleRevision, Invalid, RateLimited, ServerFailed, ServerBusy, IntentFailed,
  IntentRejected, IntentSuperseded, IntentUndeliverable, IntentCanceled, IntentWithdrawn, IntentTimedOut, IntentExpired, InvalidEdit, StepFailed,
})) {
  Object.defineProperty(kind.prototype, "name", { value: name, configurable: true, writable: true });
}

type RefusalClass = new (said: Refusal) => RequestRefused;

const BY_CODE: ReadonlyMap<string, RefusalClass> = new Map<string, RefusalClass>([
  ["already_decided", AlreadyDecided],
  ["already_used", AlreadyUsed],
  ["stale_revision", StaleRevision],
  ["stale_stage", StaleRevision],
  ["not_shown", StaleRevision],
]);
const BY_STATUS: ReadonlyMap<number, RefusalClass> = new Map<number, RefusalClass>([
  [400, Invalid],
  [401, AuthenticationFailed],
  [403, PermissionDenied],
  [404, NotFound],
  [409, Conflict],
  [413, Invalid],
  [422, Invalid],
  [429, RateLimited],
  [503, ServerBusy],
]);

function classOf(status: number, code: string): RefusalClass {
  const byCode = status === 409 ? BY_CODE.get(code) : undefined;
  return byCode ?? BY_STATUS.get(status) ?? (status >= 500 ? ServerFailed : RequestRefused);
}

/** The parts of a response that the client reads. */
export interface Reply {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: string;
}

/** The JSON value, or undefined if the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, any> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The error for a response outside 2xx. */
export function refusal(reply: Reply): RequestRefused {
  const answer = parsed(reply.body);
  const error = isObject(answer) && isObject(answer["error"]) ? answer["error"] : undefined;
  if (error === undefined) return strange(reply);
  const code = text(error["code"]) || `http_${reply.status}`;
  return new (classOf(reply.status, code))({
    code,
    status: reply.status,
    reason: text(error["message"]) || `The server responded with HTTP ${reply.status}.`,
    hint: text(error["hint"]),
    field: text(error["field"]),
    details: isObject(error["details"]) ? error["details"] : undefined,
    requestId: reply.headers.get("x-request-id") ?? undefined,
    retryAfterSeconds: seconds(reply.headers.get("retry-after")),
    genuine: true,
  });
}

/** The error for a success that no Signoff server would send, because another program listens there. */
export function notSignoff(status: number, body: string): ServerFailed {
  const reason = `The response is not from a Signoff server: ${quoted(body)}.`;
  return new ServerFailed({ code: "not_signoff", status, reason });
}

function strange(reply: Reply): RequestRefused {
  if (reply.status === 0) {
    // All that a browser page can see of a redirect.
    const reason = "The response is a redirect, which a client with a key does not follow; use the address that it points to.";
    return new RequestRefused({ code: "http_redirect", status: 0, reason });
  }
  let reason = `A server that is not Signoff responded with HTTP ${reply.status}`;
  if (reply.status >= 300 && reply.status < 400) {
    reason += ` and points to ${quoted(reply.headers.get("location") ?? "nowhere")}; use that address`;
  }
  return new (classOf(reply.status, ""))({
    code: `http_${reply.status}`,
    status: reply.status,
    reason: reply.body.trim() ? `${reason}: ${quoted(reply.body)}.` : `${reason}.`,
    requestId: reply.headers.get("x-request-id") ?? undefined,
    retryAfterSeconds: seconds(reply.headers.get("retry-after")),
  });
}

function quoted(body: string): string {
  return JSON.stringify(body.slice(0, SHOWN).trim());
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

/** Retry-After as seconds; the other form, a date, is ignored, because it would require a trusted clock. */
function seconds(header: string | null): number | undefined {
  return header !== null && /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) : undefined;
}

/** Whether the same request may succeed shortly after: no response, 429, 502, 503, 504. */
export function mayRepeat(failure: unknown): failure is SignoffError {
  return (failure instanceof RequestRefused || failure instanceof ConnectionFailed) && failure.retryable;
}

/**
 * `mayRepeat` for a caller that can wait for days: also true for any 5xx, and for the errors of a proxy whose server
 * is down.
 */
export function mayPass(failure: unknown): failure is SignoffError {
  if (!(failure instanceof RequestRefused)) return failure instanceof ConnectionFailed;
  const stray = !failure.genuine && [200, 404, 408].includes(failure.status);
  return failure.retryable || failure.status >= 500 || stray;
}
